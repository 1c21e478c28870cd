"""The keys, as keys.json has them: of IKE SAs from pluto's log, of ESP those that the kernel got. keys.py LOGS KEYS

Of an IKE SA pluto logs what seals its messages (SK_e*, SK_a*), and nothing that other keys are derived from.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from kernel import states
from pluto import ike_sas

ALSO = ("gone", "mode", "bytes", "packets")
SUITE = ("encr", "encr_key_length", "integ", "prf", "ke", "spi_i", "spi_r")


def main(logs: Path, keys: Path) -> None:
    """Print every SA there was, once."""
    with (logs / "pluto.log").open(errors="replace") as lines:
        ike = [
            {name: sa[name] for name in SUITE} | sa["keys"] | {"partial": True}
            for sa in ike_sas(lines).values()
            if "keys" in sa
        ]
    child = {one["spi"]: one for one in states((keys / "kernel").read_text())}
    kept = [{name: value for name, value in one.items() if name not in ALSO} for one in child.values()]
    print(json.dumps({"ike": ike, "child": kept}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
