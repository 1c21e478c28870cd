"""Evidence of a finished scenario: ask what still runs, stop it, and lay everything into the scenario's directory.

Rules: the order is fixed - facts that only living peers know, then the peers, then the network (which completes the
capture), then files. A peer that no longer answers gives nothing and stops nothing. What comes back is a list of
sentences: what the evidence itself says against the run, whatever the scenario found.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.emulation import graph
from lab.errors import BrokenError
from lab.evidence import finish, forged, gates, keys
from lab.evidence.files import write_json
from lab.peers.base import PeerDriver, PeerFault, Unsupported
from lab.peers.frr import Frr
from lab.plugin.agreement import agree
from lab.plugin.verdict import FAILED, PASSED

if TYPE_CHECKING:
    from lab.plugin.laboratory import Lab

SAS_SCHEMA, NAT_SCHEMA, COUNTERS_SCHEMA = "ikelab.sas/1", "ikelab.nat/1", "ikelab.counters/1"


def gather(lab: "Lab") -> list[str]:
    """Fill the scenario's directory; sentences on what the evidence contradicts."""
    running = lab.running
    problems: list[str] = []
    sas = {gateway.name: _asked(gateway.driver.sas, [], problems) for gateway in running}
    counters = {gateway.name: _asked(gateway.driver.counters, {}, problems) for gateway in running}
    write_json(lab.directory / "sas.json", {"schema": SAS_SCHEMA, **sas})
    write_json(lab.directory / "counters.json", {"schema": COUNTERS_SCHEMA, **counters})
    lab.negotiated = negotiated(sas)
    _network(lab)
    lab.close()
    _files(lab)
    merged = keys.merge((part for gateway in running for part in gateway.logged_keys()), apart=lab.apart)
    keys.write(merged, lab.directory / "keys.json")
    if len(running) > 1:
        silent = {gateway.name for gateway in running if not gateway.driver.tells_keys}
        finding = agree(merged, sas, silent)
        lab.steps.add("keys", FAILED if finding.problems else PASSED, finding.sentence)
        problems += finding.problems
    if lab.forged:
        forged.write(lab.forged, lab.directory)
    if (lab.directory / finish.RAW).exists():
        lab.finished = finish.finish(lab.directory)
        problems += lab.finished.problems
    return list(dict.fromkeys(problems))


def _asked(question: Callable[[], Any], otherwise: Any, problems: list[str]) -> Any:
    """What a peer answers, or the given value if it cannot; a peer that died meanwhile is a problem of the run."""
    try:
        return question()
    except PeerFault as error:
        problems.append(str(error))
    except (BrokenError, Unsupported):
        pass  # it was never ready, and the scenario has failed for that already; or it cannot tell
    return otherwise


def negotiated(sas: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """The algorithms of the first established IKE SA and its first child, as the first side lists them."""
    established = [sa for views in sas.values() for sa in views if sa["state"] == "ESTABLISHED"]
    if not established:
        return {}
    (ike, *_), children = established, established[0]["children"]
    chosen = {"ike": {name: ike[name] for name in ("encr", "encr_key_length", "integ", "prf", "ke")}}
    if children:
        names = ("protocol", "mode", "encap", "encr", "encr_key_length", "integ", "esn", "local_ts", "remote_ts")
        chosen["child"] = {name: children[0][name] for name in names}
    return chosen


def _network(lab: "Lab") -> None:
    """The network as realised, its drawing, and what its NAT boxes hold."""
    if lab.topology is None or not lab.has_network:
        return
    write_json(lab.directory / "topology.json", _described(lab))
    (lab.directory / "topology.svg").write_text(graph.svg(lab.topology))
    write_json(lab.directory / "nat.json", {"schema": NAT_SCHEMA, **lab.network.nat_facts(), **_probed(lab)})
    lab.network.gates.close()
    if (record := lab.network.gates.record()) is not None:
        write_json(lab.directory / gates.FILE, record)
        lab.steps.add("gate", PASSED, gates.sentence(record))
    lab.uncaptured = lab.network.finish_capture().dropped


def _probed(lab: "Lab") -> dict[str, Any]:
    """What a probe found of the boxes, if one was sent."""
    return {"probe": lab.probed} if lab.probed else {}


def _described(lab: "Lab") -> dict[str, Any]:
    """The network, and which of its nodes were told to misbehave."""
    described = lab.network.describe()
    for name in lab.impaired:
        described["nodes"][name]["impaired"] = True
    return described


def _files(lab: "Lab") -> None:
    """Capture, logs and configurations."""
    captured = lab.scratch / "network" / "wire.pcapng"
    if captured.exists():
        shutil.copyfile(captured, lab.directory / finish.RAW)
    logs = [(gateway.name, gateway.logs()) for gateway in lab.running]
    logs += [(node, {log.name: log for log in router.logs()}) for node, router in lab.routers.items()]
    for node, found in logs:
        for name, log in found.items():
            _copy(log, lab.directory / "logs" / f"{node}-{name}")
    drivers: list[tuple[str, PeerDriver | Frr]] = [(gateway.name, gateway.driver) for gateway in lab.running]
    for node, driver in (*drivers, *lab.routers.items()):
        for name, text in driver.configs().items():
            target = lab.directory / "configs" / f"{node}-{name}"
            target.parent.mkdir(exist_ok=True)
            target.write_text(text)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(source, target)
