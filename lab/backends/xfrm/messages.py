"""Messages of NETLINK_XFRM, declared on pyroute2, which has none (Linux, include/uapi/linux/xfrm.h).

Rules of this file:
- What a message holds before its attributes is in `structs`, by the rules of that file.
- Attributes are octets. Those with a shape that we need have a struct too, which packs and reads them.
- Every message of the list is here, so that the tests can hold each beside what `ip xfrm` sends. The daemon flushes
  nothing, as not all is ours, and migrates nothing, as the kernel would begin the counters of the SA anew.
"""

from typing import ClassVar

from pyroute2.netlink import nlmsg

from lab.backends.xfrm.structs import Id, PolicyId, PolicyInfo, SaId, SaInfo, Selector

NETLINK_XFRM = 6
NEWSA, DELSA, GETSA, NEWPOLICY, DELPOLICY, GETPOLICY = 0x10, 0x11, 0x12, 0x13, 0x14, 0x15
ACQUIRE, EXPIRE, UPDPOLICY, UPDSA, FLUSHSA, FLUSHPOLICY = 0x17, 0x18, 0x19, 0x1A, 0x1C, 0x1D
MIGRATE, GETSADINFO, MAPPING = 0x21, 0x23, 0x26
# Multicast groups as bits, for bind().
GROUP_ACQUIRE, GROUP_EXPIRE, GROUP_MIGRATE, GROUP_MAPPING = 1 << 0, 1 << 1, 1 << 6, 1 << 7
IN, OUT, FWD = 0, 1, 2
TRANSPORT, TUNNEL = 0, 1
ALLOW = 0
STATE_NOPMTUDISC, STATE_AF_UNSPEC, STATE_ALIGN4, STATE_ESN = 4, 32, 64, 128
ENCAP_ESPINUDP = 2
UNLIMITED = 2**64 - 1
EVERY_ALGORITHM = 0xFFFFFFFF


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


class Migrate(XfrmMessage):
    """XFRM_MSG_MIGRATE: the policy, and as XFRMA_MIGRATE where its SAs go; the kernel tells others in the same form."""

    fields = PolicyId.layout


class FlushSas(XfrmMessage):
    """XFRM_MSG_FLUSHSA (struct xfrm_usersa_flush): all SAs of a protocol, 0 for any."""

    fields = (("proto", "B"),)


class FlushPolicies(XfrmMessage):
    """XFRM_MSG_FLUSHPOLICY: all policies."""


class Count(XfrmMessage):
    """XFRM_MSG_GETSADINFO: only flags, which no kernel looks at."""

    fields = (("flags", "=I"),)
    nla_map: ClassVar[tuple[tuple[str, str], ...]] = ()

    @classmethod
    def everything(cls) -> "Count":
        """All flags, as `ip xfrm state count` has them."""
        made = cls()
        made["flags"] = 2**32 - 1
        return made


NOTIFICATIONS: dict[int, type[XfrmMessage]] = {
    ACQUIRE: Wanted,
    EXPIRE: Expiry,
    MIGRATE: Migrate,
    MAPPING: Mapping_,
}
