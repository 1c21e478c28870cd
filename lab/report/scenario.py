"""What a scenario's page shows, read from its directory. No markup except drawings made by the SVG helpers.

Rules of this file: each part stands alone, so that a missing file takes away its own section and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup

from lab.report import (
    aligned,
    associations,
    coverage,
    drawing,
    facts,
    files,
    layouts,
    lineage,
    nat,
    offers,
    outage,
    reasons,
    rungs,
    selectors,
    throughput,
    timeline,
    words,
)
from lab.report.aligned import Line
from lab.report.coverage import Coverage
from lab.report.facts import Doubts, Facts
from lab.report.layouts import Layout
from lab.report.lineage import Sa
from lab.report.model import Result, Verdict
from lab.report.nat import Nat
from lab.report.offers import Offer
from lab.report.outage import Outage
from lab.report.rungs import Ladder
from lab.report.selectors import Offer as Selection
from lab.report.timeline import Timeline
from lab.report.why import Account

CAPTURE = "wire.pcapng"
MESSAGES = {
    "ikev2_init": "IKE_SA_INIT",
    "ikev2_auth": "IKE_AUTH",
    "ikev2_create_child": "CREATE_CHILD_SA",
    "ikev2_informational": "INFORMATIONAL",
    "ikev2_intermediate": "IKE_INTERMEDIATE",
    "ikev2_followup_ke": "IKE_FOLLOWUP_KE",
    "ikev1_phase1": "of IKEv1 phase 1",
    "ikev1_phase2": "Quick Mode",
    "ikev1_informational": "Informational",
    "ikev1_transaction": "Transaction",
    "esp": "ESP",
    "ah": "AH",
    "gre": "GRE",
    "keepalive": "NAT keepalives",
}


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a scenario. `word` is its verdict as written, `at` its time since the start."""

    name: str
    verdict: Verdict
    word: str
    detail: str
    at: str


