"""An import in `lab/` may only go down a floor (or stay inside its package)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = {
    "lab.__main__": 9,
    "lab.cli": 8,
    **dict.fromkeys(("lab.plugin", "lab.matrix", "lab.report", "lab.run", "lab.history"), 7),
    **dict.fromkeys(("lab.emulation", "lab.peers", "lab.guest", "lab.evidence"), 6),
    **dict.fromkeys(("lab.daemon", "lab.backends", "lab.templates"), 5),
    "lab.endpoint": 4,
    **dict.fromkeys(("lab.ikev2", "lab.ikev1"), 3),
    **dict.fromkeys(("lab.ike", "lab.ipsec"), 2),
    "lab.crypto": 1,
    **dict.fromkeys(("lab.wire", "lab.errors", "lab.trace", "lab"), 0),
}
# The pairs on one floor that may meet: the CHILD SA of IKE is what the data plane carries, a daemon drives a backend,
# a peer runs in a node, the
# packet gate reads IKE as the evidence does, a run is made of pairings and ends in a report.
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
