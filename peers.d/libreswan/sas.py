"""The SAs as sas.json has them: states of whack, SPIs of the log, ESP of the kernel. sas.py CONFIG LOGS"""

import json
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from kernel import states
from pluto import ike_sas

WHACK = ("/usr/libexec/ipsec/whack", "--rundir", "/run/pluto")
_STATE = re.compile(r'^#(\d+): "([^"]+)"(?:\[\d+\] \S+?)?:\d+ (\w+) ')
_PARENT = re.compile(r"; IKE SA #(\d+);")
_SPIS = re.compile(r"^#(\d+): .* esp\.([0-9a-f]+)@(\S+) esp\.([0-9a-f]+)@(\S+) ")
STATES = {"ESTABLISHED_IKE_SA": "ESTABLISHED"}


def main(config: Path, logs: Path) -> None:
    """Print every IKE SA with its children."""
    shown = told(*WHACK, "--showstates").splitlines()
    kernel = {one["spi"]: one for one in states(told("ip", "-s", "xfrm", "state"))}
    with (logs / "pluto.log").open(errors="replace") as lines:
        known = ike_sas(lines)
    wishes = json.loads((config / "connection.json").read_text())["connections"]
    names = {name: (ike, child) for name, ike, child in map(str.split, (config / "names").read_text().splitlines())}
    print(json.dumps(views(shown, known, kernel, wishes, names)))


def told(*argv: str) -> str:
    """The output of a command; its complaints are passed on."""
    return subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout


def views(shown: list, known: dict, kernel: dict, wishes: dict, names: dict) -> list:
    """The SAs, an IKE SA before its children."""
    spis = {found[1]: found.groups()[1:] for line in shown if (found := _SPIS.match(line))}
    lines = [(*found.groups(), _PARENT.search(line)) for line in shown if (found := _STATE.match(line))]
    sas = {}
    for number, connection, state, parent in lines:
        if parent is None and number in known:
            ike, _ = names[connection]
            sas[number] = ike_view(ike, state, known[number], wishes[ike])
    for number, connection, state, parent in lines:
        if state == "ESTABLISHED_CHILD_SA" and number in spis and parent and parent[1] in sas:
            ike, child = names[connection]
            there, here = spis[number][0].zfill(8), spis[number][2].zfill(8)
            view = child_view(child, here, there, kernel, wishes[ike]["children"][child])
            sas[parent[1]]["children"].append(view)
            sas[parent[1]] |= {"local_host": spis[number][3], "remote_host": spis[number][1]}
    return list(sas.values())


def ike_view(name: str, state: str, known: dict, wishes: dict) -> dict:
    """An IKE SA without its children."""
    facts = {key: value for key, value in known.items() if key != "keys"}
    ids = {f"{side}_id": wishes[side]["id"] for side in ("local", "remote")}
    return {"name": name, "state": STATES.get(state, state), "children": [], **ids, **facts}


def child_view(name: str, here: str, there: str, kernel: dict, wishes: dict) -> dict:
    """A CHILD SA; what the kernel does not have is not installed."""
    inbound, outbound = kernel.get(here, {}), kernel.get(there, {})
    return {
        "name": name,
        "state": "INSTALLED" if inbound and outbound else "INSTALLING",
        "spi_in": here,
        "spi_out": there,
        "mode": inbound.get("mode", ""),
        "encap": bool(inbound.get("encap")),
        "encr": inbound.get("encr"),
        "encr_key_length": inbound.get("encr_key_length") or 0,
        "integ": inbound.get("integ"),
        "esn": bool(inbound.get("esn")),
        "local_ts": wishes["local_ts"],
        "remote_ts": wishes["remote_ts"],
        **{f"{what}_{way}": one.get(what, 0) for way, one in (("in", inbound), ("out", outbound))
           for what in ("bytes", "packets")},
    }  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
