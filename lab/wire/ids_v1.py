"""The IANA numbers of ISAKMP, the IPsec DOI and IKEv1 as open enums (RFC 2407, 2408, 2409 and the registries since)."""

from enum import IntFlag

from lab.wire.ids import OpenEnum

DOI_IPSEC = 1
SIT_IDENTITY_ONLY = 1


class PayloadType1(OpenEnum):
    """ISAKMP payload types (RFC 2408 3.1, RFC 3947; the last two are those of its drafts)."""

    NONE = 0
    SA = 1
    P = 2
    T = 3
    KE = 4
    ID = 5
    CERT = 6
    CR = 7
    HASH = 8
    SIG = 9
    NONCE = 10
    N = 11
    D = 12
    VID = 13
    ATTR = 14
    NAT_D = 20
    NAT_OA = 21
    NAT_D_DRAFT = 130
    NAT_OA_DRAFT = 131


class ExchangeType1(OpenEnum):
    """ISAKMP exchange types (RFC 2408 3.1, RFC 2409 appendix A); Main Mode is the Identity Protection exchange."""

    MAIN_MODE = 2
    AUTHENTICATION_ONLY = 3
    AGGRESSIVE_MODE = 4
    INFORMATIONAL = 5
    TRANSACTION = 6
    QUICK_MODE = 32
    NEW_GROUP_MODE = 33


class Flag1(IntFlag):
    """Header flags (RFC 2408 3.1)."""

    ENCRYPTION = 0x01
    COMMIT = 0x02
    AUTHENTICATION_ONLY = 0x04


class Protocol1(OpenEnum):
    """Security protocols of the IPsec DOI (RFC 2407 4.4.1)."""

    NONE = 0
    ISAKMP = 1
    AH = 2
    ESP = 3
    IPCOMP = 4


class TransformId1(OpenEnum):
    """Transform IDs; what they mean depends on the protocol (RFC 2407 4.4.2 to 4.4.4)."""

    NONE = 0
    KEY_IKE = 1


class Attribute1(OpenEnum):
    """Attribute types; the registry depends on the protocol, and these classes on which is meant."""

    NONE = 0


class Phase1(OpenEnum):
    """Attributes of an ISAKMP transform (RFC 2409 appendix A)."""

    ENCRYPTION = 1
    HASH = 2
    AUTHENTICATION = 3
    GROUP = 4
    LIFE_TYPE = 11
    LIFE_DURATION = 12
    PRF = 13
    KEY_LENGTH = 14


class Phase2(OpenEnum):
    """Attributes of an AH or ESP transform (RFC 2407 4.5, RFC 4304)."""

    LIFE_TYPE = 1
    LIFE_DURATION = 2
    GROUP = 3
    MODE = 4
    AUTHENTICATION = 5
    KEY_LENGTH = 6
    ESN = 11


class LifeType(OpenEnum):
    """What a lifetime counts."""

    SECONDS = 1
    KILOBYTES = 2


class Mode1(OpenEnum):
    """Encapsulation modes (RFC 2407 4.5, RFC 3947 5.1; the last two are those of its drafts)."""

    TUNNEL = 1
    TRANSPORT = 2
    UDP_TUNNEL = 3
    UDP_TRANSPORT = 4
    UDP_TUNNEL_DRAFT = 61443
    UDP_TRANSPORT_DRAFT = 61444


class AuthMethod1(OpenEnum):
    """Authentication methods (RFC 2409 appendix A, RFC 4754, draft-ietf-ipsec-isakmp-xauth, -hybrid-auth)."""

    PRE_SHARED_KEY = 1
    DSS_SIGNATURE = 2
    RSA_SIGNATURE = 3
    ECDSA_256 = 9
    ECDSA_384 = 10
    ECDSA_521 = 11
    HYBRID_INIT_RSA = 64221
    HYBRID_RESP_RSA = 64222
    XAUTH_INIT_PRE_SHARED = 65001
    XAUTH_RESP_PRE_SHARED = 65002
    XAUTH_INIT_RSA = 65005
    XAUTH_RESP_RSA = 65006


class IdType1(OpenEnum):
    """Identification types (RFC 2407 4.6.2.1); single addresses and names have the numbers of IKEv2."""

    ID_IPV4_ADDR = 1
    ID_FQDN = 2
    ID_USER_FQDN = 3
    ID_IPV4_ADDR_SUBNET = 4
    ID_IPV6_ADDR = 5
    ID_IPV6_ADDR_SUBNET = 6
    ID_IPV4_ADDR_RANGE = 7
    ID_IPV6_ADDR_RANGE = 8
    ID_DER_ASN1_DN = 9
    ID_DER_ASN1_GN = 10
    ID_KEY_ID = 11


class NotifyType1(OpenEnum):
    """Notify message types (RFC 2408 3.14.1, RFC 2407 4.6.3, RFC 3706)."""

    INVALID_PAYLOAD_TYPE = 1
    DOI_NOT_SUPPORTED = 2
    SITUATION_NOT_SUPPORTED = 3
    INVALID_COOKIE = 4
    INVALID_MAJOR_VERSION = 5
    INVALID_MINOR_VERSION = 6
    INVALID_EXCHANGE_TYPE = 7
    INVALID_FLAGS = 8
    INVALID_MESSAGE_ID = 9
    INVALID_PROTOCOL_ID = 10
    INVALID_SPI = 11
    INVALID_TRANSFORM_ID = 12
    ATTRIBUTES_NOT_SUPPORTED = 13
    NO_PROPOSAL_CHOSEN = 14
    BAD_PROPOSAL_SYNTAX = 15
    PAYLOAD_MALFORMED = 16
    INVALID_KEY_INFORMATION = 17
    INVALID_ID_INFORMATION = 18
    INVALID_CERT_ENCODING = 19
    INVALID_CERTIFICATE = 20
    CERT_TYPE_UNSUPPORTED = 21
    INVALID_CERT_AUTHORITY = 22
    INVALID_HASH_INFORMATION = 23
    AUTHENTICATION_FAILED = 24
    INVALID_SIGNATURE = 25
    ADDRESS_NOTIFICATION = 26
    NOTIFY_SA_LIFETIME = 27
    CERTIFICATE_UNAVAILABLE = 28
    UNSUPPORTED_EXCHANGE_TYPE = 29
    UNEQUAL_PAYLOAD_LENGTHS = 30
    CONNECTED = 16384
    RESPONDER_LIFETIME = 24576
    REPLAY_STATUS = 24577
    INITIAL_CONTACT = 24578
    R_U_THERE = 36136
    R_U_THERE_ACK = 36137

    @property
    def is_error(self) -> bool:
        """Whether this type reports an error (RFC 2408 3.14.1)."""
        return self.value < 16384


class CfgType1(OpenEnum):
    """Types of an Attribute payload (draft-ietf-ipsec-isakmp-mode-cfg)."""

    CFG_REQUEST = 1
    CFG_REPLY = 2
    CFG_SET = 3
    CFG_ACK = 4


class Xauth1(OpenEnum):
    """Attributes of XAUTH (draft-ietf-ipsec-isakmp-xauth-06 6.2); those of Mode Config have the numbers of IKEv2."""

    XAUTH_TYPE = 16520
    XAUTH_USER_NAME = 16521
    XAUTH_USER_PASSWORD = 16522
    XAUTH_PASSCODE = 16523
    XAUTH_MESSAGE = 16524
    XAUTH_CHALLENGE = 16525
    XAUTH_DOMAIN = 16526
    XAUTH_STATUS = 16527
    XAUTH_NEXT_PIN = 16528
    XAUTH_ANSWER = 16529
