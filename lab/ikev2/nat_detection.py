"""NAT detection in messages: the notifies that an IKE SA sends, and what those of the peer tell (RFC 7296 2.23).

IKE_SA_INIT carries them, and with MOBIKE any INFORMATIONAL message may (RFC 4555 3.5, 3.8). Both sides must speak of
it; with `nat_traversal = no` we do not, and go on as if the peer knew nothing of NATs.
"""

from lab.ike.nat import NatSituation, detect, nat_hash
from lab.ike.path import Path
from lab.ikev2.exchange import Payloads
from lab.ikev2.sa import Sa
from lab.wire.ids import NotifyType
from lab.wire.message import Message
from lab.wire.payloads_v2 import Notify


def notifies(sa: Sa, path: Path) -> Payloads:
    """The two notifies for a message along this path; with `encap = yes` a false source hash, so that the peer sees a
    NAT at our end.
    """
    if not sa.host.config.settings.nat_traversal:
        return ()
    port = 0 if sa.connection.encap else path.local_port
    source = nat_hash(sa.spi_i, sa.spi_r, path.local_host, port)
    destination = nat_hash(sa.spi_i, sa.spi_r, path.remote_host, path.remote_port)
    return (
        Notify(NotifyType.NAT_DETECTION_SOURCE_IP, source),
        Notify(NotifyType.NAT_DETECTION_DESTINATION_IP, destination),
    )


def situation(sa: Sa, message: Message, path: Path) -> NatSituation:
    """What a message that came along this path tells."""
    if not sa.host.config.settings.nat_traversal:
        return NatSituation()
    spis = (message.header.spi_i, message.header.spi_r)
    sources = [n.data for n in message.notifies(NotifyType.NAT_DETECTION_SOURCE_IP)]
    destinations = [n.data for n in message.notifies(NotifyType.NAT_DETECTION_DESTINATION_IP)]
    found = detect(spis, path, sources, destinations)
    if found.spoken and sa.connection.encap:
        return NatSituation(spoken=True, local=True, remote=found.remote)
    return found


def conclude(sa: Sa, answer: Message) -> None:
    """The initiator's look at the first answer: where NATs are, and which ports to go on with.

    Port 4500 from now on (RFC 7296 2.23), with a peer that spoke of NAT detection; with MOBIKE also without a NAT, so
    that none that comes later changes the ports (RFC 4555 3.3).
    """
    sa.nat = situation(sa, answer, sa.path)
    if sa.nat.detected or (sa.nat.spoken and sa.connection.mobike):
        sa.path = sa.path.floated()
