"""What holds for all tests."""

import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

try:
    import hypothesis
except ImportError:  # the guest has none, nor a test that wants it
    pass
else:
    # How long it takes to draw an example says how busy the machine is, and nothing of the lab.
    hypothesis.settings.register_profile("any-load", suppress_health_check=[hypothesis.HealthCheck.too_slow])
    hypothesis.settings.load_profile("any-load")

# Tests, reports and modules are kept by the ten thousand: with its usual threshold the garbage collector takes a fifth
# of the time.
gc.set_threshold(20_000, 10, 10)

# A shell without job control starts background commands with SIGINT ignored, and every child inherits that. Tests of
# Ctrl-C must not depend on how they were started.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests start dozens of processes, and each would compile all that it imports where no bytecode may be written beside
# the source. In the guest the source is read only, and it has a cache of its own.
if sys.dont_write_bytecode and sys.pycache_prefix is None and "IKELAB_GUEST" not in os.environ:
    sys.dont_write_bytecode = False
    sys.pycache_prefix = str(Path(__file__).parents[1] / ".pytest_cache" / "bytecode")
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Under `-n`, a file is one piece of work, but the tests of one marked `apart` fill the processes up at the end."""
    if not config.pluginmanager.hasplugin("xdist"):
        return
    for item in items:
        if item.get_closest_marker("apart") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.as_posix()))


def pytest_collection_finish() -> None:
    """Thousands of tests and all modules stay to the end: garbage is looked for among what came later."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def no_index_of_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What a test runs does not join the index of the runs that people made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IKELAB_HISTORY", str(tmp_path_factory.getbasetemp() / "history.db"))
        yield
