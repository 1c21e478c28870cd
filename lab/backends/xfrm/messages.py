"""Messages of NETLINK_XFRM, declared on pyroute2, which has none (Linux, include/uapi/linux/xfrm.h).

Rules of this file:
- A field is named as in the header file, without the prefix of its struct. Padding is written out: `_`.
- Addresses and SPIs are octets in network order, ports big-endian; everything else has the byte order of the machine.
- Attributes are octets. Those with a shape that we need have a `Part`, which packs and reads them.
"""

import struct
from collections.abc import Mapping
from typing import Any, ClassVar

from pyroute2.netlink import nlmsg

NETLINK_XFRM = 6
NEWSA, DELSA, GETSA, NEWPOLICY, DELPOLICY, GETPOLICY = 0x10, 0x11, 0x12, 0x13, 0x14, 0x15
ACQUIRE, EXPIRE, UPDPOLICY, UPDSA, GETSADINFO, MAPPING = 0x17, 0x18, 0x19, 0x1A, 0x23, 0x26
# Multicast groups as bits, for bind().
GROUP_ACQUIRE, GROUP_EXPIRE, GROUP_MAPPING = 1 << 0, 1 << 1, 1 << 7
IN, OUT, FWD = 0, 1, 2
TRANSPORT, TUNNEL = 0, 1
ALLOW = 0
STATE_NOPMTUDISC, STATE_AF_UNSPEC, STATE_ALIGN4, STATE_ESN = 4, 32, 64, 128
ENCAP_ESPINUDP = 2
UNLIMITED = 2**64 - 1
EVERY_ALGORITHM = 0xFFFFFFFF

Layout = tuple[tuple[str, "str | type[Part]"], ...]


class Part:
    """A struct inside a message, or an attribute; as a value it is a mapping, and what it leaves out is zero."""

    layout: ClassVar[Layout] = ()

    @classmethod
    def pack(cls, value: Mapping[str, Any]) -> bytes:
        """The octets of a value."""
        out = b""
        for name, shape in cls.layout:
            if not isinstance(shape, str):
                out += shape.pack(value.get(name, {}))
            elif shape.endswith("x"):
                out += struct.pack(shape)
            else:
                out += struct.pack(shape, value.get(name, b"" if shape.endswith("s") else 0))
        return out

    @classmethod
    def size(cls) -> int:
        """Octets of the struct."""
        return sum(struct.calcsize(s) if isinstance(s, str) else s.size() for _, s in cls.layout)

    @classmethod
    def read(cls, data: bytes, offset: int = 0) -> dict[str, Any]:
        """The value that stands there."""
        found: dict[str, Any] = {}
        for name, shape in cls.layout:
            if not isinstance(shape, str):
                found[name] = shape.read(data, offset)
                offset += shape.size()
                continue
            if not shape.endswith("x"):
                (found[name],) = struct.unpack_from(shape, data, offset)
            offset += struct.calcsize(shape)
        return found

    # What pyroute2 asks of a field that is a type:

    @classmethod
    def encode_into(cls, data: bytearray, offset: int, value: Mapping[str, Any] | int) -> int:
        """Append the value, 0 standing for all zeroes; the offset behind it."""
        data.extend(cls.pack({} if isinstance(value, int) else value))
        return offset + cls.size()

    @classmethod
    def decode_from(cls, data: bytes, offset: int) -> tuple[dict[str, Any], int]:
        """The value, and the offset behind it."""
        return cls.read(data, offset), offset + cls.size()


class Selector(Part):
    """struct xfrm_selector."""

    layout = (
        *(("daddr", "16s"), ("saddr", "16s")),
        *(("dport", ">H"), ("dport_mask", ">H"), ("sport", ">H"), ("sport_mask", ">H")),
        *(("family", "=H"), ("prefixlen_d", "B"), ("prefixlen_s", "B"), ("proto", "B"), ("_", "3x")),
        *(("ifindex", "=i"), ("user", "=I")),
    )


class Id(Part):
    """struct xfrm_id."""

    layout = (("daddr", "16s"), ("spi", "4s"), ("proto", "B"), ("_", "3x"))


