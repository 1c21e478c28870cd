"""Run directories made up for the tests of the report: the formats are real, the facts are invented.

`write_run(path)` writes a run with every verdict, losses, retransmissions and NAT; `write_many(path, n)` one with many
results and no scenario directories, to weigh the index.
"""

import json
import random
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from lab.emulation import graph
from lab.emulation import topology as topologies
from tests.report.octets import detail_of

Facts = dict[str, Any]
START = 1_774_000_000.0
PAIRINGS = ("ours>strongswan", "strongswan>ours")
SPIS = "a1b2c3d4e5f60718:5d2e9b7c40f1a683"


class Wire:
    """Writes down datagrams between left and right as ladder.json and detail.json have them; with its own clock."""

    def __init__(self, *, nat: bool = False, seed: int = 1) -> None:
        self.now, self.nat = START, nat
        self.ladder: list[Facts] = []
        self.detail: list[Facts] = []
        self._random = random.Random(seed)

    def ike(self, name: str, payloads: str, *, response: bool = False, number: int = 0, **more: Any) -> int:
        """One IKE message; payloads are names parted by blanks. Returns its `n`."""
        names = payloads.split()
        length, detail = detail_of(name, names, response=response, number=number, random=self._random)
        sealed = name != "IKE_SA_INIT"
        port = 4500 if self.nat and sealed else 500
        entry = {
            "protocol": "IKEv2", "exchange": name, "message_id": number, "response": response, "payloads": names,
            "encrypted": sealed, "opened": True if sealed else None, "spi": SPIS, "seq": None,
            "length": length,
        }  # fmt: skip
        n = self._add(entry, port, leftwards=response, **more)
        again = more.get("again")
        self.detail.append({"n": n, **(detail if again is None else {"same_as": again})})
        return n

    def esp(self, seq: int, *, leftwards: bool = False, **more: Any) -> int:
        """One ESP packet with a ping inside."""
        ends = "10.2.0.10 -> 10.1.0.10" if leftwards else "10.1.0.10 -> 10.2.0.10"
        entry = {
            "protocol": "ESP", "exchange": None, "message_id": None, "response": None, "payloads": [],
            "encrypted": True, "opened": True, "spi": "c0ffee01" if leftwards else "c14be002", "seq": seq,
            "length": 136, "inner": f"ICMP echo-{'reply' if leftwards else 'request'} {ends} seq {seq}",
        }  # fmt: skip
        return self._add(entry, 4500 if self.nat else 0, leftwards=leftwards, **more)

    def keepalive(self) -> int:
        """One NAT keepalive from the left."""
        entry = {
            "protocol": "NAT-keepalive", "exchange": None, "message_id": None, "response": None, "payloads": [],
            "encrypted": False, "opened": None, "spi": "", "seq": None, "length": 1,
        }  # fmt: skip
        return self._add(entry, 4500, leftwards=False)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def _add(self, entry: Facts, port: int, *, leftwards: bool, lost: bool = False, again: int | None = None) -> int:
        n, sent = len(self.ladder), self.now
        if entry["protocol"] != "IKEv2":
            self.detail.append({"n": n, "omitted": True})
        seen = [{"point": p, "t": sent + t, "src": s, "dst": d} for p, t, s, d in self._way(port, leftwards)]
        seen = seen[: len(seen) // 2] if lost else seen
        sender, receiver = ("right", "left") if leftwards else ("left", "right")
        common = {
            "n": n, "t_sent": sent, "t_received": None if lost else seen[-1]["t"], "from": sender, "to": receiver,
            "src": seen[0]["src"], "dst": seen[0]["dst"], "retransmit_of": again, "lost": lost, "udp": port > 0,
            "hops": seen,
        }  # fmt: skip
        self.ladder.append({**common, **entry})
        self.now = sent + 0.0206
        return n

    def _way(self, port: int, leftwards: bool) -> list[tuple[str, float, str, str]]:
        end = f":{port}" if port else ""
        if not self.nat:
            left, right = f"203.0.113.2{end}", f"198.51.100.2{end}"
            points = [("left:wan", left, right), ("internet:left", left, right), ("right:wan", left, right)]
        else:
            inside, outside, theirs = f"192.168.1.2{end}", f"203.0.113.2:{20000 + port}", f"198.51.100.2{end}"
            points = [
                ("left:wan", inside, theirs), ("left-nat:lan", inside, theirs), ("left-nat:wan", outside, theirs),
                ("right-nat:wan", outside, theirs), ("right-nat:lan", outside, f"192.168.2.2{end}"),
                ("right:wan", outside, f"192.168.2.2{end}"),
            ]  # fmt: skip
        if leftwards:
            points = [(name, b, a) for name, a, b in reversed(points)]
        return [(name, 0.0204 * place / (len(points) - 1), a, b) for place, (name, a, b) in enumerate(points)]


def handshake(wire: Wire) -> None:
    """The four messages of a tunnel with a pre-shared key."""
    wire.ike("IKE_SA_INIT", "SA KE No N(NAT_DETECTION_SOURCE_IP) N(NAT_DETECTION_DESTINATION_IP)")
    wire.ike("IKE_SA_INIT", "SA KE No N(NAT_DETECTION_SOURCE_IP) N(NAT_DETECTION_DESTINATION_IP)", response=True)
    wire.ike("IKE_AUTH", "IDi N(INITIAL_CONTACT) IDr AUTH SA TSi TSr N(MOBIKE_SUPPORTED)", number=1)
    wire.ike("IKE_AUTH", "IDr AUTH SA TSi TSr", response=True, number=1)


def plain(wire: Wire) -> None:
    handshake(wire)
    for seq in (1, 2):
        wire.esp(seq)
        wire.esp(seq, leftwards=True)


def through_nat(wire: Wire) -> None:
    handshake(wire)
    for seq in range(1, 21):
        wire.esp(seq)
        wire.esp(seq, leftwards=True)
    wire.wait(20)
    wire.keepalive()
    wire.wait(8.4)
    wire.ike("INFORMATIONAL", "D", number=2)
    wire.ike("INFORMATIONAL", "", response=True, number=2)


def with_losses(wire: Wire) -> None:
    first = wire.ike("IKE_SA_INIT", "SA KE No", lost=True)
    wire.wait(3.98)
    wire.ike("IKE_SA_INIT", "SA KE No", again=first)
    wire.ike("IKE_SA_INIT", "SA KE No", response=True)
    request = wire.ike("IKE_AUTH", "IDi IDr AUTH SA TSi TSr", number=1)
    answer = wire.ike("IKE_AUTH", "IDr AUTH SA TSi TSr", response=True, number=1, lost=True)
    wire.wait(3.95)
    wire.ike("IKE_AUTH", "IDi IDr AUTH SA TSi TSr", number=1, again=request)
    wire.ike("IKE_AUTH", "IDr AUTH SA TSi TSr", response=True, number=1, again=answer)


def refused(wire: Wire) -> None:
    wire.ike("IKE_SA_INIT", "SA KE No")
    wire.ike("IKE_SA_INIT", "SA KE No", response=True)
    wire.ike("IKE_AUTH", "IDi IDr AUTH SA TSi TSr", number=1)
    wire.ike("IKE_AUTH", "N(AUTHENTICATION_FAILED)", response=True, number=1)


Script = Callable[[Wire], None]
SCENARIOS: list[tuple[str, str, str, str, str, list[str], Script | None]] = [
    ("ikev2/plain_tunnel", "A tunnel with a pre-shared key", "passed", "", "direct",
     ["rfc7296:1.2", "rfc7296:2.14"], plain),
    ("ikev2/aes_cbc_sha256", "AES-CBC with HMAC-SHA2-256", "passed", "", "direct", ["rfc7296:3.3.2"], plain),
    ("ikev2/wrong_psk", "Different keys on both sides are refused", "failed",
     "The responder accepted a wrong pre-shared key: a CHILD SA was installed after AUTHENTICATION_FAILED was due.",
     "direct", ["rfc7296:2.15", "rfc7296:2.21.2"], refused),
    ("ikev2/mlkem768", "ML-KEM-768 as an additional key exchange", "unsupported", "strongswan lacks mlkem768.",
     "direct", ["rfc9370:2"], None),
    ("nat/both_sides", "Both gateways behind NAT", "passed", "", "nat-both", ["rfc7296:2.23", "rfc3948:2.2"],
     through_nat),
    ("nat/initiator", "NAT before the initiator", "passed", "", "nat-initiator", ["rfc7296:2.23"], through_nat),
    ("nat/rebinding", "The NAT forgets its mapping", "flaky", "Passed in 2 of 3 attempts; the first one timed out.",
     "nat-both", ["rfc7296:2.23"], through_nat),
    ("faults/losses", "The first request and the last response are lost", "passed", "", "nat-both", ["rfc7296:2.1"],
     with_losses),
    ("faults/dead_peer", "165 seconds of retransmission to nobody", "unresolved",
     "The lab broke: the guest's memory ran out while charon started.", "direct", ["rfc7296:2.4"], None),
]  # fmt: skip


def write_run(path: Path, *, only: Iterable[str] = ()) -> Path:
    """A run with every verdict, or of these scenarios alone; returns its directory."""
    results = []
    wanted = tuple(only)
    for place, scenario in enumerate(one for one in SCENARIOS if not wanted or one[0] in wanted):
        for pairing in [*PAIRINGS, "ours>ours"] if scenario[0] == "ikev2/plain_tunnel" else PAIRINGS:
            verdict = scenario[2] if pairing == PAIRINGS[0] or scenario[2] == "unsupported" else "passed"
            results.append(_write_scenario(path, scenario, pairing, verdict, seed=place))
    _write_json(path / "run.json", run_json(results))
    return path


def write_many(path: Path, number: int) -> Path:
    """A run of many results without scenario directories."""
    results = []
    for place in range(number):
        group = ("ikev2", "nat", "faults", "esp", "interop", "conformance")[place % 6]
        verdict = "failed" if place % 97 == 0 else "unsupported" if place % 31 == 0 else "passed"
        pairing = PAIRINGS[place // 6 % 2]
        name = f"{group}/some_scenario_of_ordinary_length_{place // 12}"
        results.append({
            "id": name, "title": "The responder answers a repeated request with the same response, and one SA results.",
            "pairing": pairing, "verdict": verdict,
            "reason": "" if verdict == "passed" else "The responder sent 3 messages where RFC 7296 1.2 allows 2.",
            "duration_s": 0.4 + place % 13 / 10, "topology": "nat-initiator", "initiator": "ours",
            "responder": "strongswan", "clauses": [f"rfc7296:2.{place % 25 + 1}", f"rfc7296:3.{place % 15}.1"],
            "dir": f"scenarios/{name}/{pairing.replace('>', '-to-')}",
        })  # fmt: skip
    path.mkdir(parents=True, exist_ok=True)
    _write_json(path / "run.json", run_json(results))
    return path


def run_json(results: Iterable[Facts]) -> Facts:
    """A run.json around results."""
    listed = list(results)
    counts: Facts = dict.fromkeys(("passed", "failed", "unsupported", "unresolved", "flaky"), 0)
    for one in listed:
        counts[one["verdict"]] += 1
    return {
        "schema": "ikelab.run/1", "run_id": "2026-11-23T22-10-04Z-demo", "started": "2026-11-23T22:10:04Z",
        "duration_s": 41.3, "command": "ikelab run --kernel guest", "seed": 20261123,
        "kernel": {"kind": "guest", "release": "6.18.9"},
        "versions": {"ikelab": "0.1.0", "ours": "0.1.0", "strongswan": "6.0.1"},
        "counts": counts, "results": listed,
    }  # fmt: skip


def _write_scenario(path: Path, scenario: tuple[Any, ...], pairing: str, verdict: str, *, seed: int) -> Facts:
    name, title, worst, reason, topology, clauses, script = scenario
    initiator, _, responder = pairing.partition(">")
    place = f"scenarios/{name}/{initiator}-to-{responder}"
    summary = {
        "id": name, "pairing": pairing, "verdict": verdict, "reason": reason if verdict == worst else "",
        "duration_s": round(0.42 + seed * 0.37, 3), "topology": topology, "initiator": initiator,
        "responder": responder, "clauses": clauses, "dir": place,
    }  # fmt: skip
    wire = Wire(nat=topology != "direct", seed=seed)
    if script:
        script(wire)
    _write_json(path / place / "result.json", summary | result_extras(title, verdict, wire, summary))
    if script:
        write_evidence(path / place, wire, topology, verdict)
    return summary


def result_extras(title: str, verdict: str, wire: Wire, summary: Facts) -> Facts:
    """What result.json says beyond run.json."""
    steps = [
        {"name": "network up", "verdict": "passed", "at_s": 0.061, "detail": "6 nodes, 5 links"},
        {"name": "both peers answer", "verdict": "passed", "at_s": 0.184, "detail": ""},
        {"name": "IKE SA established", "verdict": verdict, "at_s": 0.251, "detail": summary["reason"]},
    ]
    if verdict == "passed":
        steps.append({"name": "ping through the tunnel", "verdict": "passed", "at_s": 0.402, "detail": "2 of 2"})
    counts = {"ikev2_init": 2, "ikev2_auth": 2, "esp": sum(e["protocol"] == "ESP" for e in wire.ladder)}
    return {
        "schema": "ikelab.result/1", "title": title, "steps": steps, "messages": counts if wire.ladder else {},
        "evidence": [
            {"kind": "capture", "file": "wire.pcapng", "note": "tshark decrypted 4 of 4 IKE and 4 of 4 ESP packets"},
            {"kind": "keys", "file": "keys.json", "note": "both sides logged the same keys"},
        ] if wire.ladder else [],
        "negotiated": {
            "ike": {"encr": "ENCR_AES_GCM_16", "encr_key_length": 256, "integ": None, "ke": "CURVE25519"},
            "child": {"protocol": "ESP", "mode": "TUNNEL", "encap": wire.nat, "local_ts": ["10.1.0.0/24"]},
        }
        if verdict == "passed" else {},
        "reproduce": f"ikelab run {summary['id']} --peer strongswan --role initiator --kernel guest --seed 20261123",
    }  # fmt: skip


def write_evidence(place: Path, wire: Wire, topology: str, verdict: str) -> None:
    """The files of a scenario that ran."""
    _write_json(place / "ladder.json", wire.ladder)
    _write_json(place / "detail.json", wire.detail)
    _write_json(place / "topology.json", topology_json(nat=wire.nat))
    _write_json(place / "keys.json", keys_json())
    _write_json(place / "sas.json", {"left": sas("left"), "right": sas("right")} if verdict != "failed" else {})
    if wire.nat:
        _write_json(place / "nat.json", mappings())
        _write_json(place / "coverage.json", coverage())
        _write_json(place / "routing.json", routing())
    (place / "topology.svg").write_text(graph.svg(topologies.load(topology)))
    for name in ("wire.pcapng", "clear.pcapng", "wireshark-profile.zip"):
        (place / name).write_bytes(bytes(4200))
    for side in ("left", "right"):
        (place / "logs").mkdir(exist_ok=True)
        (place / "configs").mkdir(exist_ok=True)
        (place / "logs" / f"{side}.log").write_text(log(side))
        (place / "configs" / f"{side}.swanctl.conf").write_text(config(side))


def routing() -> Facts:
    """routing.json of a peer that was away from the fifth second to the seventh."""
    sides = {"left": {"sent": 10, "lost": 3, "in_a_row": 3, "taken": 7}}
    sides["right"] = {"sent": 10, "lost": 0, "in_a_row": 0, "taken": None}
    series = [[round(n / 10, 1), not 4 <= n / 10 < 7] for n in range(100)]
    return {
        "schema": "ikelab.routing/1",
        "events": [
            {
                "event": "restart of the peer", "took_s": 10.2, "hellos": sides, "descriptions": 4,
                "echoes": {"every_s": 0.1, "sent": 100, "lost": 30, "outage_s": 3.0, "series": series},
                "adjacencies": {
                    "left": {"changes_before": 5, "changes_after": 7, "up_s": 2.5},
                    "right": {"changes_before": 5, "changes_after": 5, "up_s": 12.0},
                },
            }
        ],
    }  # fmt: skip


def coverage() -> Facts:
    """coverage.json of an AH packet whose inner part is made up and short."""
    outcomes = {1: "taken", 6: "taken", 8: "taken"} | dict.fromkeys((0, 2, 3, 7, 9, 10, 11, 16, 17, 18, 19), "ip")
    counter = "XfrmInStateProtoError"
    parts = [("new IP header", 0, 20, "203.0.113.2"), ("AH", 20, 24, "next header 4"), ("payload", 44, 4, "")]
    return {
        "schema": "ikelab.coverage/1", "protocol": "AH", "mode": "tunnel", "receiver": "strongswan (right)",
        "octets": "45" * 48, "covered": [at for at in range(48) if at not in (1, 6, 7, 8, 10, 11)],
        "ip_decides": {str(at): "total length" for at, outcome in outcomes.items() if outcome == "ip"},
        "parts": [
            {"name": name, "at": at, "octets": octets, "what": what, "covered": True, "hidden": name == "payload"}
            for name, at, octets, what in parts
        ],
        "flips": [
            {"at": at, "outcome": outcomes.get(at, "icv"), "counter": "" if at in outcomes else counter}
            for at in range(48)
        ],
    }  # fmt: skip


def topology_json(*, nat: bool) -> Facts:
    """topology.json as realised, reduced to what the report reads."""
    middle = ["left-nat", "internet", "right-nat"] if nat else ["internet"]
    kinds = {"left": "gateway", "right": "gateway", "internet": "router"}
    chain = ["left-host", "left", *middle, "right", "right-host"]
    nodes = {name: {"kind": kinds.get(name, "host" if name.endswith("host") else "nat")} for name in chain}
    links = {f"{a}-{b}": {"ends": {a: _end(a, b), b: _end(b, a)}} for a, b in pairwise(chain)}
    return {"name": "made up", "nodes": nodes, "links": links}


def _end(node: str, neighbour: str) -> Facts:
    """The end of a link; `lan` is the side away from the internet."""
    inner = neighbour.endswith("host") or (node.endswith("nat") and neighbour in ("left", "right"))
    return {"interface": neighbour.partition("-")[0] if node == "internet" else "lan" if inner else "wan"}


def sas(side: str) -> list[Facts]:
    """One side's view of an IKE SA with a CHILD SA."""
    ends = ("left", "right") if side == "left" else ("right", "left")
    nets = ("10.1.0.0/24", "10.2.0.0/24") if side == "left" else ("10.2.0.0/24", "10.1.0.0/24")
    spis = SPIS.split(":")
    return [{
        "name": "net", "version": 2, "state": "ESTABLISHED", "role": "initiator" if side == "left" else "responder",
        "spi_i": spis[0], "spi_r": spis[1], "local_host": "192.168.1.2", "local_port": 4500,
        "remote_host": "198.51.100.2", "remote_port": 4500, "local_id": f"{ends[0]}.example",
        "remote_id": f"{ends[1]}.example", "encr": "ENCR_AES_GCM_16", "encr_key_length": 256, "integ": None,
        "prf": "PRF_HMAC_SHA2_256", "ke": "CURVE25519", "nat_local": True, "nat_remote": True, "established_s": 0,
        "children": [{
            "name": "net", "state": "INSTALLED", "mode": "TUNNEL", "protocol": "ESP", "encap": True,
            "spi_in": "c0ffee01", "spi_out": "c14be002", "encr": "ENCR_AES_GCM_16", "encr_key_length": 256,
            "integ": None, "ke": None, "esn": False, "local_ts": [nets[0]], "remote_ts": [nets[1]],
            "bytes_in": 168, "bytes_out": 168, "packets_in": 2, "packets_out": 2,
        }],
    }]  # fmt: skip


def keys_json() -> Facts:
    """Keys of one IKE SA and one CHILD SA in one direction."""
    spis = SPIS.split(":")
    ike = {
        "source": "ours:left", "version": 2, "spi_i": spis[0], "spi_r": spis[1], "encr": "ENCR_AES_GCM_16",
        "encr_key_length": 256, "prf": "PRF_HMAC_SHA2_256", "integ": None, "ke": "CURVE25519",
        **{f"SK_{name}": f"{name.encode().hex()}" * 12 for name in ("d", "ei", "er", "pi", "pr")},
    }  # fmt: skip
    child = {
        "source": "ours:left", "protocol": "ESP", "spi": "c14be002", "src": "192.168.1.2", "dst": "198.51.100.2",
        "encap": True, "encr": "ENCR_AES_GCM_16", "encr_key_length": 256, "encr_key": "5e" * 32, "salt": "a7" * 4,
        "integ": None, "integ_key": "", "esn": False, "ike_spi_i": spis[0],
    }  # fmt: skip
    both = [ike, ike | {"source": "strongswan:right"}]
    return {"schema": "ikelab.keys/1", "ike": both, "child": [child]}


def mappings() -> list[Facts]:
    """What both NAT boxes translated."""
    common = {"protocol": "udp", "answered": True, "assured": True}
    return [
        {"node": "left-nat", **common, "inside": "192.168.1.2:500", "outside": "203.0.113.2:20500",
         "remote": "198.51.100.2:500", "opened_by": "inside", "timeout_s": 29},
        {"node": "left-nat", **common, "inside": "192.168.1.2:4500", "outside": "203.0.113.2:24500",
         "remote": "198.51.100.2:4500", "opened_by": "inside", "timeout_s": 118},
        {"node": "right-nat", **common, "inside": "192.168.2.2:4500", "outside": "198.51.100.2:4500",
         "remote": "203.0.113.2:24500", "opened_by": "remote", "timeout_s": 118},
    ]  # fmt: skip


def log(side: str) -> str:
    """Some lines of a daemon."""
    words = ("received", "sending", "parsed", "generating")
    lines = [
        f"{n * 0.0031:9.4f} 0{n % 9}[NET] {words[n % 4]} IKE_AUTH message on {side}, {n} octets" for n in range(80)
    ]
    return "\n".join(lines) + "\n"


def config(side: str) -> str:
    """A swanctl.conf."""
    other = "right" if side == "left" else "left"
    return f"""connections {{
  net {{
    version = 2
    proposals = aes256gcm16-prfsha256-x25519
    local {{ auth = psk
      id = {side}.example }}
    remote {{ auth = psk
      id = {other}.example }}
    children {{
      net {{
        local_ts = 10.{1 if side == "left" else 2}.0.0/24
        remote_ts = 10.{2 if side == "left" else 1}.0.0/24
        esp_proposals = aes256gcm16
      }}
    }}
  }}
}}
"""


def _write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
