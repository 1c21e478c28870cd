"""What a scenario leaves for the run: begun.json, result.json, and lines in the guest's own event log.

Rules: a line is appended after the file it speaks of is written, so that the reader on the host finds it; the event log
belongs to one writer (each guest has its own), because appends of two kernels to one file would overwrite each other.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.evidence.files import append_line, write_json
from lab.evidence.results import Evidence, Result, write_result
from lab.plugin.meta import Scenario
from lab.plugin.selection import Plan
from lab.plugin.verdict import Verdict

if TYPE_CHECKING:
    from lab.plugin.laboratory import Lab

# What `finish` does not make: file -> (kind, note)
ALSO = {
    "sas.json": ("sas", "the SAs that both sides listed at the end"),
    "counters.json": ("counters", "what both sides counted"),
    "routing.json": ("routing", "what a disturbance cost: lost hellos, time without an answered echo, state changes"),
    "coverage.json": ("coverage", "which changed octets the receiver noticed, and the parts of the packet"),
    "gate.json": ("gate", "what the packet gate was told to do, where each rule ran, and what it did to which packet"),
    "collisions.json": ("collisions", "who answered what in each order of the messages, and which SAs were left"),
    "timing.json": ("timing", "what was measured in time: schedules, mappings, lifetimes"),
    "forged.json": ("forged", "what the scenario itself put on a link"),
    "nat.json": ("nat", "the mappings of the NAT boxes: at the end, and what became of them"),
    "probe.pcapng": ("probe", "the datagrams that asked the NAT boxes how they behave, in a network of their own"),
    "topology.json": ("topology", "the network as it was built"),
    "logs": ("logs", "both sides' logs"),
    "configs": ("configs", "both sides' configurations"),
}


class Records:
    """Where a session's scenarios leave their traces."""

    def __init__(self, out: Path, plan: Plan, events: Path | None) -> None:
        self._out, self._plan, self._events = out, plan, events

    def directory(self, scenario: Scenario) -> Path:
        """Where the evidence of a scenario goes."""
        return self._out / self._plan.directory(scenario)

    def line(self, event: str, **fields: Any) -> None:
        """Append a line to the guest's event log, if there is one."""
        if self._events is not None:
            append_line(self._events, {"event": event, **fields})

    def started(self, lab: "Lab") -> None:
        """Say that a scenario has begun."""
        lab.directory.mkdir(parents=True, exist_ok=True)
        scenario, pairing = lab.scenario, lab.scenario.pairing
        begun = {"id": scenario.id, "pairing": str(pairing)}
        peers = {"initiator": pairing.initiator, "responder": pairing.responder}
        write_json(lab.directory / "begun.json", begun | peers)
        self.line("started", **begun, dir=self._plan.directory(scenario).as_posix())

    def finished(self, lab: "Lab", verdict: Verdict) -> None:
        """Write result.json, then say so."""
        write_result(result_of(lab, verdict), lab.directory)
        (lab.directory / "begun.json").unlink(missing_ok=True)
        named = {"id": lab.scenario.id, "pairing": str(lab.scenario.pairing)}
        versions = {gateway.peer.name: gateway.driver.version for gateway in lab.running}
        self.line("finished", **named, verdict=verdict.word, reason=verdict.reason, versions=versions)

    def paused(self, lab: "Lab") -> None:
        """Say that a failed scenario's network is kept as a live lab."""
        assert lab.topology is not None
        peers = {gateway.name: gateway.peer.name for gateway in lab.running}
        text = Path(lab.topology.file).read_text(encoding="utf-8")
        self.line("paused", **_named(lab), topology=lab.topology.name, file=text, peers=peers)

    def resumed(self, lab: "Lab") -> None:
        """Say that it goes on."""
        self.line("resumed", **_named(lab))


def _named(lab: "Lab") -> dict[str, str]:
    return {"id": lab.scenario.id, "pairing": str(lab.scenario.pairing)}


def result_of(lab: "Lab", verdict: Verdict) -> Result:
    """result.json as the guest knows it; the host adds what it measures and checks."""
    scenario, topology, finished = lab.scenario, lab.topology, lab.finished
    present = {file: row for file, row in ALSO.items() if (lab.directory / file).exists()}
    also = [Evidence(kind=kind, file=file, note=note) for file, (kind, note) in present.items()]
    return Result(
        id=scenario.id,
        pairing=str(scenario.pairing),
        verdict=verdict.word,
        reason=verdict.reason,
        topology=topology.name if topology else "",
        initiator=scenario.pairing.initiator,
        responder=scenario.pairing.responder,
        clauses=list(scenario.clauses),
        title=scenario.title,
        steps=lab.steps.done,
        evidence=[*(finished.evidence if finished else []), *also],
        messages=finished.messages if finished else {},
        negotiated=lab.negotiated,
        reproduce=scenario.command(lab.seed),
        attempts=[verdict.word],
    )
