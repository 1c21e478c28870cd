"""What was refused in a scenario and why, as a run says it beneath the verdict: `ikelab explain`, shortened.

Rules of this file: logs are searched only where the messages show a refusal or a daemon of ours says that something
failed (EAP ends by a payload of its own); most scenarios have neither.
"""

from pathlib import Path

from lab.report import facts
from lab.report.facts import Doubts
from lab.report.why import account, wire

MOST_SENTENCES = 2


def refused(directory: Path) -> list[str]:
    """A sentence for each of the first refusals on the wire with its reason, and how to ask for the others."""
    ladder = facts.rows(facts.load(directory / "ladder.json", Doubts()))
    if not (any(one.refusal for one in wire.refusals(ladder)) or _complained(directory)):
        return []
    found = account(directory).conclusion
    more = len(found) - MOST_SENTENCES
    return [*found[:MOST_SENTENCES], *([f"{more} more: ikelab explain {directory}"] if more > 0 else [])]


def _complained(directory: Path) -> bool:
    """Whether a daemon of ours tells of a failure."""
    return any(b" failed " in log.read_bytes() for log in (directory / "logs").glob("*-daemon*.log") if log.is_file())
