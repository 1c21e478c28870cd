"""Which code a run ran: a digest of everything that can change its results."""

from hashlib import sha256

from lab.run.catalogue import scenarios_directory, source_directory

PARTS = ("lab", "topologies", "peers.d")
SUFFIXES = (".py", ".yaml", ".ini", ".toml", ".sh")
DIGITS = 12


def digest() -> str:
    """The first digits of the SHA-256 of all sources, scenarios and topologies, by name and content."""
    root = source_directory()
    folders = [*(root / part for part in PARTS), scenarios_directory()]
    files = sorted({path for folder in folders for path in folder.rglob("*") if path.suffix in SUFFIXES})
    whole = sha256()
    for path in files:
        content = path.read_bytes()
        whole.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode())
        whole.update(content)
    return whole.hexdigest()[:DIGITS]
