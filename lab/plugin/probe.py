"""`ikelab peer check NAME`: one PSK tunnel in each role, step by step, and what each step came to.

    python -m lab.plugin.probe NAME        in a guest: a line of JSON on stdout for every step, behind PREFIX

Rules: the other side is our own stack, so that a step which fails is the peer's. A step that failed ends its role, as
what follows stands on it; what the peer cannot do (exit code 127, no such command) is `unsupported` and ends nothing.
Whether the tunnel carries is proved from the capture.
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from lab.errors import LabError
from lab.evidence import keys
from lab.matrix import OURS, Pairing
from lab.peers.base import Unsupported
from lab.peers.registry import peer
from lab.plugin import proofs
from lab.plugin.gateway import Gateway
from lab.plugin.laboratory import Lab, open_lab
from lab.plugin.meta import Scenario
from lab.plugin.records import Records
from lab.plugin.renewal import What, one_new, spis
from lab.plugin.selection import Plan
from lab.plugin.tunnel import CHILD, CONNECTION
from lab.plugin.verdict import FAILED, PASSED, UNSUPPORTED, sentence

PREFIX = "probe: "
SETTLED_S = 10.0


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of a role came to: `passed`, `failed` or `unsupported`, and the reason where it did not pass."""

    role: str
    step: str
    verdict: str
    reason: str = ""


def probe(name: str) -> Iterator[Step]:
    """Every step in both roles."""
    for role, pairing in (("initiator", Pairing(name, OURS)), ("responder", Pairing(OURS, name))):
        with TemporaryDirectory(prefix="probe-") as out:
            scenario = Scenario("peer/check", pairing, "", "the tunnel of a probe")
            with open_lab(scenario, Records(Path(out), Plan(), None), seed=1) as lab:
                yield from _role(lab, role, lab.left if role == "initiator" else lab.right)


def _role(lab: Lab, role: str, asked: Gateway) -> Iterator[Step]:
    """The steps of one role until one fails."""
    for step, do in STEPS.items():
        verdict, reason = _judged(do, lab, asked)
        yield Step(role, step, verdict, reason)
        if verdict == FAILED:
            return


def _judged(do: Callable[[Lab, Gateway], None], lab: Lab, asked: Gateway) -> tuple[str, str]:
    try:
        do(lab, asked)
    except Unsupported as error:
        return UNSUPPORTED, sentence(error)
    except (AssertionError, LabError) as error:
        return FAILED, sentence(error)
    return PASSED, ""


def _start(lab: Lab, _asked: Gateway) -> None:
    lab.up("direct")


def _tunnel(lab: Lab, _asked: Gateway) -> None:
    outcome = lab.left.initiate(CHILD)
    assert outcome.up, f"{lab.left} could not set up the tunnel: {outcome.reason}"


def _sas(lab: Lab, asked: Gateway) -> None:
    asked.sas()
    lab.until(lambda: lab.left.children() and lab.right.children(), "both sides list a CHILD SA as INSTALLED", 5.0)
    proofs.same_view(lab.left.sas(), lab.right.sas())


def _traffic(lab: Lab, _asked: Gateway) -> None:
    lab.ping()
    lab.prove_protected()


def _keys(lab: Lab, asked: Gateway) -> None:
    if not asked.driver.tells_keys:
        raise Unsupported(f"{asked.peer.name} has no command for its keys: ours alone open the captures")
    merged = lab.keys()
    told = {entry.spi for entry in merged.child if entry.source.startswith(f"{asked.peer.name}:")}
    missing = [child[way] for child in asked.children() for way in ("spi_in", "spi_out") if child[way] not in told]
    assert not missing, f"the command for keys does not tell that of CHILD SA {missing[0]}"
    differing = keys.disagreements(merged)
    assert not differing, differing[0]


def _rekey(what: What) -> Callable[[Lab, Gateway], None]:
    def do(lab: Lab, asked: Gateway) -> None:
        before = spis(lab.left, what)
        outcome = asked.rekey(ike=CONNECTION) if what == "ike" else asked.rekey(child=CHILD)
        assert outcome.up, f"{asked} could not rekey: {outcome.reason}"
        lab.until(lambda: one_new(*lab.gateways, what, before), "both sides have one new SA, and no other", SETTLED_S)
        _traffic(lab, asked)

    return do


def _events(_lab: Lab, asked: Gateway) -> None:
    assert asked.events(), "there is no event although a tunnel was set up"


def _terminate(lab: Lab, asked: Gateway) -> None:
    outcome = asked.terminate()
    assert outcome.up, f"{asked} could not delete the IKE SA: {outcome.reason}"
    lab.until(lambda: not any(gateway.established() for gateway in lab.gateways), "neither side has an IKE SA", 10.0)


def _stop(_lab: Lab, asked: Gateway) -> None:
    asked.driver.stop()


STEPS: dict[str, Callable[[Lab, Gateway], None]] = {
    "start": _start,
    "tunnel": _tunnel,
    "sas": _sas,
    "traffic": _traffic,
    "keys": _keys,
    "rekey child": _rekey("child"),
    "rekey ike": _rekey("ike"),
    "events": _events,
    "terminate": _terminate,
    "stop": _stop,
}


def main(name: str) -> None:
    """Print every step as it ends."""
    for step in probe(peer(name).name):
        sys.stdout.write(f"{PREFIX}{json.dumps(asdict(step))}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
