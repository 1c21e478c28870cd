"""Asking the NAT boxes of a topology how they behave, ahead of the scenario that uses it.

    zoo.probed(lab, "nat-full-cone", ["left-nat"])      step `probe`; AssertionError where a promise is not kept
    lab.up("nat-full-cone")

Rules: the probe has a network of its own, the same in every respect, since it needs the ports of IKE, and neither its
datagrams nor its mappings are those of the tunnel. What it sent and what came is in `probe.pcapng`.
"""

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lab.emulation import box, probe
from lab.emulation.network import Network
from lab.emulation.topology import Topology, load

if TYPE_CHECKING:
    from lab.plugin.laboratory import Lab

FILE = "probe.pcapng"


def probed(lab: "Lab", topology: str | Topology, boxes: Sequence[str], ages: Sequence[float] = ()) -> None:
    """Ask the boxes between the left gateway and the router `internet`, nearest first; nat.json has the answers."""
    topology = load(topology) if isinstance(topology, str) else topology
    lab.step("probe", f"datagrams through {' and '.join(boxes)} ({box.BY}), as RFC 5780 asks")
    with Network(topology, lab.scratch / "probe") as network:
        left = network.node("left")
        version = 4 if topology.attachment("left").address() else 6
        found = probe.probe(left, network.node("internet"), version, ages)
        wanted = probe.promised([network.nat(name).behaviour for name in boxes], ages)
        network.finish_capture()
        shutil.copyfile(network.capture_file, lab.directory / FILE)
    seen, said = found.words(), wanted.words()
    lab.probed = [{"property": key, "promised": said[key], "found": seen.get(key, "")} for key in said]
    lab.steps.note(", ".join(f"{key}: {word}" for key, word in seen.items()))
    broken = probe.differences(found, wanted)
    assert not broken, broken[0]
