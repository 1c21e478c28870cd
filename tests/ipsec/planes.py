"""Data planes for tests of trains: what the plain way and the fast one have in common."""

from hypothesis import strategies as st

from lab.ike.child import TO_THE_MTU, ChildSa, Limits
from lab.ike.path import Path
from lab.ipsec.batch import DeliverTrain, EspTrain
from lab.ipsec.dataplane import Dataplane, Deliver
from lab.trace import Trace
from lab.wire.payloads_v2 import TrafficSelector
from tests.ipsec.children import RIGHT, child, endless
from tests.ipsec.superpackets import taken_apart

PROPOSALS = (
    "aes128gcm16",
    "aes256gcm16",
    "chacha20poly1305",
    "aes128ccm16",
    "aes256ccm12",
    "aes128gcm8",
    "aes128-sha256",
    "aes256-sha512",
    "camellia256-sha384",
    "3des-aesxcbc",
    "aes128-aescmac",
    "aes128ctr-sha256",
)


BOTH = {
    "ts_local": tuple(map(TrafficSelector.of_network, ("10.1.0.0/24", "2001:db8:1::/64"))),
    "ts_remote": tuple(map(TrafficSelector.of_network, ("10.2.0.0/24", "2001:db8:2::/64"))),
}


AWAY = Path(RIGHT.local_host, 4500, "203.0.113.77", 1029)


def plane(sa: ChildSa, sequence: int = 0, top: int = 0, mtu: int = 1500) -> Dataplane:
    made = Dataplane(Trace(), endless())
    carrier = made.install(sa).carrier
    made.fit(sa.spi_in, mtu, 28)
    carrier.outgoing.sequence, carrier.incoming.window.top = sequence, top
    return made


def one_by_one(actions: list[object]) -> list[object]:
    """Trains taken apart into the actions that the plain way has."""
    out: list[object] = []
    for action in actions:
        match action:
            case EspTrain():
                out += action.packets()
            case DeliverTrain(front=front, payload=payload, count=count):
                packets = taken_apart(front + payload)
                assert len(packets) == count
                out += map(Deliver, packets)
            case _:
                out.append(action)
    return out


def state(plane: Dataplane) -> tuple[object, ...]:
    association = plane.association(plane.children()[0].spi_in)
    outgoing, incoming = association.carrier.outgoing, association.carrier.incoming
    window = incoming.window
    counted = plane.usage(), plane.carried(), plane.drops.counts
    return *counted, outgoing.sequence, window.top, window._bits, incoming.newest


children = st.builds(
    lambda proposal, esn, window, limits, df, fill: child(
        proposal, esn=esn, replay_window=window, limits=limits, copy_df=df, tfc_padding=fill, **BOTH
    ),
    st.sampled_from(PROPOSALS),
    st.booleans(),
    st.sampled_from((64, 1024)),
    st.sampled_from(
        (Limits(), Limits(rekey_packets=30), Limits(life_packets=40), Limits(rekey_bytes=9000, life_bytes=40000))
    ),
    st.sampled_from(("yes", "no", "set")),
    st.sampled_from((0, 700, TO_THE_MTU)),
)


starts = st.sampled_from((0, 17, 2**32 - 20, 2**32 - 1))


ORDINARY = {"payload": bytes(9000)}
