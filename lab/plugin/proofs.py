"""Assertions that many scenarios share. Each takes facts, says in words what does not hold, and returns nothing.

Rules: the verdict comes from the capture; what a peer claims is only compared with it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from lab.evidence.capture import Frame
from lab.evidence.datagram import sightings
from lab.evidence.keyring import Keyring
from lab.evidence.keys import Keys
from lab.evidence.network import packet
from lab.plugin.sight import Entry, Ladder, line
from lab.wire.packets import ICMP
from lab.wire.pcapng import Direction

# Nodes whose links lie inside the protected networks, and nodes with one foot there.
INSIDE, GATEWAYS = ("left-host", "right-host", "second-host"), ("left", "right", "second")


def set_up_in_four_messages(ladder: Ladder) -> None:
    """RFC 7296 1.2: IKE_SA_INIT and IKE_AUTH, each a request and a response, make the IKE SA and the first CHILD SA."""
    found = [(e["exchange"], e["response"], e["from"]) for e in ladder.ike(again=False)][:4]
    wanted = [
        ("IKE_SA_INIT", False, "left"),
        ("IKE_SA_INIT", True, "right"),
        ("IKE_AUTH", False, "left"),
        ("IKE_AUTH", True, "right"),
    ]
    assert found == wanted, f"the IKE SA was not set up by the four messages of RFC 7296: {ladder.words()}"
    later = [e for e in ladder.ike(again=False)[4:] if e["exchange"] in ("IKE_SA_INIT", "IKE_AUTH")]
    assert not later, f"there are more messages than the four of RFC 7296: {ladder.words()}"


def all_opened(ladder: Ladder) -> None:
    """Every protected message was opened with the keys of the run."""
    closed = ladder.sealed()
    assert not closed, f"{len(closed)} of {len(ladder)} packets do not open with the run's keys, first: {closed[0]}"


def carries_ping(
    ladder: Ladder, ends: tuple[str, str], counts: Sequence[int], protocol: str = "ESP", client: str = "left"
) -> None:
    """ESP or AH of each gateway holds the echo requests there and the replies of every ping; each counts from 1."""
    source, target = ends
    family = "ICMPv6" if ":" in target else "ICMP"
    for sender, word, way in (
        (client, "echo-request", f"{source} -> {target}"),
        ("right", "echo-reply", f"{target} -> {source}"),
    ):
        wanted = Counter(f"{family} {word} {way} seq {number}" for count in counts for number in range(1, count + 1))
        found = [entry.get("inner", "") for entry in ladder.protected(sender, protocol)]
        missing = list(wanted - Counter(found))
        assert not missing, f"too few {protocol} packets of {sender} hold {missing[0]!r}; they hold {found}"


def carries_own_ping(ladder: Ladder, counts: Sequence[int], protocol: str = "ESP") -> None:
    """ESP or AH from each gateway holds its echoes behind the IP header that it travelled with: transport mode."""
    for sender, word in (("left", "echo-request"), ("right", "echo-reply")):
        sent = [entry for entry in ladder.protected(sender, protocol) if f"ICMP {word} " in entry.get("inner", "")]
        wrapped = [e for e in sent if f" {word} {_host(e['src'])} -> {_host(e['dst'])} " not in e["inner"]]
        assert not wrapped, f"not transport mode: from {wrapped[0]['src']} came {wrapped[0]['inner']}"
        assert len(sent) >= sum(counts) > 0, (
            f"{len(sent)} {protocol} packets of {sender} hold an {word}, not {sum(counts)}"
        )


def _host(place: str) -> str:
    """The address of a place of the ladder, which has a port where the packet was in UDP."""
    return place.rpartition(":")[0] if place.count(":") == 1 else place


def every_icv(frames: Sequence[Frame], keys: Keys) -> int:
    """Every packet of AH at every capture point has the ICV that its key gives; how many there were."""
    keyring = Keyring(keys)
    found = [sighting for sighting in sightings(frames) if sighting.kind == "ah"]
    for sighting in found:
        right = keyring.vouches(sighting.body[4:8].hex(), sighting.packet)
        assert right, f"{sighting.point} saw AH {sighting.src} -> {sighting.dst} whose ICV is not that of its key"
    return len(found)


def no_open_echo(frames: Sequence[Frame]) -> None:
    """No echo request or reply was readable on any link outside the protected networks; see `no_plaintext`."""
    for frame in frames:
        inside = frame.node in INSIDE or (frame.node in GATEWAYS and frame.point.endswith(":lan"))
        if inside or (frame.node in GATEWAYS and frame.direction == Direction.INBOUND):
            continue
        ip = packet(frame)
        echo = ip is not None and ip.protocol == ICMP and ip.payload[:1] in (b"\0", b"\x08")
        assert not echo, f"{frame.point} saw an echo {ip and ip.src} -> {ip and ip.dst} unprotected"


def no_plaintext(frames: Sequence[Frame], inner: Iterable[str], gateways: Sequence[str] = GATEWAYS) -> None:
    """Nothing with an inner address travelled in the open on a link outside the protected networks.

    Linux shows a packet that it took out of ESP once more at the interface it came in by; on the wire it never was.
    So a gateway's own tap counts only for what leaves there; what arrives was seen leaving at the link's other end.
    """
    addresses = set(inner)
    for frame in frames:
        inside = frame.node in INSIDE or (frame.node in gateways and frame.point.endswith(":lan"))
        if inside or (frame.node in gateways and frame.direction == Direction.INBOUND):
            continue
        ip = packet(frame)
        seen = ip is not None and {str(ip.src), str(ip.dst)} & addresses
        assert not seen, f"{frame.point} saw {ip and ip.src} -> {ip and ip.dst} unprotected"


def same_view(left: Sequence[dict[str, Any]], right: Sequence[dict[str, Any]]) -> None:
    """Both peers list the same SAs, with the directions crossed; half-open ones are nobody's claim."""
    left, right = ([sa for sa in sas if sa["state"] == "ESTABLISHED"] for sas in (left, right))
    ours = sorted((child["spi_in"], child["spi_out"], child["encr"]) for sa in left for child in sa["children"])
    theirs = sorted((child["spi_out"], child["spi_in"], child["encr"]) for sa in right for child in sa["children"])
    assert ours == theirs, f"the peers list different CHILD SAs: {ours} and {theirs}"
    spis = [sorted((sa["spi_i"], sa["spi_r"]) for sa in sas) for sas in (left, right)]
    assert spis[0] == spis[1], f"the peers list different IKE SAs: {spis[0]} and {spis[1]}"


def schedule(entries: Sequence[Entry], wanted: Sequence[float], tolerance: float) -> None:
    """Equal datagrams were sent at these times after the first one, in seconds."""
    assert entries, "nothing was sent"
    start = entries[0]["t_sent"]
    times = [entry["t_sent"] - start for entry in entries]
    shown = ", ".join(f"{time:.3f}" for time in times)
    assert len(times) == len(wanted), f"sent {len(times)} times, not {len(wanted)}: at {shown} s"
    off = [time for time, due in zip(times, wanted, strict=True) if abs(time - due) > tolerance]
    assert not off, f"sent at {shown} s instead of {', '.join(f'{due:.3f}' for due in wanted)} s"
    copies = [entry for entry in entries[1:] if entry["retransmit_of"] != entries[0]["n"]]
    assert not copies, f"a retransmission differs from its first datagram: {line(copies[0])}"
