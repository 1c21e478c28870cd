"""The structs inside the messages of NETLINK_XFRM (Linux, include/uapi/linux/xfrm.h), packed and read.

Rules of this file:
- A field is named as in the header file, without the prefix of its struct. Padding is written out: `_`.
- Addresses and SPIs are octets in network order, ports big-endian; everything else has the byte order of the machine.
"""

import struct
from collections.abc import Mapping
from typing import Any, ClassVar

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


class Migration(Part):
    """struct xfrm_user_migrate: the attribute XFRMA_MIGRATE holds one for each template."""

    layout = (
        *(("old_daddr", "16s"), ("old_saddr", "16s"), ("new_daddr", "16s"), ("new_saddr", "16s")),
        *(("proto", "B"), ("mode", "B"), ("_", "2x"), ("reqid", "=I"), ("old_family", "=H"), ("new_family", "=H")),
    )
