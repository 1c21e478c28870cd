import pytest

from lab.errors import ConfigError
from lab.run.options import Options, run_directory


@pytest.mark.parametrize(
    "given",
    [
        {"peers": ("sonicwall",)},
        {"role": "spectator"},
        {"kernel": "moon"},
        {"jobs": 0},
        {"repeat": 0},
        {"pause_on_failure": True, "cluster": "local"},
    ],
)
def test_what_cannot_be_meant_is_refused(given):
    with pytest.raises(ConfigError):
        Options(**given).check()


def test_sane_options_pass():
    Options(peers=("strongswan",), role="initiator", kernel="host", pause_on_failure=True).check()


def test_a_fresh_directory_may_be_used(tmp_path):
    assert run_directory(Options(out=tmp_path / "new"), "id") == tmp_path / "new"


def test_an_earlier_runs_directory_may_be_used_again(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "scenarios").mkdir()
    assert run_directory(Options(out=tmp_path), "id") == tmp_path


def test_somebody_elses_files_are_never_in_danger(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match=r"thesis\.tex"):
        run_directory(Options(out=tmp_path), "id")


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(ConfigError, match="is a file"):
        run_directory(Options(out=tmp_path / "out"), "id")
