"""`ikelab report`: make the pages of a run directory again, open them, compare and join runs."""

import json
import sys
from pathlib import Path

import click
import msgspec

from lab.cli import EXIT_FAILED
from lab.cli.bars import bars
from lab.errors import ConfigError
from lab.history.differences import Changed, RunDiff
from lab.history.differences import diff as compare
from lab.history.messages import TOLERANCE_S
from lab.report import build as build_pages
from lab.report import differences as write_page
from lab.report import single as single_file
from lab.run.merge import merge as join

MOST_LINES = 12
IN_B = Path("diff.html")


@click.group()
def report() -> None:
    """Make a run's HTML report again from its files, open it, compare or join runs."""


@report.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--single-file", "single", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Also join all pages, and the files they link to, in one HTML file.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def build(directory: Path, single: Path | None, as_json: bool) -> None:
    """Write DIR/index.html and a page for every scenario in the run directory DIR."""
    with bars() as progress:
        index = build_pages(directory, progress)
    if single is not None:
        octets = single_file.write(directory, single)
        if octets > single_file.MAILABLE:
            click.echo(f"ikelab: {single} has {octets // 1_000_000} MB, more than mail takes; select fewer", err=True)
        index = single
    if as_json:
        click.echo(json.dumps({"schema": "ikelab.report/1", "index": str(index)}))
    else:
        click.echo(str(index))


@report.command(name="open")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
def open_(directory: Path) -> None:
    """Open DIR/index.html in the browser; it is written first if it is not there yet."""
    index = directory / "index.html"
    if not index.is_file():
        with bars() as progress:
            index = build_pages(directory, progress)
    if click.launch(str(index)) != 0:
        raise ConfigError("no browser could be started; open this file in one", file=str(index.resolve()))


@report.command()
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.argument("parts", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
def merge(out: Path, parts: tuple[Path, ...]) -> None:
    """Join the run directories DIR (of `ikelab run --shard`, say) into one, OUT, with one report."""
    with bars() as progress:
        index = join(out, parts, progress)
    click.echo(str(index))


@report.command()
@click.argument("before", metavar="A", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("after", metavar="B", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=TOLERANCE_S,
    show_default=True,
    metavar="SECONDS",
    help="How much later or earlier a message may be; 10 % of its time where that is more.",
)
@click.option("--replay", is_flag=True, help="B repeats A: packet for packet the same, to the millisecond.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 where a verdict or a message differs.")
@click.option("--all", "everything", is_flag=True, help="Show every difference of a scenario.")
@click.option(
    "--html", "page", is_flag=False, flag_value=str(IN_B), type=click.Path(path_type=Path, dir_okay=False),
    metavar="[FILE]", help="Write a page with the ladders side by side; B/diff.html if FILE is not named.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def diff(
    before: Path, after: Path, tolerance: float, replay: bool, exit_code: bool, everything: bool, page: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Compare the runs in the directories A and B: verdicts, what was negotiated, and every message.

    What chance decides in each run (SPIs, nonces, keys) is no difference.
    """
    found = compare(before, after, tolerance_s=tolerance, exact=replay)
    if page is not None:
        page = after / IN_B if page == IN_B else page
        write_page(found, page)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    elif page is not None:
        click.echo(str(page))
    else:
        _show(found, None if everything else MOST_LINES)
    if exit_code and (found.changed or found.gone or found.new):
        sys.exit(EXIT_FAILED)


def _show(found: RunDiff, most: int | None) -> None:
    """Verdicts that flipped first, then what else changed."""
    for name, words in (("only in A", found.gone), ("only in B", found.new)):
        for word in words:
            click.echo(f"{name}: {word}")
    for one in found.changed:
        click.echo(f"{one.id} {one.pairing}: {_verdicts(one)}")
        for each in one.differences[:most]:
            click.echo(f"    {each.kind}: {each.where}: {each.before or 'absent'} -> {each.after or 'absent'}")
        if most is not None and len(one.differences) > most:
            click.echo(f"    and {len(one.differences) - most} more; --all shows them")
    flips = sum(one.flipped for one in found.changed)
    click.echo(f"{found.alike} alike, {len(found.changed)} changed, {flips} with another verdict")


def _verdicts(one: Changed) -> str:
    if not one.flipped:
        return one.verdicts[0]
    reason = next((f" ({text})" for text in reversed(one.reasons) if text), "")
    return f"{one.verdicts[0]} -> {one.verdicts[1]}{reason}"
