"""States: the SAs of each direction, as messages, and those that we have put into the kernel.

Rules of this file:
- A state is added exclusively: where the kernel has one of the same address, SPI and protocol, that is not ours and
  stays.
- A state that moves keeps its counters and its replay state. Sequence numbers only jump forward: a number used twice
  under one key would give away an AEAD's secrets, a gap is nothing (RFC 4303 3.3.3, RFC 4106 2).
"""

import errno
import sys
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from lab.backends.xfrm.algorithms import CRYPT, attributes
from lab.backends.xfrm.link import Link, decoded
from lab.backends.xfrm.messages import (
    DELSA,
    ENCAP_ESPINUDP,
    GETSA,
    NEWSA,
    STATE_AF_UNSPEC,
    STATE_ALIGN4,
    STATE_ESN,
    STATE_NOPMTUDISC,
    TRANSPORT,
    TUNNEL,
    UNLIMITED,
    UPDSA,
    NewSa,
    SaKey,
)
from lab.backends.xfrm.record import Entry, Record
from lab.backends.xfrm.selectors import FAMILIES
from lab.backends.xfrm.structs import Counted, Crypt, Encap, Replay, ReplayEsn
from lab.errors import UnfitError
from lab.ike.child import TO_THE_MTU, ChildSa
from lab.ike.path import Path
from lab.wire.ids import Encr, ProtocolId

REQID = int.from_bytes(b"IK") << 16
MODES = {"tunnel": TUNNEL, "transport": TRANSPORT}
PROTOCOLS = {ProtocolId.ESP: 50, ProtocolId.AH: 51}  # from numbers of IKE to those of IP
WIDEST_OLD_WINDOW = 32  # wider ones, and ESN, need the newer replay state
LAST_SEQUENCE = 2**32 - 1
LARGEST = 65535  # octets of an IP packet
SKIPPED = 4096  # more than leave between asking for a sequence number and taking the state out
NO_LIMITS = {
    f"{kind}_{what}_limit": UNLIMITED for kind in ("soft", "hard") for what in ("byte", "packet")
}  # fmt: skip


def reqid(child: ChildSa) -> int:
    """The kernel's reqid of a child."""
    return REQID | child.reqid & 0xFFFF


def octets(host: str) -> bytes:
    """An address as xfrm_address_t."""
    return ip_address(host).packed


def family(host: str) -> int:
    """AF_INET or AF_INET6."""
    return FAMILIES[ip_address(host).version]


@dataclass(frozen=True, slots=True)
class Key:
    """What the kernel knows a state by, and what shows that it is ours: its source and reqid."""

    dst: str
    spi: bytes
    protocol: int
    src: str
    reqid: int

    def message(self) -> SaKey:
        """For XFRM_MSG_GETSA and XFRM_MSG_DELSA."""
        message = SaKey()
        message.update({"daddr": octets(self.dst), "spi": self.spi, "family": family(self.dst), "proto": self.protocol})
        message["attrs"] = [("XFRMA_SRCADDR", octets(self.src).ljust(16, bytes(1)))]
        return message

    def entry(self) -> Entry:
        """For the record."""
        return ("state", self.dst, self.spi.hex(), self.protocol, self.src, self.reqid)

    @classmethod
    def of_entry(cls, entry: Entry) -> "Key":
        """Back from the record."""
        _, dst, spi, protocol, src, number = entry
        return cls(str(dst), bytes.fromhex(str(spi)), int(str(protocol)), str(src), int(str(number)))


def key(child: ChildSa, path: Path, *, inbound: bool) -> Key:
    """The state of one direction of a child."""
    src, dst = (path.remote_host, path.local_host) if inbound else (path.local_host, path.remote_host)
    return Key(dst, child.spi_in if inbound else child.spi_out, PROTOCOLS[child.protocol], src, reqid(child))


def interface(if_id: int) -> list[tuple[str, bytes]]:
    """The attribute that ties a state or a policy to an XFRM interface; none for 0."""
    return [("XFRMA_IF_ID", if_id.to_bytes(4, sys.byteorder))] if if_id else []


