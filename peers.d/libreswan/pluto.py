"""pluto's log (plutodebug=private,crypt) -> facts and keys of each IKE SA, by the number of its state: `#4`.

whack tells no SPI of an IKE SA; with `private` the log has a line for each direction with SPIs and keys, soon after it
says that a first IKE SA stands, or just before it says so of a rekeyed one. The salts of AEAD keys are not in it: with
`crypt` they were dumped when they were derived, two for each IKE SA, the initiator's first.
"""

import re
from collections.abc import Iterable

_NUMBER = re.compile(r'^\S+ +\d+ \S+ "[^"]+"(?:\[\d+\] \S+)? #(\d+): ')
_KEYS = re.compile(r"\| ikev2 ([IR]) 0x([0-9a-f]{16}) 0x([0-9a-f]{16}) (\w+):?(?:0x)?([0-9a-f]*) ?\w+:0x([0-9a-f]+)")
_SALT, _DUMP = re.compile(r"\| initiator salt extracted len "), re.compile(r"\|   ((?:[0-9a-f]{2} +){4})")
_MADE = re.compile(r"(initiator|responder) (?:established|rekeyed) IKE SA")
_SUITE = re.compile(r"\{cipher=(\w+?)(?:_(\d+))? integ=(\S+) prf=(\S+) group=DH(\d+)\}")
_NAT = re.compile(r"\| NAT_TRAVERSAL th(is|at) end is (NOT )?behind NAT")
GROUPS = {
    "14": "MODP_2048", "15": "MODP_3072", "16": "MODP_4096", "17": "MODP_6144", "18": "MODP_8192",
    "19": "ECP_256", "20": "ECP_384", "21": "ECP_521", "31": "CURVE25519",
}  # fmt: skip


def ike_sas(lines: Iterable[str]) -> dict:
    """`{"4": {"spi_i", "spi_r", "role", "encr", ..., "keys": {"SK_ei", ...}}}` of every IKE SA that stood once."""
    reader = _Reader()
    for line in lines:
        reader.read(line)
    return {number: sa for number, sa in reader.sas.items() if "spi_i" in sa}


class _Reader:
    """What the lines before the next one say."""

    def __init__(self) -> None:
        self.sas: dict = {}
        self.keyed: list = []
        self.made: list = []
        self.nat: dict = {}
        self.salts: list = []
        self.dump = False

    def read(self, line: str) -> None:
        """Take over one line."""
        if self.dump and (salt := _DUMP.search(line)):
            self.salts.append(salt[1].replace(" ", ""))
            self.dump = False
        elif _SALT.search(line):
            self.dump = True
        elif keys := _KEYS.search(line):
            self.keys(*keys.groups())
        elif nat := _NAT.search(line):
            self.nat["nat_local" if nat[1] == "is" else "nat_remote"] = nat[2] is None
        elif number := _NUMBER.search(line):
            self.said(self.sas.setdefault(number[1], {}), line)

    def keys(self, side: str, spi_i: str, spi_r: str, integ: str, integrity: str, encryption: str) -> None:
        """The keys of one direction; those of an AEAD end with the salt."""
        salt = self.salts.pop(0) if integ == "none" and self.salts else ""
        found = {f"SK_e{side.lower()}": encryption + salt, f"SK_a{side.lower()}": integrity}
        if side == "I":
            self.keyed.append({"spi_i": spi_i, "spi_r": spi_r, "keys": found})
        elif self.keyed:
            self.keyed[-1]["keys"] |= found
            self.join()

    def said(self, sa: dict, line: str) -> None:
        """A line of a state about itself."""
        if suite := _SUITE.search(line):
            sa |= _suite(*suite.groups())
        if made := _MADE.search(line):
            sa |= {"role": made[1], **self.nat}
            self.made.append(sa)
            self.join()

    def join(self) -> None:
        """Keys belong to the state that was said to stand next to them."""
        if self.keyed and self.made:
            self.made.pop(0).update(self.keyed.pop(0))


def _suite(cipher: str, bits: str, integ: str, prf: str, group: str) -> dict:
    """The names of the IANA registry; AES_GCM_16_256 ends with its key's bits, CHACHA20_POLY1305 always has 256."""
    return {
        "encr": f"ENCR_{cipher}",
        "encr_key_length": int(bits) if bits else 256,
        "integ": None if integ == "n/a" else f"AUTH_{integ}",
        "prf": f"PRF_{prf}",
        "ke": GROUPS.get(group, f"DH{group}"),
    }
