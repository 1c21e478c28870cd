"""The command itself, with guests: slow, and needs the image."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.guest.ordinary import user_with_image

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.guest, pytest.mark.slow]


def ikelab(*arguments):
    command = [sys.executable, "-m", "lab", "run", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)


def test_our_stack_and_strongswan_in_a_guest(tmp_path):
    done = ikelab("ikev2/plain-tunnel", "--peer", "strongswan", "--out", str(tmp_path / "out"), "--json")
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)
    assert run["kernel"]["kind"] == "guest" and run["versions"]["strongswan"][0].isdigit()
    assert {result["pairing"] for result in run["results"]} >= {"ours>strongswan", "strongswan>ours"}
    for result in run["results"]:
        place = tmp_path / "out" / result["dir"]
        names = {path.name for path in place.iterdir()}
        assert names >= {
            "wire.pcapng",
            "clear.pcapng",
            "keys.json",
            "ladder.json",
            "sas.json",
            "nat.json",
            "index.html",
        }
        steps = {step["name"]: step for step in json.loads((place / "result.json").read_text())["steps"]}
        assert steps["keys"]["detail"] == "equal keys on both sides: 1 IKE SA, 2 IPsec SAs"
        assert steps["tshark"]["verdict"] == "passed", steps["tshark"]


def keys_of_a_run(out, seed):
    done = ikelab("ikev2/plain-tunnel:ours>ours", "--seed", seed, "--out", str(out))
    assert done.returncode == 0, done.stderr
    return json.loads((out / "scenarios" / "ikev2" / "plain-tunnel" / "ours-to-ours" / "keys.json").read_text())


def test_a_seed_gives_the_same_keys_again(tmp_path):
    first, again, other = (keys_of_a_run(tmp_path / name, name[0]) for name in ("7", "7 again", "8"))
    assert first == again
    assert first != other


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_an_ordinary_user_runs_scenarios():
    """No root, no capability, no user namespace."""
    with user_with_image() as (python, environment, home):
        command = [*python, "-m", "lab", "run", "nat/both-sides:strongswan>ours", "--out", str(home / "out"), "--json"]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["counts"]["passed"] == 1
