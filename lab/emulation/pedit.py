"""A filter that leads what comes in to an intermediate device (ifb), each packet made its own before it goes on.

A packet that comes in is shared with the capture, which has seen it at its tap. netem's `corrupt` copies what is
shared, and the copy has forgotten how long its link header was (`skb_copy` leaves `mac_len` at 0), so that nobody takes
what the ifb hands on. The action `pedit` unshares a packet in place before it writes; told to write what stands there
already, it changes nothing else.

    tc filter add ... u32 match u32 0 0 action pedit munge offset 0 u32 retain 0 action mirred egress redirect dev ifbN
"""

import socket
import struct

from lab.emulation.netem import attribute

_PRIORITY, _INGRESS = 10, 0xFFFF0000
_KIND, _OPTIONS = 1, 2
_U32_CLASSID, _U32_SEL, _U32_ACT = 1, 5, 7
_ACT_KIND, _ACT_OPTIONS, _NESTED = 1, 2, 0x8000
_PARMS = 2  # of pedit and of mirred alike
_PIPE, _STOLEN, _REDIRECT_OUT = 3, 4, 1
_ALL = 3  # ETH_P_ALL


def redirect(interface: int, ifb: int) -> bytes:
    """The body of RTM_NEWTFILTER, from `struct tcmsg` on, for an interface that has an ingress queue."""
    info = _PRIORITY << 16 | socket.htons(_ALL)
    head = struct.pack("=BxxxiIII", socket.AF_UNSPEC, interface, 0, _INGRESS, info)
    # One key that takes every packet: no bit of its first word is looked at.
    selector = struct.pack("=BBBxHHhhI", 1, 0, 1, 0, 0, 0, 0, 0) + struct.pack("=IIii", 0, 0, 0, 0)
    actions = _action(1, b"pedit", _unshare()) + _action(2, b"mirred", _redirect(ifb))
    found = attribute(_U32_CLASSID, struct.pack("=I", 0x10000))
    found += attribute(_U32_SEL, selector) + attribute(_U32_ACT | _NESTED, actions)
    return head + attribute(_KIND, b"u32\0") + attribute(_OPTIONS | _NESTED, found)


def _action(place: int, kind: bytes, parameters: bytes) -> bytes:
    options = attribute(_ACT_OPTIONS | _NESTED, attribute(_PARMS, parameters))
    return attribute(place | _NESTED, attribute(_ACT_KIND, kind + b"\0") + options)


def _unshare() -> bytes:
    """`struct tc_pedit_sel` with one key: keep every bit of the first word, and turn none over."""
    key = struct.pack("=6I", 0xFFFFFFFF, 0, 0, 0, 0, 0)  # mask, value, offset, at, offset mask, shift
    return struct.pack("=IIiiiBBxx", 0, 0, _PIPE, 0, 0, 1, 0) + key


def _redirect(ifb: int) -> bytes:
    """`struct tc_mirred`: out by the ifb, and not on from here."""
    return struct.pack("=IIiiiiI", 0, 0, _STOLEN, 0, 0, _REDIRECT_OUT, ifb)
