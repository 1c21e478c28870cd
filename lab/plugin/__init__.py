"""The pytest plugin `ikelab`: scenarios are pytest functions that take `lab`, `left` and `right`.

Rules: inert until a scenario runs - collecting needs neither root nor mininet, and other people's tests see only four
registered marks. A function that takes `left` and `right` is run once per pairing; what it declares is described in
`meta`, how it is judged in `verdict`, what it may ask for in `laboratory`. Without `--ikelab-out` the scenarios run all
the same, and their evidence goes to pytest's temporary directory.
"""

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.matrix import wanted
from lab.plugin import meta
from lab.plugin.records import Records
from lab.plugin.selection import Plan, keep
from lab.plugin.verdict import FAILED, UNSUPPORTED, Verdict, judge

if TYPE_CHECKING:
    from lab.plugin.gateway import Gateway
    from lab.plugin.laboratory import Lab

PLAN = pytest.StashKey[Plan]()
LAB: "pytest.StashKey[Lab]" = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options that `ikelab run` gives to the pytest inside the guest."""
    group = parser.getgroup("ikelab", "IPsec interoperability scenarios")
    group.addoption("--ikelab-out", type=Path, help="directory of the run: results and evidence go here")
    group.addoption("--ikelab-plan", type=Path, help="JSON file with the scenarios to run and their order")
    group.addoption("--ikelab-events", type=Path, help="file to append a JSON line to for every scenario begun or over")
    group.addoption("--ikelab-peer", action="append", default=[], help="only pairings with our stack and this peer")
    group.addoption("--ikelab-role", default="both", help="only pairings with our stack in this role")
    group.addoption("--ikelab-pause", type=Path, help="keep the network of a failed scenario until this file exists")
    group.addoption("--ikelab-seed", type=int, default=1, help="seed of everything random that the lab decides")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks; read the plan if there is one."""
    for mark, text in meta.MARKS.items():
        config.addinivalue_line("markers", f"{mark}: {text}")
    path = config.getoption("--ikelab-plan", None)
    config.stash[PLAN] = Plan.read(path) if path else Plan()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One run per pairing for every function that takes both gateways."""
    if not {"left", "right"} <= set(metafunc.fixturenames):
        return
    marks = list(metafunc.definition.iter_markers("pairings"))
    peers, role = metafunc.config.getoption("--ikelab-peer"), metafunc.config.getoption("--ikelab-role")
    chosen = [pairing for pairing in meta.declared_pairings(marks) if wanted(pairing, peers, role)]
    metafunc.parametrize("pairing", chosen, ids=str)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep what the plan names, in its order."""
    kept, dropped = keep(items, config.stash[PLAN], root(config))
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


def root(config: pytest.Config) -> Path:
    """The directory that scenario ids are relative to: the one of the ini file."""
    return config.rootpath


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Around a scenario: judge how it ended, check the evidence, write the result."""
    opened = pyfuncitem.stash.get(LAB, None)
    if opened is None:
        return (yield)
    try:
        result = yield
    except BaseException as error:
        resume = pyfuncitem.config.getoption("--ikelab-pause")
        if resume is not None and judge(error).word == FAILED:
            opened.pause(resume)
        opened.conclude(judge(error))
        raise
    opened.conclude(judge(None))
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A scenario that could not even be concluded still gets a result, with what broke."""
    report = yield
    opened = item.stash.get(LAB, None)
    if opened is not None and call.excinfo is not None and opened.verdict is None:
        opened.settle(judge(call.excinfo.value))
    return report


@pytest.fixture
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> "Generator[Lab, None, None]":
    """The laboratory of one scenario: network, peers, evidence."""
    # Imported here, because this is where mininet, pyroute2 and the peers' drivers come in.
    from lab.plugin.laboratory import open_lab  # noqa: PLC0415

    config, item = request.config, request.node
    scenario = meta.scenario(item, root(config))
    if scenario is None:
        raise pytest.UsageError(f"{item.nodeid} takes `lab` but not `left` and `right`")
    out = config.getoption("--ikelab-out") or tmp_path
    records = Records(out, config.stash[PLAN], config.getoption("--ikelab-events"))
    with open_lab(scenario, records, config.getoption("--ikelab-seed")) as opened:
        item.stash[LAB] = opened
        if lacks := scenario.pairing.lacks(scenario.needs):
            opened.settle(Verdict(UNSUPPORTED, lacks))
            pytest.skip(lacks)
        yield opened


@pytest.fixture
def left(lab: "Lab", pairing: object) -> "Gateway":
    """The initiator's gateway."""
    return lab.left


@pytest.fixture
def right(lab: "Lab", pairing: object) -> "Gateway":
    """The responder's gateway."""
    return lab.right
