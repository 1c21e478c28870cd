"""Run tests of this directory inside a guest, for what only a kernel with everything in it can show."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
PYTEST = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib", "-rfE"]


def pass_in_the_guest(tests: list[str], results: Path, *, virtual: bool = False, limit_s: float = 180) -> None:
    """AssertionError with the end of pytest's output unless all of these tests pass in a guest."""
    from lab.guest import boot  # noqa: PLC0415  (not needed, and not to be had, where the tests run inside)

    lines: list[str] = []
    done = boot.run(
        ["python3", *PYTEST, *tests],
        source=ROOT,
        results=results,
        output=lines.append,
        limit_s=limit_s,
        virtual_time=virtual,
    )
    assert done.exit_code == 0, "\n".join([done.reason, *lines[-80:]])