@dataclass(frozen=True, slots=True)
class Wire:
    """What the messages show beyond the ladder; all of it is empty where there is none. `lines` are by message."""

    account: Account = reasons.NOTHING
    timeline: Timeline | None = None
    layouts: list[Layout] = field(default_factory=list)
    sas: list[Sa] = field(default_factory=list)
    offers: list[Offer] = field(default_factory=list)
    selectors: list[Selection] = field(default_factory=list)
    lines: dict[int, list[Line]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """Everything on a scenario's page."""

    result: Result
    reason: str
    reproduce: str
    steps: list[Step]
    counts: str
    negotiated: list[tuple[str, list[tuple[str, str]]]]
    topology: Markup | None
    coverage: Coverage | None
    outages: list[Outage]
    traffic: list[throughput.Way]
    ladder: Ladder | None
    wire: Wire
    sides: list[associations.Side]
    keys: list[tuple[str, list[tuple[str, str]]]]
    nat: Nat
    configs: list[files.Text]
    logs: list[files.Text]
    witness: str
    downloads: list[files.Download]
    doubts: Doubts

    @property
    def proof(self) -> str:
        """The capture that the verdict rests on, if there is one."""
        return next((file.address for file in self.downloads if file.name == CAPTURE and file.address), "")


def load(directory: Path, result: Result) -> Page:
    """Read a scenario's directory. Never raises for bad content."""
    doubts = Doubts()
    found = facts.table(facts.load(directory / "result.json", doubts, needed=True))
    ladder, keys = rungs.load(directory, result, doubts), facts.load(directory / "keys.json", doubts)
    logs = files.logs(directory)
    return Page(
        result=result,
        reason=result.reason or _reason(result, facts.rows(found, "steps")),
        reproduce=facts.text(found, "reproduce"),
        steps=[_step(item) for item in facts.rows(found, "steps")],
        counts=_counts(facts.table(found, "messages")),
        negotiated=_negotiated(facts.table(found, "negotiated")),
        topology=_topology(directory, doubts),
        coverage=coverage.load(directory, doubts),
        outages=outage.load(directory, doubts),
        traffic=throughput.load(directory, doubts),
        ladder=ladder,
        wire=_wire(directory, result, ladder, keys, logs),
        sides=associations.sides(facts.load(directory / "sas.json", doubts)),
        keys=associations.keys(keys),
        nat=nat.load(directory, doubts),
        configs=files.configs(directory),
        logs=logs,
        witness=facts.text(facts.load(directory / "tshark.json", doubts), "sentence"),
        downloads=files.downloads(directory, facts.rows(found, "evidence")),
        doubts=doubts,
    )


def _wire(directory: Path, result: Result, ladder: Ladder | None, keys: object, logs: Sequence[files.Text]) -> Wire:
    """Everything that is read from the messages."""
    if ladder is None:
        return Wire(account=reasons.told(directory, result, ()))
    messages, details, account = ladder.messages, ladder.details, reasons.told(directory, result, ladder.messages)
    return Wire(
        account=account,
        timeline=timeline.draw(messages),
        layouts=layouts.find(messages, details, keys),
        sas=lineage.find(messages, details),
        offers=offers.find(messages, details, account.findings, ladder.beginning),
        selectors=selectors.find(messages, details),
        lines=aligned.align(messages, ladder.beginning, [(text.name, text.content) for text in logs]),
    )


def columns(rows: Sequence[Facts]) -> list[str]:
    """The keys that occur in any of the rows, in the order of their first occurrence."""
    return list(dict.fromkeys(key for row in rows for key in row))


def why_heading(result: Result) -> str:
    """The account says why a scenario went wrong; of one that passed it tells what belongs to it."""
    return "Why" if result.verdict in (Verdict.FAILED, Verdict.UNRESOLVED) else "Refused or unanswered"


def sections(page: Page) -> list[tuple[str, str, bool]]:
    """(anchor, name, present) in the order of the page."""
    return [
        ("why", why_heading(page.result), bool(page.wire.account.conclusion)),
        ("steps", "Steps", bool(page.steps)),
        ("again", "Run it again", bool(page.reproduce)),
        ("topology", "Topology", bool(page.topology)),
        ("coverage", "What the ICV covers", bool(page.coverage)),
        ("outage", "What it cost", bool(page.outages)),
        ("ladder", "Messages", bool(page.ladder)),
        ("timeline", "Packets in time", bool(page.wire.timeline)),
        ("sas", "Security associations", bool(page.sides or page.keys or page.wire.sas)),
        ("negotiated", "Negotiated", bool(page.negotiated or page.wire.offers or page.wire.selectors)),
        ("nat", "NAT boxes", bool(page.nat)),
        ("layouts", "Packet layouts", bool(page.wire.layouts)),
        ("traffic", "Throughput and latency", bool(page.traffic)),
        ("configs", "Configurations", bool(page.configs)),
        ("logs", "Logs", bool(page.logs)),
        ("downloads", "Evidence", bool(page.downloads)),
    ]


def _reason(result: Result, steps: Sequence[Facts]) -> str:
    """A sentence for a result that gives none."""
    if result.verdict is Verdict.PASSED:
        return f"All {len(steps)} steps passed." if len(steps) > 1 else ""
    first = next((facts.text(step, "name") for step in steps if facts.text(step, "verdict") != "passed"), "")
    return f"It ended at the step '{first}'." if first else "No reason was given."


def _step(item: Facts) -> Step:
    word = facts.text(item, "verdict")
    verdict = next((one for one in Verdict if one.value == word), Verdict.UNSUPPORTED)
    at = facts.number(item, "at_s")
    # A step that the host adds after the guest has ended has no time of its own.
    shown = "" if not at else f"{at:.3f} s"
    return Step(facts.text(item, "name", "unnamed"), verdict, word, facts.text(item, "detail"), shown)


def _counts(found: Facts) -> str:
    """The messages counted, in the words of the RFCs: `2 IKE_SA_INIT, 2 IKE_AUTH, 4 ESP`."""
    known = {name: int(number) for name in found if (number := facts.number(found, name))}
    return ", ".join(f"{number} {MESSAGES.get(name, words.label(name))}" for name, number in known.items())


def _negotiated(found: Facts) -> list[tuple[str, list[tuple[str, str]]]]:
    """(heading, facts) for each object in it; what is no object stands together under no heading."""
    parts = {name: facts.table(found, name) for name in found}
    single = {name: value for name, value in found.items() if not parts[name]}
    groups = [("", single), *((words.label(name), part) for name, part in parts.items())]
    return [(heading, pairs) for heading, part in groups if (pairs := _pairs(part))]


def _pairs(found: Facts) -> list[tuple[str, str]]:
    return [(words.label(name), words.plain(value)) for name, value in found.items() if value is not None]


def _topology(directory: Path, doubts: Doubts) -> Markup | None:
    path = directory / "topology.svg"
    try:
        source = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        doubts.add(f"topology.svg cannot be read: {error}.")
        return None
    drawn = drawing.inline(source)
    if drawn is None:
        doubts.add("topology.svg is no drawing that can be shown.")
    return drawn
