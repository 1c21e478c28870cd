"""Runs made up for the tests: the formats are real, the facts are invented."""

from pathlib import Path
from typing import Any

from lab.evidence.files import write_json
from lab.evidence.results import Kernel, Result, Run, count, write_result

Facts = dict[str, Any]
LADDER = [("IKE_SA_INIT", 0), ("IKE_AUTH", 1), ("CREATE_CHILD_SA", 2)]


def leaf(name: str, value: str, octets: int = 4) -> Facts:
    return {"name": name, "value": value, "at": [0, octets]}


def part(name: str, *children: Facts) -> Facts:
    return {"name": name, "value": "", "at": [0, 8], "children": list(children)}


def entry(n: int, exchange: str, number: int, *, response: bool, spi: str, began: float) -> Facts:
    here, there = ("right", "left") if response else ("left", "right")
    return {
        "n": n, "t_sent": began + n * 0.1, "from": here, "to": there, "protocol": "IKEv2", "exchange": exchange,
        "message_id": number, "response": response, "payloads": ["SA", "NONCE"], "encrypted": number > 0,
        "opened": None, "retransmit_of": None, "lost": False, "spi": spi, "udp": True,
    }  # fmt: skip


def messages(*, spi: str = "a1:b2", nonce: str = "00", encr: str = "AES", began: float = 1000.0) -> tuple[list, list]:
    """ladder.json and detail.json of three exchanges."""
    ladder, detail = [], []
    for exchange, number in LADDER:
        for response in (False, True):
            ladder.append(entry(len(ladder), exchange, number, response=response, spi=spi, began=began))
            tree = [
                part("SA", leaf("SPI", spi), part("Transform", leaf("ID", encr))),
                part("NONCE", leaf("Nonce", nonce)),
            ]
            detail.append({"n": len(detail), "tree": tree})
    return ladder, detail


def write(
    directory: Path, verdicts: dict[str, str], *, started: str = "2026-01-01T00:00:00+00:00", source: str = "s",
    ladder: tuple[list, list] | None = None, seed: int = 1,
) -> Path:  # fmt: skip
    """A run directory with one scenario for each verdict; all of them with these messages."""
    results = []
    for name, verdict in verdicts.items():
        result = Result(id=name, pairing="ours>strongswan", verdict=verdict, dir=f"scenarios/{name}/ours-to-strongswan")
        write_result(result, directory / result.dir)
        for file, rows in zip(("ladder.json", "detail.json"), ladder or messages(), strict=True):
            write_json(directory / result.dir / file, rows)
        results.append(result.summary())
    run = Run(
        run_id=directory.name, started=started, command="ikelab run", seed=seed, duration_s=1.0,
        kernel=Kernel(kind="guest", release="1"), versions={"source": source, "strongswan": "6.0.1"},
        counts=count(results), results=results,
    )  # fmt: skip
    write_json(directory / "run.json", run)
    return directory
