"""An import in `lab/` may only go down a floor (or stay inside its package)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = {
    "lab.__main__": 9,
    "lab.cli": 8,
    **dict.fromkeys(("lab.plugin", "lab.matrix", "lab.report", "lab.run", "lab.history", "lab.life"), 7),
    **dict.fromkeys(("lab.emulation", "lab.peers", "lab.guest", "lab.evidence"), 6),
    **dict.fromkeys(("lab.daemon", "lab.backends", "lab.templates"), 5),
    "lab.endpoint": 4,
    **dict.fromkeys(("lab.ikev2", "lab.ikev1"), 3),
    **dict.fromkeys(("lab.ike", "lab.ipsec"), 2),
    "lab.crypto": 1,
    **dict.fromkeys(("lab.wire", "lab.errors", "lab.progress", "lab.trace", "lab"), 0),
}
# The pairs on one floor that may meet: the CHILD SA of IKE is what the data plane carries, a daemon drives a backend,
# a peer runs in a node, the packet gate reads IKE as the evidence does, a run is made of pairings and ends in a report,
# a page shows what two runs differ in,
# a lab stands as in a scenario and a scenario that failed becomes a lab.
NEIGHBOURS = {
    ("lab.peers", "lab.emulation"),
    ("lab.peers", "lab.evidence"),
    ("lab.emulation", "lab.evidence"),
    ("lab.wire", "lab.errors"),
    ("lab.ike", "lab.ipsec"),
    ("lab.ipsec", "lab.ike"),
    ("lab.daemon", "lab.backends"),
    ("lab.plugin", "lab.matrix"),
    ("lab.run", "lab.matrix"),
    ("lab.run", "lab.plugin"),
    ("lab.run", "lab.report"),
    ("lab.run", "lab.history"),
    ("lab.report", "lab.history"),
    ("lab.life", "lab.matrix"),
    ("lab.life", "lab.plugin"),
    ("lab.life", "lab.run"),
    ("lab.plugin", "lab.life"),
    ("lab.run", "lab.life"),
}
FILES = sorted((ROOT / "lab").rglob("*.py"))


def package(module: str) -> str:
    return ".".join(module.split(".")[:2])


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            base = node.module or ""
            # `from lab import trace` names a module, `from lab import __version__` does not
            names = [f"lab.{alias.name}" for alias in node.names] if base == "lab" else [base]
            found.update(name if name in FLOORS or base != "lab" else "lab" for name in names)
    return {package(name) for name in found if name == "lab" or name.startswith("lab.")}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path: Path) -> None:
    parts = path.relative_to(ROOT).with_suffix("").parts
    here = package(".".join(parts if parts[-1] != "__init__" else parts[:-1]))
    for there in imports(path):
        if there == here:
            continue
        allowed = FLOORS[there] < FLOORS[here] or (here, there) in NEIGHBOURS
        assert allowed, f"{path.relative_to(ROOT)} (floor {FLOORS[here]}) imports {there} (floor {FLOORS[there]})"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_crypto_floor_imports_cryptography(path: Path) -> None:
    names = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    users = {name for name in names if name.split(".")[0] == "cryptography"}
    assert not users or path.is_relative_to(ROOT / "lab" / "crypto"), f"{path.relative_to(ROOT)} imports {users}"


def test_every_package_has_a_floor() -> None:
    packages = {package(".".join(path.relative_to(ROOT).with_suffix("").parts)) for path in FILES}
    assert {name.removesuffix(".__init__") for name in packages} <= set(FLOORS)


IKE_VERSIONS = {0, 1, 2, "0", "1", "2"}


def version_of(node: ast.expr) -> bool:
    """Whether an expression is `x.version`, `x["version"]` or `x.get("version")`."""
    named = [one.value for one in ast.walk(node) if isinstance(one, ast.Constant)]
    return (isinstance(node, ast.Attribute) and node.attr == "version") or (
        isinstance(node, ast.Subscript | ast.Call) and "version" in named
    )


def branches_on_version(tree: ast.AST) -> list[int]:
    """The lines that compare a version with a number of IKE's; those of IP are 4 and 6."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Match) and version_of(node.subject):
            found.append(node.lineno)
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            constants = {one.value for one in sides if isinstance(one, ast.Constant)}
            if any(map(version_of, sides)) and constants & IKE_VERSIONS:
                found.append(node.lineno)
    return found


def test_what_branches_on_the_version_is_found() -> None:
    lines = ["if c.version == 1: pass", "if 2 != c['version']: pass", "x = c.get('version') == '1'"]
    assert branches_on_version(ast.parse("\n".join(lines))) == [1, 2, 3]
    assert branches_on_version(ast.parse("match sa.version:\n    case 1: pass")) == [1]
    assert not branches_on_version(ast.parse("x = ip.version == 4 or tls.version == '1.2' or c.version == sa.version"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_endpoint_branches_on_the_version(path: Path) -> None:
    """IKEv1 and IKEv2 share values and no control flow. Evidence, which reads captures of either, is above."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    here = package(".".join(parts if parts[-1] != "__init__" else parts[:-1]))
    if FLOORS[here] < 6 and here != "lab.endpoint":
        lines = branches_on_version(ast.parse(path.read_text()))
        assert not lines, f"{path.relative_to(ROOT)} compares a version of IKE in lines {lines}"


def test_the_two_versions_do_not_import_each_other() -> None:
    for one, other in (("ikev1", "lab.ikev2"), ("ikev2", "lab.ikev1")):
        files = [path for path in FILES if path.is_relative_to(ROOT / "lab" / one)]
        assert files and not any(other in imports(path) for path in files)


def test_no_test_writes_into_what_is_frozen() -> None:
    """Pairs of endpoints share the configurations that they read; only peers, which nobody shares, may be bent."""
    tests = [path for path in (ROOT / "tests").rglob("*.py") if path.parent.name != "peers" and path != Path(__file__)]
    assert tests and not [path.name for path in tests if "object.__setattr__" in path.read_text()]
