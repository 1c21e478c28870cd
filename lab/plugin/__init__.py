"""The pytest plugin `ikelab`: scenarios are pytest functions that take `lab`, `left` and `right`.

Rules: inert until a scenario is there. Other people's tests see the options, the registered marks and three fixtures
that they may hide by their own; nothing else of the lab is imported for them, and collecting scenarios needs neither
root nor mininet. A function that takes the plugin's `left` and `right` is run once per pairing; what it declares is
described in `meta`, how it is judged in `verdict`, what it may ask for in `laboratory`. Scenarios that are not to run
in this very process never come here: `lab.run.suite` hands them to a run. Those that do leave their evidence where
`--ikelab-out` says, or in pytest's temporary directory.
"""

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.plugin.marks import MARKS

if TYPE_CHECKING:
    from lab.plugin.gateway import Gateway
    from lab.plugin.laboratory import Lab
    from lab.plugin.selection import Plan

# What a scenario's function asks for, itself or through these fixtures. Tests that merely have a `left` and a `right`
# of their own lack the others.
OURS = {"lab", "left", "right", "pairing"}
PLAN: "pytest.StashKey[Plan]" = pytest.StashKey()
LAB: "pytest.StashKey[Lab]" = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options that `ikelab run` gives to the pytest inside the guest."""
    group = parser.getgroup("ikelab", "IPsec interoperability scenarios")
    group.addoption("--ikelab-out", type=Path, help="directory of the run: results and evidence go here")
    group.addoption("--ikelab-plan", type=Path, help="JSON file with the scenarios to run and their order")
    group.addoption("--ikelab-events", type=Path, help="file to append a JSON line to for every scenario begun or over")
    group.addoption("--ikelab-peer", action="append", default=[], help="only pairings with our stack and this peer")
    group.addoption("--ikelab-role", default="both", help="only pairings with our stack in this role")
    group.addoption("--ikelab-pause", type=Path, help="have a failed scenario serve its network on this socket")
    group.addoption("--ikelab-step", type=Path, help="hold each IKE message until a file in this directory lets it go")
    group.addoption("--ikelab-seed", type=int, default=1, help="seed of everything random that the lab decides")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks."""
    for mark, text in MARKS.items():
        config.addinivalue_line("markers", f"{mark}: {text}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One run per pairing for every function that takes both gateways."""
    if not set(metafunc.fixturenames) >= OURS:
        return
    # Here and below: not imported before there is a scenario, because everybody's pytest loads this file.
    from lab.matrix import wanted  # noqa: PLC0415
    from lab.plugin import meta  # noqa: PLC0415

    marks = list(metafunc.definition.iter_markers("pairings"))
    peers, role = metafunc.config.getoption("--ikelab-peer"), metafunc.config.getoption("--ikelab-role")
    chosen = [pairing for pairing in meta.declared_pairings(marks) if wanted(pairing, peers, role)]
    metafunc.parametrize("pairing", chosen, ids=str)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the pairings that a parameter excludes; keep what the plan names, in its order."""
    if not any(set(getattr(item, "fixturenames", ())) >= OURS for item in items):
        return
    from lab.plugin import meta  # noqa: PLC0415
    from lab.plugin.selection import Plan, keep  # noqa: PLC0415

    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        (dropped if meta.excluded(item) else kept).append(item)
    path = config.getoption("--ikelab-plan")
    if path is not None:
        config.stash[PLAN] = Plan.read(path)
        kept, others = keep(kept, config.stash[PLAN], root(config))
        dropped += others
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
    from lab.plugin.verdict import FAILED, judge  # noqa: PLC0415

    try:
        result = yield
    except BaseException as error:
        where = pyfuncitem.config.getoption("--ikelab-pause")
        if where is not None and judge(error).word == FAILED:
            opened.pause(where)
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
        from lab.plugin.verdict import judge  # noqa: PLC0415

        opened.settle(judge(call.excinfo.value))
    return report


@pytest.fixture
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> "Generator[Lab, None, None]":
    """The laboratory of one scenario: network, peers, evidence."""
    # This is where mininet, pyroute2 and the peers' drivers come in.
    from lab.plugin import meta  # noqa: PLC0415
    from lab.plugin.laboratory import open_lab  # noqa: PLC0415
    from lab.plugin.records import Records  # noqa: PLC0415
    from lab.plugin.selection import Plan  # noqa: PLC0415
    from lab.plugin.verdict import UNSUPPORTED, Verdict  # noqa: PLC0415

    config, item = request.config, request.node
    scenario = meta.scenario(item, root(config))
    if scenario is None:
        raise pytest.UsageError(f"{item.nodeid} takes `lab` but not `left` and `right`")
    out = config.getoption("--ikelab-out") or tmp_path
    records = Records(out, config.stash.get(PLAN, Plan()), config.getoption("--ikelab-events"))
    with open_lab(scenario, records, config.getoption("--ikelab-seed")) as opened:
        item.stash[LAB] = opened
        opened.stepping = config.getoption("--ikelab-step")
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
