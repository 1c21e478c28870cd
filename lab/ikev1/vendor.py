"""Vendor IDs: how IKEv1 announces what it can do beyond RFC 2409 (RFC 3947 3.1, RFC 3706 5.1).

NAT traversal came in drafts that number payloads and encapsulation modes otherwise; the peer's announcements say which
numbers it understands, and of those the RFC's go first. Old equipment knows a draft alone; `nat_t_documents` makes us
such a peer.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from lab.ike.config import Settings
from lab.wire.ids_v1 import Mode1, PayloadType1
from lab.wire.payloads_v1 import VendorId1

RFC_3947 = bytes.fromhex("4a131c81070358455c5728f20e95452f")  # MD5 of "RFC 3947"
DRAFT_03 = bytes.fromhex("7d9419a65310ca6f2c179d9215529d56")  # MD5 of "draft-ietf-ipsec-nat-t-ike-03"
DRAFT_02 = bytes.fromhex("cd60464335df21f87cfdb2fc68b6a448")  # MD5 of "draft-ietf-ipsec-nat-t-ike-02"
DRAFT_02_N = bytes.fromhex("90cb80913ebb696e086381b5ec427b1f")  # the same with a newline behind it, as many send it
DPD = bytes.fromhex("afcad71368a1f1c96b8696fc77570100")  # RFC 3706, version 1.0
XAUTH = bytes.fromhex("09002689dfd6b712")  # draft-ietf-ipsec-isakmp-xauth-06
_DOCUMENTS = {"rfc3947": (RFC_3947,), "draft-03": (DRAFT_03,), "draft-02": (DRAFT_02_N, DRAFT_02)}


@dataclass(frozen=True, slots=True)
class NatNumbers:
    """How one document numbers what NAT traversal needs."""

    vendor: bytes
    nat_d: PayloadType1
    nat_oa: PayloadType1
    tunnel: Mode1
    transport: Mode1


RFC = NatNumbers(RFC_3947, PayloadType1.NAT_D, PayloadType1.NAT_OA, Mode1.UDP_TUNNEL, Mode1.UDP_TRANSPORT)


def nat_t(settings: Settings) -> tuple[bytes, ...]:
    """The vendor IDs of the documents on NAT traversal that we go by, the first choice in front."""
    named = settings.nat_t_documents if settings.nat_traversal else ()
    return tuple(vendor for name in named for vendor in _DOCUMENTS[name])


def announcements(settings: Settings, *, xauth: bool = False) -> tuple[VendorId1, ...]:
    """What an initiator says of itself; that it knows XAUTH only where one side is to prove itself so."""
    return tuple(VendorId1(one) for one in (*nat_t(settings), DPD, *((XAUTH,) if xauth else ())))


def answer(heard: NatNumbers | None, *, xauth: bool = False) -> tuple[VendorId1, ...]:
    """What a responder says: of NAT traversal just the one that is going to be used (RFC 3947 3.1)."""
    return tuple(VendorId1(one) for one in ((heard.vendor,) if heard else ()) + (DPD, *((XAUTH,) if xauth else ())))


def nat_numbers(settings: Settings, vendors: Iterable[VendorId1]) -> NatNumbers | None:
    """The numbers to use with a peer that announced these; None where both sides have no document in common."""
    said = {one.data for one in vendors}
    vendor = next((one for one in nat_t(settings) if one in said), None)
    if vendor is None or vendor == RFC_3947:
        return RFC if vendor else None
    draft = PayloadType1.NAT_D_DRAFT, PayloadType1.NAT_OA_DRAFT
    return NatNumbers(vendor, *draft, Mode1.UDP_TUNNEL_DRAFT, Mode1.UDP_TRANSPORT_DRAFT)


def speaks_dpd(vendors: Iterable[VendorId1]) -> bool:
    """Whether the peer answers R-U-THERE."""
    return any(one.data == DPD for one in vendors)
