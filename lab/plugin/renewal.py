"""Which SAs the two sides list, and whether one new SA has taken the place of another: what rekeying comes to.

Rules of this file: an SA is its pair of SPIs, as its own side lists it: an IKE SA's initiator's and responder's, a
CHILD SA's inbound and outbound one, which the other side lists the other way round.
"""

from typing import Literal

from lab.plugin.gateway import Gateway

What = Literal["ike", "child"]
Spis = set[tuple[str, str]]


def spis(gateway: Gateway, what: What) -> Spis:
    """A side's IKE SAs that are up, or its CHILD SAs that carry traffic."""
    if what == "ike":
        return {(sa["spi_i"], sa["spi_r"]) for sa in gateway.established()}
    return {(child["spi_in"], child["spi_out"]) for child in gateway.children()}


def alike(left: Gateway, right: Gateway, what: What) -> bool:
    """Whether both sides list the same SAs."""
    here, there = spis(left, what), spis(right, what)
    return here == (there if what == "ike" else {(one, other) for other, one in there})


def one_new(left: Gateway, right: Gateway, what: What, before: Spis) -> bool:
    """Whether both sides list one and the same SA, and it is none of those that the left one listed `before`."""
    now = spis(left, what)
    return len(now) == 1 and not now & before and alike(left, right, what)