def message(child: ChildSa, path: Path, *, inbound: bool, standby: bool = False, question: int = 0) -> NewSa:
    """XFRM_MSG_NEWSA for one direction; on standby the kernel tells of the first packet.

    `question` is the number of the acquire that it answers: the kernel then drops the place that it held for it.
    """
    this, made = key(child, path, inbound=inbound), NewSa()
    made.update(
        {
            "id": {"daddr": octets(this.dst), "spi": this.spi, "proto": this.protocol},
            "saddr": octets(this.src),
            "lft": _limits(child, standby=standby),
            "seq": question,
            "reqid": this.reqid,
            "family": family(this.dst),
            "mode": MODES[child.mode],
            "replay_window": 0 if _newer(child) else child.replay_window,
            "flags": _flags(child, this),
        }
    )
    keys = (child.key_encr_in, child.key_integ_in) if inbound else (child.key_encr_out, child.key_integ_out)
    made["attrs"] = [*_encap(child, path, inbound=inbound), *attributes(child, *keys)]
    made["attrs"] += interface(child.if_id_in if inbound else child.if_id_out)
    if child.tfc_padding and not inbound:
        # The kernel pads to no more than the MTU, and takes no number that no packet can have.
        wanted = LARGEST if child.tfc_padding == TO_THE_MTU else child.tfc_padding
        made["attrs"].append(("XFRMA_TFCPAD", wanted.to_bytes(4, sys.byteorder)))
    if _newer(child):
        words = -(-child.replay_window // 32)
        # Without the bitmap behind it, which then begins empty.
        state = ReplayEsn.pack({"bmp_len": words, "replay_window": child.replay_window})
        made["attrs"].append(("XFRMA_REPLAY_ESN_VAL", state))
    return made


def _flags(child: ChildSa, this: Key) -> int:
    flags = (STATE_AF_UNSPEC if child.mode == "tunnel" else 0) | (STATE_ESN if child.esn else 0)
    flags |= STATE_NOPMTUDISC if child.copy_df == "no" else 0
    # RFC 4302 3.3.3.2.1: AH is padded to 8 octets in IPv6 only; without this flag Linux does it in IPv4 too.
    ipv4_ah = child.protocol == ProtocolId.AH and family(this.dst) == FAMILIES[4]
    return flags | (STATE_ALIGN4 if ipv4_ah else 0)


def _newer(child: ChildSa) -> bool:
    return child.esn or child.replay_window > WIDEST_OLD_WINDOW


def _limits(child: ChildSa, *, standby: bool) -> dict[str, int]:
    wanted = child.limits
    limits = {
        "soft_byte_limit": wanted.rekey_bytes or UNLIMITED,
        "soft_packet_limit": wanted.rekey_packets or UNLIMITED,
        "hard_byte_limit": wanted.life_bytes or UNLIMITED,
        "hard_packet_limit": wanted.life_packets or UNLIMITED,
    }
    if not child.esn:
        limits["hard_packet_limit"] = min(limits["hard_packet_limit"], LAST_SEQUENCE)
    if standby:
        limits["soft_packet_limit"] = 0  # compared before the first packet is counted
    return limits


def _encap(child: ChildSa, path: Path, *, inbound: bool) -> list[tuple[str, bytes]]:
    if not child.encap:
        return []
    here, there = path.local_port, path.remote_port
    source, target = (there, here) if inbound else (here, there)
    ports = {"encap_type": ENCAP_ESPINUDP, "encap_sport": source, "encap_dport": target}
    return [("XFRMA_ENCAP", Encap.pack(ports))]


def probe(link: Link) -> None:
    """Whether the kernel has ESP: an UnfitError with what mends it where it has not.

    Updating a state of SPI 0, which cannot exist, changes nothing; the kernel looks for ESP first and for the state
    afterwards.
    """
    nobody, made = "192.0.2.1", NewSa()
    made.update({"id": {"daddr": octets(nobody), "proto": PROTOCOLS[ProtocolId.ESP]}, "saddr": octets(nobody)})
    made.update({"lft": NO_LIMITS, "family": family(nobody), "mode": TUNNEL, "flags": STATE_AF_UNSPEC})
    made["attrs"] = [("XFRMA_ALG_CRYPT", Crypt.pack({"alg_name": CRYPT[Encr.ENCR_NULL].encode()}))]
    try:
        link.ask(UPDSA, made)
    except OSError as error:
        if error.errno == errno.EPROTONOSUPPORT:
            raise UnfitError(
                "this kernel has XFRM but no ESP",
                fix="run: modprobe -a esp4 esp6, or use --backend userspace, or run in the guest",
            ) from error


class States:
    """The states of ours that are in the kernel."""

    def __init__(self, link: Link, record: Record) -> None:
        self._link, self._record = link, record
        self._here: dict[Key, None] = {}

    def add(self, child: ChildSa, path: Path, *, inbound: bool, standby: bool = False, question: int = 0) -> None:
        """Put one direction of a child into the kernel, as `message` has it; may raise OSError."""
        made = message(child, path, inbound=inbound, standby=standby, question=question)
        self._put(key(child, path, inbound=inbound), made)

    def _put(self, this: Key, made: NewSa) -> None:
        self._record.add(this.entry())
        try:
            self._link.ask(NEWSA, made)
        except OSError:
            self._record.gone(this.entry())
            raise
        self._here[this] = None

    def read(self, this: Key) -> NewSa | None:
        """The state as it is now; None where the kernel has none, or somebody else's."""
        try:
            answers = self._link.ask(GETSA, this.message())
        except OSError:
            return None
        found = decoded(NewSa, answers[0])
        ours = (found["reqid"], found["saddr"][: len(octets(this.src))]) == (this.reqid, octets(this.src))
        return found if ours else None

    def remove(self, this: Key) -> None:
        """Take a state out, if it is there and ours."""
        if self.read(this) is not None:
            with suppress(OSError):  # somebody was faster
                self._link.ask(DELSA, this.message())
        if this in self._here:
            del self._here[this]
            self._record.gone(this.entry())

    def move(self, child: ChildSa, old: Path, new: Path, *, inbound: bool) -> None:
        """Let one direction of a child go another way; may raise OSError."""
        before = key(child, old, inbound=inbound)
        found = self.read(before)
        if found is None:
            return
        self.remove(before)
        made = message(child, new, inbound=inbound)
        made["attrs"] = [*(a for a in made["attrs"] if not a[0].startswith("XFRMA_REPLAY")), *carried_over(found)]
        self._put(key(child, new, inbound=inbound), made)

    def counted(self, this: Key) -> dict[str, int]:
        """Octets and packets so far."""
        found = self.read(this)
        counted: dict[str, int] = found["curlft"] if found is not None else {"bytes": 0, "packets": 0}
        return counted

    def clear(self) -> None:
        """Take out all that is ours."""
        for this in list(self._here):
            self.remove(this)


def carried_over(found: NewSa) -> list[tuple[str, bytes]]:
    """Counters and replay state of a state that goes, for the one that takes its place."""
    attrs = [("XFRMA_LTIME_VAL", Counted.pack(found["curlft"]))]
    newer, older = found.get_attr("XFRMA_REPLAY_ESN_VAL"), found.get_attr("XFRMA_REPLAY_VAL")
    if newer is not None:
        state = ReplayEsn.read(newer)
        attrs.append(("XFRMA_REPLAY_ESN_VAL", ReplayEsn.pack(_skipped(state)) + newer[ReplayEsn.size() :]))
    elif older is not None:
        attrs.append(("XFRMA_REPLAY_VAL", Replay.pack(_skipped(Replay.read(older)))))
    return attrs


def _skipped(state: dict[str, Any]) -> dict[str, Any]:
    """Sequence numbers of an SA that has sent go on further up; one that only receives has sent none."""
    if state["oseq"] or state.get("oseq_hi"):
        total = min((state.get("oseq_hi", 0) << 32 | state["oseq"]) + SKIPPED, 2**64 - 1)
        total = total if "oseq_hi" in state else min(total, LAST_SEQUENCE)
        state = state | {"oseq": total & LAST_SEQUENCE} | ({"oseq_hi": total >> 32} if "oseq_hi" in state else {})
    return state