class Limits(Part):
    """struct xfrm_lifetime_cfg."""

    layout = tuple(
        (f"{kind}_{of}", "=Q")
        for kind, of in (
            *(("soft", "byte_limit"), ("hard", "byte_limit"), ("soft", "packet_limit"), ("hard", "packet_limit")),
            *(("soft", "add_expires_seconds"), ("hard", "add_expires_seconds")),
            *(("soft", "use_expires_seconds"), ("hard", "use_expires_seconds")),
        )
    )


class Counted(Part):
    """struct xfrm_lifetime_cur, also the attribute XFRMA_LTIME_VAL; times are seconds since 1970."""

    layout = (("bytes", "=Q"), ("packets", "=Q"), ("add_time", "=Q"), ("use_time", "=Q"))


class Stats(Part):
    """struct xfrm_stats."""

    layout = (("replay_window", "=I"), ("replay", "=I"), ("integrity_failed", "=I"))


class SaInfo(Part):
    """struct xfrm_usersa_info."""

    layout = (
        *(("sel", Selector), ("id", Id), ("saddr", "16s"), ("lft", Limits), ("curlft", Counted), ("stats", Stats)),
        *(("seq", "=I"), ("reqid", "=I"), ("family", "=H"), ("mode", "B"), ("replay_window", "B"), ("flags", "B")),
        ("_", "7x"),
    )


class SaId(Part):
    """struct xfrm_usersa_id."""

    layout = (("daddr", "16s"), ("spi", "4s"), ("family", "=H"), ("proto", "B"), ("_", "x"))


class PolicyInfo(Part):
    """struct xfrm_userpolicy_info."""

    layout = (
        *(("sel", Selector), ("lft", Limits), ("curlft", Counted), ("priority", "=I"), ("index", "=I")),
        *(("dir", "B"), ("action", "B"), ("flags", "B"), ("share", "B"), ("_", "4x")),
    )


class PolicyId(Part):
    """struct xfrm_userpolicy_id."""

    layout = (("sel", Selector), ("index", "=I"), ("dir", "B"), ("_", "3x"))


class Template(Part):
    """struct xfrm_user_tmpl: the attribute XFRMA_TMPL holds one or more."""

    layout = (
        *(("id", Id), ("family", "=H"), ("_", "2x"), ("saddr", "16s"), ("reqid", "=I"), ("mode", "B"), ("share", "B")),
        *(("optional", "B"), ("_", "x"), ("aalgos", "=I"), ("ealgos", "=I"), ("calgos", "=I")),
    )


class Encap(Part):
    """struct xfrm_encap_tmpl: the attribute XFRMA_ENCAP."""

    layout = (("encap_type", "=H"), ("encap_sport", ">H"), ("encap_dport", ">H"), ("_", "2x"), ("encap_oa", "16s"))


class Crypt(Part):
    """struct xfrm_algo before its key: the attribute XFRMA_ALG_CRYPT."""

    layout = (("alg_name", "64s"), ("alg_key_len", "=I"))


class Authentic(Part):
    """struct xfrm_algo_auth before its key (XFRMA_ALG_AUTH_TRUNC); struct xfrm_algo_aead (XFRMA_ALG_AEAD) is alike."""

    layout = (("alg_name", "64s"), ("alg_key_len", "=I"), ("icv_len", "=I"))


class ReplayEsn(Part):
    """struct xfrm_replay_state_esn before its bitmap: the attribute XFRMA_REPLAY_ESN_VAL; `bmp_len` counts words."""

    layout = (
        *(("bmp_len", "=I"), ("oseq", "=I"), ("seq", "=I"), ("oseq_hi", "=I"), ("seq_hi", "=I")),
        ("replay_window", "=I"),
    )


class Replay(Part):
    """struct xfrm_replay_state: the attribute XFRMA_REPLAY_VAL."""

    layout = (("oseq", "=I"), ("seq", "=I"), ("bitmap", "=I"))


