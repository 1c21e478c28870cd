"""The guest image: find it, build what is missing of it, say what is there, remove it."""

import contextlib
import json
import os
import platform
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from lab.errors import UnfitError
from lab.guest import base, cache, kernel, mirror, python_layer, recipe
from lab.guest.apt import Apt
from lab.progress import Progress

Versions = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Layer:
    """One directory of the image: its kind, where it is, and where the guest sees it."""

    kind: str
    path: Path
    mount: str
    made_from: str
    needed: bool = True

    @property
    def present(self) -> bool:
        """Whether it is built: a layer gets its name only when it is whole."""
        return (self.path / "versions.json").is_file()

    @property
    def others(self) -> list[Path]:
        """Layers of this kind that were made from another recipe."""
        found = self.path.parent.glob(f"{self.kind}-*/versions.json")
        return sorted(file.parent for file in found if file.parent != self.path and "." not in file.parent.name)

    def versions(self) -> Versions:
        """What is in it."""
        read: Versions = json.loads((self.path / "versions.json").read_text())
        return read


@dataclass(frozen=True, slots=True)
class Image:
    """A complete image: `root` is the root file system, `mounts` says what else the guest sees where."""

    kernel: Path
    root: Path
    mounts: Mapping[str, Path]
    versions: Versions
    release: str


def layers() -> list[Layer]:
    """The layers that today's recipe asks for, in the order in which they are built."""
    place = cache.directory()
    return [
        Layer("base", place / f"base-{recipe.base_digest()}", "/", "its package list"),
        Layer(
            "python", place / f"python-{recipe.python_digest()}", "/opt/python", "the dependencies in pyproject.toml"
        ),
        *(_peer_layer(place, peer) for peer in recipe.peers()),
        Layer("kernel", place / f"kernel-{recipe.kernel_digest()}", "", "lab/guest/kernel.config"),
    ]


def _peer_layer(place: Path, peer: recipe.Peer) -> Layer:
    """The guest sees a peer at /opt/peers/NAME-VERSION."""
    path = place / f"{peer.kind}-{recipe.peer_digest(peer)}"
    layer = Layer(peer.kind, path, "", "its package list", needed=False)
    if not layer.present:
        return layer
    version = re.sub(r"^\d+:|-[^-]*$", "", layer.versions()[peer.packages[0]])
    return replace(layer, mount=f"/opt/peers/{peer.name}-{version}")


def locate() -> Image:
    """The image that today's recipe asks for; UnfitError says what is missing of it. Further peers may be missing."""
    found = {layer.kind: layer for layer in layers() if layer.needed or layer.present}
    for layer in found.values():
        if not layer.present:
            raise UnfitError(f"the guest image has no {layer.kind} layer: {why(layer)}", fix="run: ikelab image build")
    versions = {kind: layer.versions() for kind, layer in found.items()}
    root = found["base"].path / "root"
    mounts = {layer.mount: layer.path / "root" for layer in found.values() if layer.mount not in ("", "/")}
    return Image(found["kernel"].path / "linux", root, mounts, versions, versions["kernel"]["release"])


def why(layer: Layer) -> str:
    """Why a layer that is missing would be built."""
    if layer.others:
        return f"{layer.made_from} changed since {layer.others[-1].name} was built"
    return "it was never built, or never completely"


def build(progress: Progress) -> Image:
    """Build what is missing; `progress(what, done, total)` is called often, with total 0 where it is unknown."""
    if platform.machine() != "x86_64":
        raise UnfitError(f"the guest kernel runs on x86_64, not on {platform.machine()}", fix="use --kernel host")
    with _readable(), cache.locked(lambda: progress("wait for another build", 0, 0)) as place:
        wanted = layers()
        for path in [*place.glob(f"*{cache.UNFINISHED}"), *place.glob(f"*{kernel.WORK}")]:
            if path != kernel.work_directory(wanted[-1].path):
                cache.remove(path)
        for layer in wanted:
            if layer.present:
                continue
            try:
                _build(layer, place, progress)
            except UnfitError as error:
                if layer.needed:
                    raise
                progress(f"left out {layer.kind}: {error.text}", 0, 0)
    return locate()


def _build(layer: Layer, place: Path, progress: Progress) -> None:
    unfinished = cache.fresh(layer.path)
    makers: dict[str, Callable[[], Versions]] = {
        "base": lambda: base.build(_root(unfinished), Apt(place / "apt", mirror.find(), recipe.SUITES), progress),
        "python": lambda: python_layer.build(_root(unfinished), layers()[0].path / "root", progress),
        "kernel": lambda: kernel.build(unfinished, place, mirror.find(), progress),
        **{peer.kind: partial(_build_peer, unfinished, place, peer, progress) for peer in recipe.peers()},
    }
    try:
        versions = makers[layer.kind]()
        (unfinished / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")
        cache.publish(unfinished, layer.path)
    except OSError as error:
        reason = f"cannot build the {layer.kind} layer: {error.strerror}: {error.filename or layer.path}"
        raise UnfitError(reason, fix="make room there, then: ikelab image build") from error


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    """Whatever the caller's umask, daemons in the guest that are not root must be able to read the image."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)


def _build_peer(unfinished: Path, place: Path, peer: recipe.Peer, progress: Progress) -> Versions:
    # The package lists of the base system's suites are the base layer's.
    apt = Apt(place / ("apt" if peer.on_base else f"apt-{peer.suite}"), mirror.find(), peer.suites)
    there = layers()[0].versions() if peer.on_base else {}
    return base.build_peer(_root(unfinished), peer, apt, progress, there)


def _root(unfinished: Path) -> Path:
    root = unfinished / "root"
    root.mkdir()
    return root


def status() -> list[dict[str, Any]]:
    """One row per layer: kind, path, present, bytes, reason for a rebuild, versions, and older layers that could go."""
    return [
        {
            "layer": layer.kind,
            "path": str(layer.path),
            "present": layer.present,
            "bytes": cache.size(layer.path) if layer.present else 0,
            "needed": layer.needed,
            "mount": layer.mount,
            "reason": "" if layer.present else why(layer),
            "versions": layer.versions() if layer.present else {},
            "older": [str(path) for path in layer.others],
        }
        for layer in layers()
    ]


def clean(*, older_only: bool = False) -> int:
    """Remove the cache, or only layers of older recipes; the number of bytes freed."""
    with cache.locked(lambda: None) as place:
        keep = {layer.path for layer in layers()} if older_only else set()
        doomed = [path for path in place.iterdir() if path.is_dir() and path not in keep]
        freed = sum(cache.size(path) for path in doomed)
        for path in doomed:
            cache.remove(path)
    return freed
