import errno
import json
import os
from ipaddress import ip_network
from pathlib import Path

import pytest

from lab.backends.xfrm import policies
from lab.backends.xfrm.link import Link
from lab.backends.xfrm.messages import (
    UPDSA,
    NewSa,
)
from lab.backends.xfrm.record import NAME, Record
from lab.backends.xfrm.selectors import KernelSelector, Side
from lab.backends.xfrm.states import SKIPPED, Key, carried_over, probe
from lab.backends.xfrm.structs import Counted, Replay, ReplayEsn
from lab.errors import UnfitError

ONE, TWO = (
    ("state", "192.0.2.1", "01020304", 50, "192.0.2.2", 7),
    ("policy", 1, [0, ["10.0.0.0/8", 0, 0], ["10.2.0.0/24", 0, 0]], 7),
)


def test_what_was_added_and_not_taken_out_is_left_over_the_newest_first(tmp_path: Path) -> None:
    record = Record(tmp_path)
    record.begin()
    for entry in (ONE, TWO, ("state", "x")):
        record.add(entry)
    record.gone(("state", "x"))
    assert Record(tmp_path).left_over() == [TWO, ONE]
    assert Key.of_entry(Record(tmp_path).left_over()[1]).entry() == ONE
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


def test_a_line_cut_short_is_no_line(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(json.dumps(["add", *ONE]) + '\n["add", "sta')
    assert Record(tmp_path).left_over() == [ONE]


def test_what_daemons_wrote_before_xfrm_interfaces_still_names_its_policy(tmp_path: Path) -> None:
    """Their lines had no if_id: what they name is the policy of no interface."""
    (tmp_path / NAME).write_text(json.dumps(["add", *TWO]) + "\n")
    (entry,) = Record(tmp_path).left_over()
    selector = KernelSelector(Side(ip_network("10.0.0.0/8")), Side(ip_network("10.2.0.0/24")))
    assert policies.Key.of_entry(entry) == (policies.Key(1, selector, 0), 7)
    key = policies.Key(1, selector, 9)
    assert policies.Key.of_entry(key.entry(7)) == (key, 7)


def test_lines_that_are_none_of_ours_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("7\nnonsense\n[]\n" + json.dumps(["add", *ONE]) + "\n")
    assert Record(tmp_path).left_over() == [ONE]


@pytest.mark.parametrize("words", [("policy", 1), ("policy", 1, 7, 7), ("policy", 1, [0, "x", "y"], 7, 0)])
def test_a_policy_that_cannot_be_read_is_told_apart(words: tuple[object, ...]) -> None:
    with pytest.raises(ValueError):
        policies.Key.of_entry(words)


def test_a_clean_end_leaves_no_file_and_no_directory_means_no_record(tmp_path: Path) -> None:
    record = Record(tmp_path)
    record.begin()
    record.add(ONE)
    record.close()
    assert list(tmp_path.iterdir()) == [] == Record(tmp_path).left_over()
    nowhere = Record(None)
    nowhere.begin()
    nowhere.add(ONE)
    assert nowhere.left_over() == []
    nowhere.close()


def found(attribute: str, value: bytes) -> NewSa:
    message = NewSa()
    message.update({"curlft": {"bytes": 9, "packets": 1}, "attrs": [(attribute, value)]})
    return message


def test_a_state_that_moves_never_uses_a_sequence_number_twice() -> None:
    esn = ReplayEsn.pack({"bmp_len": 2, "oseq": 2**32 - 1, "oseq_hi": 3, "seq": 5, "replay_window": 64}) + b"bitmaps!"
    (_, counted), (name, moved) = carried_over(found("XFRMA_REPLAY_ESN_VAL", esn))
    state = ReplayEsn.read(moved)
    assert name == "XFRMA_REPLAY_ESN_VAL" and Counted.read(counted)["bytes"] == 9
    assert state["oseq_hi"] << 32 | state["oseq"] == (3 << 32 | 2**32 - 1) + SKIPPED
    assert state["seq"] == 5 and moved.endswith(b"bitmaps!")


@pytest.mark.parametrize(("before", "after"), [(0, 0), (7, 7 + SKIPPED), (2**32 - 5, 2**32 - 1)])
def test_without_esn_the_sequence_number_stops_at_its_end(before: int, after: int) -> None:
    old = Replay.pack({"oseq": before, "seq": 3, "bitmap": 1})
    _, (_, moved) = carried_over(found("XFRMA_REPLAY_VAL", old))
    assert Replay.read(moved) == {"oseq": after, "seq": 3, "bitmap": 1}


class Kernel:
    """A link to a kernel that answers as told."""

    def __init__(self, code: int) -> None:
        self.code, self.asked = code, []

    def ask(self, kind: int, message: NewSa) -> list[bytes]:
        self.asked.append((kind, message["id"].get("spi")))
        raise OSError(self.code, os.strerror(self.code))


def test_a_kernel_without_esp_is_unfit_and_says_what_mends_it() -> None:
    with pytest.raises(UnfitError, match=r"no ESP.*modprobe -a esp4.*userspace"):
        probe(Kernel(errno.EPROTONOSUPPORT))


def test_the_probe_is_an_update_of_what_cannot_exist() -> None:
    kernel = Kernel(errno.ESRCH)
    probe(kernel)
    assert kernel.asked == [(UPDSA, None)]


def test_a_kernel_without_xfrm_is_unfit_and_says_what_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(errno.EPROTONOSUPPORT, "Protocol not supported")

    monkeypatch.setattr("lab.backends.xfrm.link.socket.socket", refuse)
    with pytest.raises(UnfitError, match=r"no XFRM.*modprobe xfrm_user.*userspace"):
        Link()
