"""Read IKE and CHILD SA keys out of charon's own log (ike, chd at level 4; mgr at level 2).

What the log looks like, and what is relied on:

    TIME THREAD[GROUP] <NAME|ID> TEXT            one prefix on every line, `<...>` once the IKE SA is known
    Sk_d secret => 32 bytes @ 0x...              then rows of `  16: AA BB ...  ascii` by the same thread
    SKEYID_d, encryption key Ka, initial IV      the same for IKEv1
    checkin IKEv2 SA NAME[ID] with SPIs I_i R_r  ends the work of a thread on an IKE SA: names the SPIs of that ID
    adding inbound ESP SA / SPI 0x.., src A dst B   (also `registering outbound`) follow a CHILD SA's keys

Keys stand under the ID of their IKE SA, but for a rekey, where the side that asked for it logs them under the ID of
the old SA: a second set under one ID belongs to the next ID that has none. A set that IKE_INTERMEDIATE led to (the last
message that was parsed for this ID says so, whichever thread did it: a responder derives keys only when the next
request is there) is the next generation of the same SA (RFC 9370 2.2.2); one behind `derive keys using PPK` renews
three secrets of its own set (RFC 8784 3). The algorithms are those that the thread selected; where other exchanges lie
between that and the keys (IKE_INTERMEDIATE, IKE_FOLLOWUP_KE), those last selected under that ID, or under the one that
the thread had its message from. Whether a peer was the exchange's initiator - which decides whose key is
inbound - is read from the last `parsed ... request|response` before the keys.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from lab.peers.charon_names import Suite, suite

Keys = dict[str, list[dict[str, Any]]]
SECRETS = ("SK_d", "SK_ai", "SK_ar", "SK_ei", "SK_er", "SK_pi", "SK_pr")

_LINE = re.compile(r"(?P<time>\S+) (?P<thread>\d+)\[(?P<group>[A-Z]{3})\] (?:<(?:[^|>]*\|)?(?P<sa>\d+)> )?(?P<text>.*)")
_BLOB = re.compile(r"(?P<name>.+?) => (?P<length>\d+) bytes")
_ROW = re.compile(r" *\d+: (?P<hex>.*)")
_SPIS = re.compile(r"checkin IKEv[12] SA \S+\[(?P<sa>\d+)\] with SPIs (?P<i>[0-9a-f]{16})_i (?P<r>[0-9a-f]{16})_r")
_PARSED = re.compile(r"parsed (?P<exchange>\S+) (?P<kind>request|response) ")
_SPI = re.compile(r"  SPI 0x(?P<spi>[0-9a-f]{8}), src (?P<src>\S+) dst (?P<dst>\S+)")
_ADDING = re.compile(r"(?:adding|registering) (?P<way>inbound|outbound) (?P<protocol>ESP|AH) SA")
_NAT = re.compile(r"host is behind NAT|faking NAT situation")
_SK = re.compile(r"Sk_(?P<name>d|ai|ar|ei|er|pi|pr) secret")
_CHILD_KEY = re.compile(r"(?P<use>encryption|integrity) (?P<whose>initiator|responder) key")
_SKEYID = re.compile(r"(?P<name>SKEYID(?:_[dae])?|encryption key Ka|initial IV)")
_NAMES_V1 = {"encryption key Ka": "Ka", "initial IV": "IV"}
SECRETS_V1 = ("SKEYID", "SKEYID_d", "SKEYID_a", "SKEYID_e", "Ka", "IV")
_SALTED = re.compile(r"ENCR_(?:AES_GCM_\d+|NULL_AUTH_AES_GMAC|CHACHA20_POLY1305|AES_CTR)")


def read_keys(lines: Iterable[str], source: str) -> Keys:
    """Every IKE and CHILD SA whose keys the log holds, in the shape of keys.json."""
    reader = _Reader(source)
    for line in lines:
        reader.line(line)
    return {"ike": reader.ike(), "child": reader.child()}


@dataclass(slots=True)
class _Thread:
    """What one of charon's threads is in the middle of."""

    blob: str = ""
    missing: int = 0
    mixing: bool = False
    data: bytearray = field(default_factory=bytearray)
    child_keys: dict[tuple[str, str], str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    ike: Suite | None = None
    esp: Suite | None = None
    under: str = ""
    initiator: bool = False
    way: str = ""
    protocol: str = "ESP"
    ends: dict[str, re.Match[str]] = field(default_factory=dict)


class _Reader:
    """Follows the log line by line. charon numbers its IKE SAs; those numbers are the keys of the dicts."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.threads: dict[str, _Thread] = {}
        self.nats: set[str] = set()
        self.spis: dict[str, tuple[str, str]] = {}
        self.suites: dict[str, Suite] = {}
        self.esp: dict[str, Suite] = {}
        self.secrets: list[tuple[str, Suite, dict[str, str], int]] = []
        self.generations: dict[str, int] = {}
        self.isakmp: dict[str, tuple[Suite, dict[str, str]]] = {}
        self.parsed: dict[str, str] = {}
        self.children: dict[str, tuple[str, dict[str, Any]]] = {}

    def line(self, line: str) -> None:
        match = _LINE.match(line.rstrip("\n"))
        if match is None:
            return
        thread = self.threads.setdefault(match["thread"], _Thread())
        sa, text = match["sa"] or "", match["text"]
        if thread.missing and (row := _ROW.fullmatch(text)):
            self.row(thread, sa, row["hex"])
        elif blob := _BLOB.match(text):
            thread.blob, thread.missing = blob["name"], int(blob["length"])
            thread.data = bytearray()
            thread.mixing = thread.mixing or thread.blob == "derive keys using PPK"
        elif parsed := _PARSED.match(text):
            thread.initiator = parsed["kind"] == "response"
            thread.under, self.parsed[sa] = sa, parsed["exchange"]
        elif text.startswith("selected proposal: "):
            self.selected(thread, sa, text.removeprefix("selected proposal: "))
        elif _NAT.search(text):
            self.nats.add(sa)
        else:
            self.landmark(thread, sa, text)

    def selected(self, thread: _Thread, sa: str, text: str) -> None:
        """The proposal of an IKE SA (`IKE:...`) or of the child a thread is making (`ESP:...`, `AH:...`)."""
        if text.startswith("IKE:"):
            thread.ike = self.suites[sa] = suite(text)
        else:
            thread.esp = self.esp[sa] = suite(text)

    def row(self, thread: _Thread, sa: str, text: str) -> None:
        """One row of a hex dump; the column of ASCII behind it may look like hex, so count."""
        count = min(16, thread.missing)
        thread.data += bytes.fromhex(text[: count * 3])
        thread.missing -= count
        if thread.missing:
            return
        value = bytes(thread.data).hex()
        if secret := _SK.fullmatch(thread.blob):
            self.secret(thread, sa, f"SK_{secret['name']}", value)
        elif skeyid := _SKEYID.fullmatch(thread.blob):
            found = self.isakmp.setdefault(sa, (thread.ike or self.suites.get(sa, Suite()), {}))[1]
            found[_NAMES_V1.get(skeyid["name"], skeyid["name"])] = value
        elif key := _CHILD_KEY.fullmatch(thread.blob):
            if (key["use"], key["whose"]) in thread.child_keys:
                thread.child_keys = {}
            thread.child_keys[key["use"], key["whose"]] = value

    def landmark(self, thread: _Thread, sa: str, text: str) -> None:
        """The lines that end a piece of work."""
        if spis := _SPIS.match(text):
            self.checkin(thread, spis)
        elif adding := _ADDING.match(text):
            thread.way, thread.protocol = adding["way"], adding["protocol"]
        elif thread.way and (spi := _SPI.match(text)):
            thread.ends[thread.way] = spi
            thread.way = ""
            if len(thread.ends) == 2:
                self.installed(thread, sa)

    def secret(self, thread: _Thread, sa: str, name: str, value: str) -> None:
        """One SK_*; SK_d, the first, opens a new set, but with a PPK it renews the set of its SA (RFC 8784)."""
        if thread.mixing and (known := [secrets for owner, _, secrets, _ in self.secrets if owner == sa]):
            thread.secrets, thread.mixing = known[-1], False
        elif name == "SK_d":
            thread.secrets = {}
            renews = self.parsed.get(sa) == "IKE_INTERMEDIATE"
            self.generations[sa] = self.generations.get(sa, 0) + 1 if renews else 0
            chosen = thread.ike or self.suites.get(sa) or self.suites.get(thread.under, Suite())
            self.secrets.append((sa, chosen, thread.secrets, self.generations[sa]))
        thread.secrets[name] = value

    def checkin(self, thread: _Thread, match: re.Match[str]) -> None:
        """Remember the SPIs of an IKE SA once both are known; what the thread chose is no longer news."""
        thread.ike = thread.esp = None
        if int(match["r"], 16):
            self.spis[match["sa"]] = (match["i"], match["r"])

    def installed(self, thread: _Thread, sa: str) -> None:
        """Both directions of a CHILD SA are in place: pair each SPI with its key."""
        for way, end in thread.ends.items():
            whose = "initiator" if (way == "outbound") == thread.initiator else "responder"
            if thread.child_keys and end["spi"] not in self.children:
                self.children[end["spi"]] = (sa, self.child_entry(thread, sa, end, whose))
        thread.ends, thread.esp = {}, None

    def child_entry(self, thread: _Thread, sa: str, end: re.Match[str], whose: str) -> dict[str, Any]:
        """One direction of a CHILD SA as keys.json wants it."""
        key, chosen = thread.child_keys.get(("encryption", whose), ""), thread.esp or self.esp.get(sa, Suite())
        cut = len(key) - 2 * _salt_octets(chosen.encr)
        return {
            "source": self.source,
            "protocol": thread.protocol,
            "spi": end["spi"],
            "src": end["src"],
            "dst": end["dst"],
            "encap": sa in self.nats,
            "encr": chosen.encr,
            "encr_key_length": chosen.encr_key_length,
            "encr_key": key[:cut],
            "salt": key[cut:],
            "integ": chosen.integ or None,
            "integ_key": thread.child_keys.get(("integrity", whose), ""),
            "esn": chosen.esn,
        }

    def ike(self) -> list[dict[str, Any]]:
        """Every IKE SA that has both its keys and its SPIs."""
        entries: dict[str, dict[str, Any]] = {}
        renewed: list[dict[str, Any]] = []
        for sa, chosen, secrets, generation in self.secrets:
            later = (other for other in self.spis if other not in entries and int(other) > int(sa))
            owner = sa if generation or sa not in entries else next(later, "")
            if owner not in self.spis or "SK_pr" not in secrets:
                continue
            entry = self.ike_entry(self.spis[owner], chosen, secrets) | {"generation": generation}
            if generation:
                renewed.append(entry)
            else:
                entries[owner] = entry
        return [*entries.values(), *renewed, *self.first_version()]

    def first_version(self) -> list[dict[str, Any]]:
        """Every ISAKMP SA of IKEv1 that has both its keys and its cookies."""
        return [
            {
                "source": self.source,
                "version": 1,
                "spi_i": self.spis[sa][0],
                "spi_r": self.spis[sa][1],
                **algorithms(chosen),
            }
            | {name: secrets.get(name, "") for name in SECRETS_V1}
            for sa, (chosen, secrets) in self.isakmp.items()
            if sa in self.spis and "IV" in secrets
        ]

    def ike_entry(self, spis: tuple[str, str], chosen: Suite, secrets: dict[str, str]) -> dict[str, Any]:
        """One IKE SA as keys.json wants it."""
        return {
            "source": self.source,
            "version": 2,
            "spi_i": spis[0],
            "spi_r": spis[1],
            **algorithms(chosen),
            **{name: secrets.get(name, "") for name in SECRETS},
        }

    def child(self) -> list[dict[str, Any]]:
        """Every direction of every CHILD SA, with the SPI of the IKE SA it was made under."""
        return [entry | {"ike_spi_i": self.spis.get(sa, ("", ""))[0]} for sa, entry in self.children.values()]


def algorithms(chosen: Suite) -> dict[str, Any]:
    """The algorithms of an IKE SA as keys.json names them."""
    return {
        "encr": chosen.encr,
        "encr_key_length": chosen.encr_key_length,
        "prf": chosen.prf,
        "integ": chosen.integ or None,
        "ke": chosen.ke,
    }


def _salt_octets(encr: str) -> int:
    """How many octets of salt end an encryption key (RFC 4106, 4309, 7634, 3686)."""
    if encr.startswith("ENCR_AES_CCM"):
        return 3
    return 4 if _SALTED.fullmatch(encr) else 0
