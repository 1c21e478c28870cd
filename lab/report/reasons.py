"""What was refused or stayed unanswered, and why, for a scenario's page: the account of `lab.report.why`.

Rules of this file: logs are read only where the messages show a refusal or a repetition, or the verdict is not what
was hoped for; most scenarios have neither, and their logs say nothing that a reader would ask for here.
"""

from collections.abc import Sequence
from pathlib import Path

from lab.report.ladder import Message
from lab.report.model import Result, Verdict
from lab.report.why import Account, account
from lab.report.why.first_version import NOTIFIES
from lab.report.why.wire import MEANINGS, NOTIFY

MOST_SENTENCES, MOST_FINDINGS = 12, 60
NOTHING = Account((), ())


def told(directory: Path, result: Result, messages: Sequence[Message]) -> Account:
    """The account, or an empty one where there is nothing to ask for."""
    if not directory.is_dir() or not (_wanted(result) or any(map(_strikes, messages))):
        return NOTHING
    found = account(directory)
    return Account(found.conclusion[:MOST_SENTENCES], found.findings[:MOST_FINDINGS])


def _wanted(result: Result) -> bool:
    return result.verdict not in (Verdict.PASSED, Verdict.UNSUPPORTED)


def _strikes(one: Message) -> bool:
    """Whether it was sent again, or refuses something."""
    named = (NOTIFY.fullmatch(name) for name in one.payloads)
    return bool(one.exchange) and (
        one.retransmit_of is not None or any(n and n[1] in MEANINGS | NOTIFIES for n in named)
    )
