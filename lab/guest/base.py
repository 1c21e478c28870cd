"""The layer of Debian files: packages unpacked as an ordinary user, then the few things their scripts would have done.

No maintainer script runs, so root and an ordinary user get the same tree. All files belong to whoever built it; inside
a guest root reads them all.
"""

import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from lab.errors import UnfitError
from lab.guest import recipe
from lab.guest.apt import Apt, Package
from lab.progress import Progress

# Started by the kernel; the rest of the start-up comes from the directory that `boot` made for this one run.
FIRST_PROCESS = """\
#!/bin/sh
mount -t hostfs -o "hostfs=$ikelab_boot" none /srv || echo "guest: cannot mount $ikelab_boot"
exec /bin/bash /srv/init
"""


NOTHING: Mapping[str, str] = {}
MERGED = ("bin", "lib", "lib64", "sbin")  # links into usr, as base-files brings them


def build_peer(
    root: Path, peer: recipe.Peer, apt: Apt, progress: Progress, there: Mapping[str, str] = NOTHING
) -> dict[str, str]:
    """Unpack a peer and the libraries it needs into the empty directory `root`; package name -> version.

    What is `there` in the same version, below its tree, is left out.
    """
    progress(f"package lists of {peer.suite}", 0, 0)
    apt.update()
    left_out = recipe.LEFT_OUT | set(peer.without)
    packages = [package for package in apt.closure(peer.packages) if package.name not in left_out]
    packages = [package for package in packages if there.get(package.name) != package.version]
    files = apt.fetch(packages, progress)
    for folder in MERGED:
        (root / "usr" / folder).mkdir(parents=True)
        (root / folder).symlink_to(f"usr/{folder}")
    for number, file in enumerate(files):
        progress(f"unpack {peer.name}", number + 1, len(files))
        unpack(file, root, drop=recipe.DROPPED)
    return versions(packages)


def build(root: Path, apt: Apt, progress: Progress) -> dict[str, str]:
    """Unpack the base system into the empty directory `root`; package name -> version."""
    progress("package lists", 0, 0)
    apt.update()
    packages = [package for package in apt.closure(recipe.PACKAGES) if package.name not in recipe.LEFT_OUT]
    alone = [apt.alone(name) for name in recipe.ALONE]
    files = apt.fetch([*packages, *alone], progress)
    # base-files brings the symbolic links /bin, /lib and /sbin that the others unpack through.
    pairs = sorted(zip(packages, files[: len(packages)], strict=True), key=lambda pair: pair[0].name != "base-files")
    for number, (_, file) in enumerate(pairs):
        progress("unpack packages", number + 1, len(packages))
        unpack(file, root, drop=recipe.DROPPED)
    for package, file in zip(alone, files[len(packages) :], strict=True):
        unpack(file, root, only=recipe.ALONE[package.name])
    _configure(root)
    return versions([*packages, *alone])


def versions(packages: Iterable[Package]) -> dict[str, str]:
    """Package name -> version."""
    return {package.name: package.version for package in sorted(packages, key=lambda package: package.name)}


def unpack(file: Path, root: Path, *, drop: Iterable[str] = (), only: Iterable[str] = ()) -> None:
    """Unpack one package file: all of it but `drop`, or nothing but `only`."""
    selection = [f"--exclude=./{path}" for path in drop] + [f"./{path}" for path in only]
    # Ownership stays behind: an ordinary user could not set it, and no guest needs it.
    tar = [
        "tar",
        "-x",
        "-C",
        str(root),
        "--no-same-owner",
        "--no-same-permissions",
        "--keep-directory-symlink",
        *selection,
    ]
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(file)], stdout=subprocess.PIPE) as package:
        done = subprocess.run(tar, stdin=package.stdout, capture_output=True, text=True, check=False)
    if done.returncode or package.returncode:
        raise UnfitError(
            f"cannot unpack {file.name}: {done.stderr.partition(chr(10))[0]}", fix="make room, then run it again"
        )


def _configure(root: Path) -> None:
    """Do what the packages' scripts would have done, as far as a guest needs it."""
    for name, target in recipe.LINKS.items():
        link = root / name
        if link.is_dir() and not link.is_symlink():
            shutil.rmtree(link)
        link.unlink(missing_ok=True)
        link.symlink_to(target)
    master = root / "usr/share/base-passwd"
    passwd, group = (master / "passwd.master").read_text(), (master / "group.master").read_text()
    etc = root / "etc"
    (etc / "passwd").write_text(passwd.replace(":*:", ":x:") + "\n".join(recipe.USERS) + "\n")
    (etc / "group").write_text(group.replace(":*:", ":x:") + "\n".join(recipe.GROUPS) + "\n")
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\nservices: files\n")
    (etc / "hostname").write_text("guest\n")
    (etc / "hosts").write_text("127.0.0.1 localhost guest\n::1 localhost\n")
    (etc / "frr/frr.conf").unlink(missing_ok=True)  # while it exists, FRR daemons ignore their own files
    first = root / "usr/sbin/ikelab-init"
    first.write_text(FIRST_PROCESS)
    first.chmod(0o755)
    for folder in recipe.FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "usr/lib/python3/dist-packages/ikelab.pth").write_text(recipe.PYTHON_PATH)
    compile_python(root, root, root / f"usr/lib/python{recipe.PYTHON}", root / "usr/lib/python3/dist-packages")


def compile_python(base: Path, prefix: Path, *folders: Path, shown: str = "/") -> None:
    """Byte-compile with the image's own Python, started through its own loader on the host.

    `prefix` is the path on the host that shows up as `shown` in the guest.
    """
    libraries = f"{base}/usr/lib/x86_64-linux-gnu"
    command = [
        f"{libraries}/ld-linux-x86-64.so.2",
        "--library-path",
        libraries,
        f"{base}/usr/bin/python{recipe.PYTHON}",
    ]
    options = ["-S", "-m", "compileall", "-q", "-s", str(prefix), "-p", shown, *map(str, folders)]
    environment = {"PYTHONHOME": f"{base}/usr", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    done = subprocess.run([*command, *options], env=environment, capture_output=True, text=True, check=False)
    # A file that does not compile is compileall's business, said on standard output; a crash is ours.
    if done.stderr.strip():
        raise UnfitError(f"the image's Python does not run here: {done.stderr.strip()[-300:]}", fix="report this")
