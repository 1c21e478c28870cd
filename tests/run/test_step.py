"""`ikelab run --step`: what the terminal shows and asks; in a guest, that nothing moves while somebody thinks."""

import io
import json
import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

from lab.emulation.gate.step import ALL, MESSAGES
from lab.evidence.files import append_line
from lab.matrix import Pairing
from lab.plugin.meta import Scenario
from lab.run.progress import Screen
from lab.run.step import PROMPT, Stepping

ROOT = Path(__file__).parents[2]
SCENARIO = Scenario("ikev2/cookie", Pairing("ours", "strongswan"), "", "A cookie is demanded.")
INIT = {"kind": "IKE", "exchange": "IKE_SA_INIT", "message_id": 0, "payloads": ["SAi1", "KEi", "Ni"]}
REQUEST = {"token": "1-1", "t": 100.0, "from": "left", "to": "right", "held": True, "passed": {}, **INIT}
ANSWER = {**REQUEST, "token": "1-2", "t": 100.25, "from": "right", "to": "left", "payloads": None}


def shown(tmp_path, answers, *lines):
    """What was said about these lines, and the files that let messages go on."""
    screen = io.StringIO()
    stepping = Stepping(tmp_path / "step", Screen(["ikev2/cookie"], screen), io.StringIO(answers))
    for line in lines:
        append_line(tmp_path / "step" / MESSAGES, line)
    try:
        stepping.look(SCENARIO)
    finally:
        files = {path.name for path in (tmp_path / "step").iterdir()} - {MESSAGES}
    return screen.getvalue(), files


def test_each_message_is_a_rung_and_a_question(tmp_path):
    text, files = shown(
        tmp_path, "\n\n", {**REQUEST, "response": False}, {**ANSWER, "response": True, "passed": {"ESP": 3}},
        {"token": "1-2", "waited_s": 0.0, "did": ["drop"]},
    )  # fmt: skip
    assert files == {"1-1", "1-2"}
    assert text.splitlines()[1:] == [
        "ikev2/cookie  ours>strongswan",
        "A cookie is demanded.",
        "  0.0000   left  ---->  right   IKE_SA_INIT request 0 {SAi1 KEi Ni}",
        PROMPT,
        "           (3 ESP in between)",
        "  0.2500   left  <----  right   IKE_SA_INIT response 0 {sealed}",
        PROMPT,
        "           the gate's rules: drop",
    ]


@pytest.mark.parametrize("answers", ["c\n", ""])
def test_c_and_the_end_of_the_input_end_the_questions(tmp_path, answers):
    text, files = shown(tmp_path, answers, REQUEST, ANSWER)
    assert files == {ALL} and text.count(PROMPT) == 1 and text.count("IKE_SA_INIT") == 2


def test_q_interrupts(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        shown(tmp_path, "q\n", REQUEST, ANSWER)
    assert {path.name for path in (tmp_path / "step").iterdir()} == {MESSAGES}


def command(tmp_path):
    arguments = ["ikev2/cookie:ours>strongswan", "--step", "--out", str(tmp_path / "out")]
    return [sys.executable, "-m", "lab", "run", *arguments]


def read_until(terminal, words, limit_s=60.0):
    """What comes from a terminal up to these words; fails where nothing comes for so long."""
    text = ""
    while words not in text:
        assert select.select([terminal], [], [], limit_s)[0], f"nothing comes after {text!r}"
        text += os.read(terminal, 4096).decode()
    return text


@pytest.mark.guest
def test_nothing_moves_in_the_guest_while_somebody_thinks(tmp_path):
    ours, theirs = pty.openpty()
    with subprocess.Popen(command(tmp_path), cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs) as run:
        os.close(theirs)
        try:
            first = read_until(ours, PROMPT)
            assert first.count("---->") == 1, first
            # A virtual clock that went on would be through with all retransmissions by now.
            assert not select.select([ours], [], [], 3.0)[0], os.read(ours, 4096)
            os.write(ours, b"\n")
            assert read_until(ours, PROMPT).count("IKE_SA_INIT") == 1
            os.write(ours, b"c\n")
            rest = read_until(ours, "report:")
            assert rest.count(PROMPT) == 0 and rest.count("IKE_AUTH") == 2, rest
        finally:
            os.write(ours, b"c\nc\nc\n")
            assert run.wait(60) == 0
            os.close(ours)
    (file,) = (tmp_path / "out").rglob(MESSAGES)
    waited = [line["waited_s"] for line in map(json.loads, file.read_text().splitlines()) if "did" in line]
    # Of the seconds that went by at the first message, the guest's clock has next to none.
    assert len(waited) == 7 and max(waited) < 0.01, waited


@pytest.mark.guest
def test_q_ends_the_run_and_keeps_what_there_is(tmp_path):
    done = subprocess.run(
        command(tmp_path), cwd=ROOT, input="\nq\n", capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 130, done.stderr
    assert done.stderr.count(PROMPT) == 2
    assert (tmp_path / "out" / "index.html").is_file()
