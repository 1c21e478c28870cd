"""`python -m lab.guest -- COMMAND`: one command in a guest, for those who work on the lab itself."""

import argparse
import sys
import tempfile
from pathlib import Path

from lab.errors import LabError
from lab.guest import boot, image


def main() -> int:
    """Build the image if asked to, run the command if there is one; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m lab.guest", description=__doc__)
    parser.add_argument("-v", "--virtual-time", action="store_true")
    parser.add_argument("--build", action="store_true", help="build what is missing of the image first")
    parser.add_argument("--limit", type=float, default=120, metavar="SECONDS")
    parser.add_argument("--results", type=Path, metavar="DIR")
    parser.add_argument("command", nargs="*")
    asked = parser.parse_args()
    if asked.build:
        image.build(_progress)
    if not asked.command:
        return 0
    results = asked.results or Path(tempfile.mkdtemp(prefix="ikelab-results-"))
    done = boot.run(
        asked.command, source=Path.cwd(), results=results, output=_say, limit_s=asked.limit,
        virtual_time=asked.virtual_time,
    )  # fmt: skip
    sys.stderr.write(f"guest: {done.reason} after {done.duration_s:.2f} s; results in {results}\n")
    return 5 if done.exit_code is None else done.exit_code


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _progress(what: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{what} {f'{done}/{total}' if total else ''}")
    elif not done:
        sys.stderr.write(f"{what}\n")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        sys.exit(f"guest: {error}")