class XfrmMessage(nlmsg):  # type: ignore[misc]  # pyroute2 has no types
    """A message with the attributes that all of them share."""

    nla_map: ClassVar[tuple[tuple[str, str], ...]] = (
        *(("XFRMA_UNSPEC", "none"), ("XFRMA_ALG_AUTH", "cdata"), ("XFRMA_ALG_CRYPT", "cdata")),
        *(("XFRMA_ALG_COMP", "cdata"), ("XFRMA_ENCAP", "cdata"), ("XFRMA_TMPL", "cdata"), ("XFRMA_SA", "cdata")),
        *(("XFRMA_POLICY", "cdata"), ("XFRMA_SEC_CTX", "cdata"), ("XFRMA_LTIME_VAL", "cdata")),
        *(("XFRMA_REPLAY_VAL", "cdata"), ("XFRMA_REPLAY_THRESH", "cdata"), ("XFRMA_ETIMER_THRESH", "cdata")),
        *(("XFRMA_SRCADDR", "cdata"), ("XFRMA_COADDR", "cdata"), ("XFRMA_LASTUSED", "cdata")),
        *(("XFRMA_POLICY_TYPE", "cdata"), ("XFRMA_MIGRATE", "cdata"), ("XFRMA_ALG_AEAD", "cdata")),
        *(("XFRMA_KMADDRESS", "cdata"), ("XFRMA_ALG_AUTH_TRUNC", "cdata"), ("XFRMA_MARK", "cdata")),
        *(("XFRMA_TFCPAD", "cdata"), ("XFRMA_REPLAY_ESN_VAL", "cdata"), ("XFRMA_SA_EXTRA_FLAGS", "cdata")),
        *(("XFRMA_PROTO", "cdata"), ("XFRMA_ADDRESS_FILTER", "cdata"), ("XFRMA_PAD", "cdata")),
        *(("XFRMA_OFFLOAD_DEV", "cdata"), ("XFRMA_SET_MARK", "cdata"), ("XFRMA_SET_MARK_MASK", "cdata")),
        *(("XFRMA_IF_ID", "cdata"), ("XFRMA_MTIMER_THRESH", "cdata"), ("XFRMA_SA_DIR", "cdata")),
    )


class NewSa(XfrmMessage):
    """XFRM_MSG_NEWSA and XFRM_MSG_UPDSA; also what XFRM_MSG_GETSA answers."""

    fields = SaInfo.layout


class SaKey(XfrmMessage):
    """XFRM_MSG_DELSA and XFRM_MSG_GETSA."""

    fields = SaId.layout


class NewPolicy(XfrmMessage):
    """XFRM_MSG_NEWPOLICY and XFRM_MSG_UPDPOLICY; also what XFRM_MSG_GETPOLICY answers."""

    fields = PolicyInfo.layout


class PolicyKey(XfrmMessage):
    """XFRM_MSG_DELPOLICY and XFRM_MSG_GETPOLICY."""

    fields = PolicyId.layout


class Wanted(XfrmMessage):
    """XFRM_MSG_ACQUIRE (struct xfrm_user_acquire): a packet needs an SA that is not there."""

    fields = (
        *(("id", Id), ("saddr", "16s"), ("sel", Selector), ("policy", PolicyInfo)),
        *(("aalgos", "=I"), ("ealgos", "=I"), ("calgos", "=I"), ("seq", "=I")),
    )


class Expiry(XfrmMessage):
    """XFRM_MSG_EXPIRE (struct xfrm_user_expire)."""

    fields = (("state", SaInfo), ("hard", "B"), ("_", "7x"))


class Mapping_(XfrmMessage):
    """XFRM_MSG_MAPPING (struct xfrm_user_mapping): an authentic packet came from another address or port."""

    fields = (
        *(("id", SaId), ("reqid", "=I"), ("old_saddr", "16s"), ("new_saddr", "16s")),
        *(("old_sport", ">H"), ("new_sport", ">H")),
    )


class Nothing(XfrmMessage):
    """XFRM_MSG_GETSADINFO: only flags, which are not used."""

    fields = (("flags", "=I"),)
    nla_map: ClassVar[tuple[tuple[str, str], ...]] = ()


NOTIFICATIONS: dict[int, type[XfrmMessage]] = {ACQUIRE: Wanted, EXPIRE: Expiry, MAPPING: Mapping_}
