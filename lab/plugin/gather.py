"""Evidence of a finished scenario: ask what still runs, stop it, and lay everything into the scenario's directory.

Rules: the order is fixed - facts that only living peers know, then the peers, then the network (which completes the
capture), then files. A peer that no longer answers gives nothing and stops nothing. What comes back is a list of
sentences: what the evidence itself says against the run, whatever the scenario found.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.emulation import graph
from lab.evidence import finish, keys
from lab.evidence.files import write_json
from lab.peers.base import PeerFault

if TYPE_CHECKING:
    from lab.plugin.laboratory import Lab

SAS_SCHEMA, NAT_SCHEMA, COUNTERS_SCHEMA = "ikelab.sas/1", "ikelab.nat/1", "ikelab.counters/1"


def gather(lab: "Lab") -> list[str]:
    """Fill the scenario's directory; sentences on what the evidence contradicts."""
    running = lab.running
    sas = {gateway.name: _asked(gateway.driver.sas, []) for gateway in running}
    counters = {gateway.name: _asked(gateway.driver.counters, {}) for gateway in running}
    write_json(lab.directory / "sas.json", {"schema": SAS_SCHEMA, **sas})
    write_json(lab.directory / "counters.json", {"schema": COUNTERS_SCHEMA, **counters})
    _network(lab)
    lab.close()
    _files(lab)
    merged = keys.merge(gateway.driver.keys() for gateway in running)
    keys.write(merged, lab.directory / "keys.json")
    if not (lab.directory / finish.RAW).exists():
        return []
    lab.finished = finish.finish(lab.directory)
    return lab.finished.problems


def _asked(question: Callable[[], Any], otherwise: Any) -> Any:
    """What a peer answers, or the given value if it is dead."""
    try:
        return question()
    except PeerFault:
        return otherwise


def _network(lab: "Lab") -> None:
    """The network as realised, its drawing, and what its NAT boxes hold."""
    if lab.topology is None or not lab.has_network:
        return
    write_json(lab.directory / "topology.json", lab.network.describe())
    (lab.directory / "topology.svg").write_text(graph.svg(lab.topology))
    write_json(lab.directory / "nat.json", {"schema": NAT_SCHEMA, "mappings": lab.network.mappings()})
    lab.network.finish_capture()


def _files(lab: "Lab") -> None:
    """Capture, logs and configurations."""
    captured = lab.scratch / "network" / "wire.pcapng"
    if captured.exists():
        shutil.copyfile(captured, lab.directory / finish.RAW)
    for gateway in lab.running:
        for log in gateway.driver.logs():
            _copy(log, lab.directory / "logs" / f"{gateway.name}-{log.name}")
        for name, text in gateway.driver.configs().items():
            target = lab.directory / "configs" / f"{gateway.name}-{name}"
            target.parent.mkdir(exist_ok=True)
            target.write_text(text)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(source, target)
