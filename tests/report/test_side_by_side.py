"""The page of what two runs differ in: ladders side by side, and what is said of each message."""

from pathlib import Path

from click.testing import CliRunner

from lab.cli import cli
from lab.history.differences import diff
from lab.history.messages import Difference
from lab.report import build, differences
from lab.report.side_by_side import rows
from tests.history.recorded import messages, write
from tests.report.outline import outline

NAME = "ikev2/plain"


def changed_ladder() -> tuple[list, list]:
    """The messages of a second run: another SPI, another cipher, a notify, one exchange less, a repetition."""
    ladder, detail = messages(spi="c3:d4", nonce="ff", encr="ChaCha20", began=5000.0)
    ladder[1]["payloads"] = ["SA", "NONCE", "N(COOKIE)"]
    del ladder[4:], detail[4:]
    ladder.insert(3, {**ladder[2], "n": 2, "retransmit_of": 2, "lost": True, "t_sent": ladder[2]["t_sent"] + 4.0})
    return ladder, detail


def write_two_runs(place: Path) -> Path:
    """Two runs and the page of their differences."""
    write(place / "a", {NAME: "passed", "ikev2/gone": "passed", "ikev2/<b>odd</b>": "passed"})
    write(place / "b", {NAME: "failed", "ikev2/new": "passed", "ikev2/<b>odd</b>": "passed"}, ladder=changed_ladder())
    for one in ("a", "b"):
        build(place / one)
    page = place / "b" / "diff.html"
    differences(diff(place / "a", place / "b"), page)
    return page


def test_messages_of_one_place_stand_in_one_row() -> None:
    found = rows(messages()[0], changed_ladder()[0])
    heads = [[side and side.head for side in (row.before, row.after)] for row in found]
    assert heads == [
        ["IKE_SA_INIT request 0", "IKE_SA_INIT request 0"],
        ["IKE_SA_INIT response 0", "IKE_SA_INIT response 0"],
        ["IKE_AUTH request 1", "IKE_AUTH request 1"],
        [None, "IKE_AUTH request 1"],
        ["IKE_AUTH response 1", "IKE_AUTH response 1"],
        ["CREATE_CHILD_SA request 2", None],
        ["CREATE_CHILD_SA response 2", None],
    ]
    assert [row.words for row in found] == ["", "", "", "only in B", "", "only in A", "only in A"]
    again = found[3].after
    assert again is not None and again.again and again.lost and round(again.seconds, 6) == 4.2


def test_payloads_that_the_other_run_lacks_are_marked_and_repeats_counted() -> None:
    (old, _), (new, _) = messages(), messages()
    new[0]["payloads"] = ["SA", "NONCE", "NONCE", "N(COOKIE)"]
    row = rows(old, new, [Difference("payloads", "IKE_SA_INIT request 0 from left to right", "{}", "{}")])[0]
    assert row.before is not None and row.after is not None
    assert row.before.payloads == (("SA", False), ("NONCE", False))
    assert row.after.payloads == (("SA", False), ("NONCE", False), ("NONCE", True), ("N(COOKIE)", True))
    assert row.words == "other payloads"


def test_the_page_leads_to_both_runs_and_says_what_changed(tmp_path: Path) -> None:
    page = write_two_runs(tmp_path)
    found = outline(page)
    text = found.text
    for words in (
        "passed",
        "failed",
        "other fields",
        "other payloads",
        "only in A",
        "only in B",
        "ikev2/gone",
        "ChaCha20",
    ):
        assert words in text, words
    assert "<b>odd" not in page.read_text()
    links = [link for link in found.links if link.endswith("index.html")]
    assert len(links) == 4 and all(
        (page.parent / link.replace("%3C", "<").replace("%3E", ">")).is_file() for link in links
    )


def test_runs_that_are_alike_say_so(tmp_path: Path) -> None:
    for one in ("a", "b"):
        write(tmp_path / one, {NAME: "passed"})
    done = CliRunner().invoke(cli, ["report", "diff", str(tmp_path / "a"), str(tmp_path / "b"), "--html"])
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path}/b/diff.html\n")
    assert "There is no difference." in outline(tmp_path / "b" / "diff.html").text


def test_another_file_can_be_named(tmp_path: Path) -> None:
    for one in ("a", "b"):
        write(tmp_path / one, {NAME: "passed"})
    target = tmp_path / "pages" / "two.html"
    words = ["report", "diff", str(tmp_path / "a"), str(tmp_path / "b"), "--html", str(target), "--json"]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0 and target.is_file() and '"ikelab.diff/1"' in done.stdout
