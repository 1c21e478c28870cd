"""Traffic selectors offered, and what became of them."""

from lab.report import selectors
from tests.report.trees import Talk, node, notify, sealed, ts

ALL = ("0", "0", "65535")
LEFT, RIGHT = (*ALL, "10.1.0.0", "10.1.0.255"), (*ALL, "10.2.0.0", "10.2.0.255")


def became(talk: Talk) -> list[tuple[str, tuple[str, ...], tuple[str, ...], str]]:
    found = selectors.find(talk.messages, talk.details)
    return [(side.name, side.offered, side.answered, side.became) for one in found for side in one.sides]


def test_selectors_are_taken_narrowed_or_refused() -> None:
    talk = Talk()
    wide = (*ALL, "10.0.0.0", "10.255.255.255")
    # HDR, SK {TSi, TSr} -->
    talk.ike("IKE_AUTH", sealed(ts("TSi", LEFT), ts("TSr", wide)), mid=1)
    # <-- HDR, SK {TSi, TSr}
    talk.ike("IKE_AUTH", sealed(ts("TSi", LEFT), ts("TSr", RIGHT)), mid=1, by="right")
    talk.ike("CREATE_CHILD_SA", sealed(ts("TSi", LEFT), ts("TSr", wide)), mid=2)
    talk.ike("CREATE_CHILD_SA", sealed(notify("TS_UNACCEPTABLE")), mid=2, by="right")
    assert became(talk) == [
        ("TSi", ("10.1.0.0/24",), ("10.1.0.0/24",), "as offered"),
        ("TSr", ("10.0.0.0/8",), ("10.2.0.0/24",), "narrowed"),
        ("TSi", ("10.1.0.0/24",), (), "refused: TS_UNACCEPTABLE"),
        ("TSr", ("10.0.0.0/8",), (), "refused: TS_UNACCEPTABLE"),
    ]


def test_protocol_and_ports_stand_beside_the_addresses() -> None:
    talk = Talk()
    odd = [("17", "500", "500", "10.1.0.1", "10.1.0.1"), ("0", "65535", "0", "10.1.0.1", "10.1.0.6"),
           ("6", "1", "9", "fd00::", "fd00::ff"), (*ALL, "rubbish", "10.0.0.1")]  # fmt: skip
    talk.ike("IKE_AUTH", ts("TSi", *odd), ts("TSr", LEFT), mid=1)
    assert became(talk)[0][1:] == (
        ("10.1.0.1/32 [udp/500]", "10.1.0.1 - 10.1.0.6 [any/opaque]", "fd00::/120 [tcp/1-9]", "rubbish - 10.0.0.1"),
        (),
        "no answer",
    )


def test_the_identities_of_quick_mode_are_its_selectors() -> None:
    def identity(value: str) -> dict[str, object]:
        parts = {"ID type": "ID_IPV4_ADDR_SUBNET (4)", "IP protocol": "0", "Port": "0", "Identification": value}
        return node("ID", "", [node(name, text) for name, text in parts.items()], "2407 4.6.2")

    talk = Talk()
    for by in ("left", "right"):
        both = identity("10.1.0.0 255.255.255.0"), identity("10.2.0.0 255.255.0.0")
        talk.ike("Quick Mode", *both, mid=7, by=by, v1=True)
    assert [row[0:2] for row in became(talk)] == [("IDci", ("10.1.0.0/24",)), ("IDcr", ("10.2.0.0/16",))]
