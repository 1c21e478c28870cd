"""Payloads and messages for the codec tests of IKEv1, one of each."""

from lab.wire.header import Header
from lab.wire.ids import CertEncoding
from lab.wire.ids_v1 import (
    Attribute1,
    AuthMethod1,
    CfgType1,
    ExchangeType1,
    IdType1,
    LifeType,
    NotifyType1,
    PayloadType1,
    Phase1,
    Phase2,
    Protocol1,
    TransformId1,
)
from lab.wire.message_v1 import Message1, Payload1, encode_chain, header
from lab.wire.payloads_v1 import (
    ID1,
    KE1,
    SA1,
    Attribute,
    Attributes1,
    Cert1,
    CertReq1,
    Delete1,
    Hash1,
    NatD,
    NatOa,
    Nonce1,
    Notify1,
    Proposal1,
    Sig1,
    Transform1,
    Unknown1,
    VendorId1,
)

COOKIES = (b"initiato", b"responde")
PHASE1 = Proposal1(
    1,
    Protocol1.ISAKMP,
    b"",
    (
        Transform1(
            1,
            TransformId1.KEY_IKE,
            (
                Attribute.of(Phase1.ENCRYPTION, 7),
                Attribute.of(Phase1.KEY_LENGTH, 256),
                Attribute.of(Phase1.HASH, 4),
                Attribute.of(Phase1.AUTHENTICATION, AuthMethod1.PRE_SHARED_KEY),
                Attribute.of(Phase1.GROUP, 19),
                Attribute.of(Phase1.LIFE_TYPE, LifeType.SECONDS),
                Attribute.of(Phase1.LIFE_DURATION, 86400),
            ),
        ),
        Transform1(2, TransformId1.KEY_IKE, (Attribute.of(Phase1.LIFE_DURATION, 3600),)),
    ),
)
PHASE2 = Proposal1(
    1,
    Protocol1.ESP,
    b"\xc0\xff\xee\x01",
    (Transform1(1, TransformId1(12), (Attribute.of(Phase2.MODE, 1), Attribute(Attribute1(9999), b"odd"))),),
)
PAYLOADS: tuple[Payload1, ...] = (
    SA1((PHASE1,)),
    SA1((PHASE2, PHASE2)),
    KE1(bytes(range(64))),
    ID1(IdType1.ID_FQDN, b"left.example"),
    ID1(IdType1.ID_IPV4_ADDR_SUBNET, bytes([10, 1, 0, 0, 255, 255, 255, 0]), 17, 500),
    Cert1(CertEncoding.X509_SIGNATURE, b"certificate"),
    CertReq1(CertEncoding.X509_SIGNATURE, b"name of a CA"),
    Hash1(bytes(32)),
    Sig1(bytes(256)),
    Nonce1(bytes(range(16))),
    Notify1(NotifyType1.R_U_THERE, b"\0\0\0\1", spi=b"".join(COOKIES)),
    Delete1(Protocol1.ESP, (b"spi1", b"spi2")),
    Delete1(Protocol1.ISAKMP, (b"".join(COOKIES),)),
    VendorId1(b"ikelab"),
    Attributes1(CfgType1.CFG_REQUEST, 7, (Attribute(Attribute1(1), b""), Attribute.of(16521, 1))),
    NatD(bytes(20)),
    NatD(bytes(20), PayloadType1.NAT_D_DRAFT),
    NatOa(IdType1.ID_IPV4_ADDR, bytes([192, 0, 2, 1])),
    NatOa(IdType1.ID_IPV6_ADDR, bytes(16), PayloadType1.NAT_OA_DRAFT),
    Unknown1(PayloadType1(99), b"future"),
)


def message(*payloads: Payload1, exchange: ExchangeType1 = ExchangeType1.MAIN_MODE, message_id: int = 0) -> bytes:
    chain = encode_chain(payloads)
    front: Header = header(COOKIES, exchange, payloads, message_id=message_id, length=len(chain))
    return front.encode() + chain


def decoded(*payloads: Payload1) -> Message1:
    return Message1.decode(message(*payloads))
