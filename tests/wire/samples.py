"""Messages for the codec tests, one of each payload."""

from lab.wire.header import Header
from lab.wire.ids import (
    AttributeType,
    AuthMethod,
    CertEncoding,
    CfgAttribute,
    CfgType,
    Encr,
    Esn,
    ExchangeType,
    Flag,
    IdType,
    Integ,
    KeMethod,
    NotifyType,
    PayloadType,
    Prf,
    ProtocolId,
    TransformType,
)
from lab.wire.message import Message
from lab.wire.payloads import Payload
from lab.wire.payloads_v2 import (
    CP,
    EAP,
    ID,
    KE,
    SA,
    TS,
    Attribute,
    Auth,
    Cert,
    CertReq,
    Delete,
    Nonce,
    Notify,
    Proposal,
    TrafficSelector,
    Transform,
    Unknown,
    VendorId,
)

IKE_PROPOSAL = Proposal(
    1,
    ProtocolId.IKE,
    b"",
    (
        Transform(TransformType.ENCR, Encr.ENCR_AES_CBC, 256),
        Transform(TransformType.INTEG, Integ.AUTH_HMAC_SHA2_256_128),
        Transform(TransformType.PRF, Prf.PRF_HMAC_SHA2_256),
        Transform(TransformType.KE, KeMethod.CURVE25519),
    ),
)
ESP_PROPOSAL = Proposal(
    1,
    ProtocolId.ESP,
    b"\xc0\xff\xee\x01",
    (
        Transform(TransformType.ENCR, Encr.ENCR_AES_GCM_16, 128, (Attribute(AttributeType(4242), b"odd"),)),
        Transform(TransformType.ESN, Esn.NO_ESN),
        Transform(TransformType(200), Encr(9)),
    ),
)
PAYLOADS: tuple[Payload, ...] = (
    SA((IKE_PROPOSAL, ESP_PROPOSAL)),
    KE(KeMethod.CURVE25519, bytes(range(32))),
    ID(PayloadType.IDi, IdType.ID_FQDN, b"left.example", b"\1\2\3"),
    ID(PayloadType.IDr, IdType.ID_IPV4_ADDR, bytes(4)),
    Cert(CertEncoding.X509_SIGNATURE, b"certificate"),
    CertReq(CertEncoding.X509_SIGNATURE, bytes(20)),
    Auth(AuthMethod.SHARED_KEY, bytes(32)),
    Nonce(bytes(range(32))),
    Notify(NotifyType.COOKIE, b"cookie"),
    Notify(NotifyType.REKEY_SA, b"", ProtocolId.ESP, b"spi4"),
    Delete(ProtocolId.ESP, (b"spi1", b"spi2")),
    Delete(ProtocolId.IKE),
    VendorId(b"ikelab"),
    TS(PayloadType.TSi, (TrafficSelector.of_network("10.1.0.0/24"), TrafficSelector.of_network("::/0", 17, 500, 500))),
    TS(PayloadType.TSr, (), (b"\x0a\x00\x00\x08\1\2\3\4",)),
    CP(CfgType.CFG_REQUEST, ((CfgAttribute.INTERNAL_IP4_ADDRESS, b""), (CfgAttribute.INTERNAL_IP4_DNS, bytes(4)))),
    EAP(b"\1\2\0\4"),
    Unknown(PayloadType(99), True, b"future"),
)
SPI_I, SPI_R = b"initiato", b"responde"


def header(exchange: ExchangeType = ExchangeType.IKE_AUTH, *, response: bool = False, message_id: int = 1) -> Header:
    flags = Flag.RESPONSE if response else Flag.INITIATOR
    return Header(SPI_I, SPI_R, PayloadType.NONE, exchange, int(flags), message_id)


def message(*payloads: Payload, exchange: ExchangeType = ExchangeType.IKE_AUTH, encrypted: bool = True) -> Message:
    return Message(header(exchange), payloads, encrypted=encrypted)


def init_request() -> Message:
    payloads = (SA((IKE_PROPOSAL,)), PAYLOADS[1], PAYLOADS[7], Notify(NotifyType.NAT_DETECTION_SOURCE_IP, bytes(20)))
    return Message(header(ExchangeType.IKE_SA_INIT, message_id=0), payloads)
