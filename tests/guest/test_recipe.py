"""What the image is made of, and how its sources are found: no network, no build."""

from pathlib import Path

import pytest

from lab.errors import UnfitError
from lab.guest import apt, kernel, mirror, recipe, workplace
from lab.guest.apt import Apt, Package
from lab.guest.mirror import Mirror


def test_the_newest_recent_source_is_taken() -> None:
    lines = ["linux-source-6.12 - x", "linux-source-7.10 - x", "linux-source-7.2 - x", "linux-source-6.16 - x"]
    assert kernel.newest(lines) == "linux-source-7.10"
    assert kernel.newest(lines[:1]) is None
    assert kernel.newest(["linux-source - any", "linux-source-x.y"]) is None


def test_a_lost_option_is_named() -> None:
    config = recipe.KERNEL_CONFIG.read_text()
    assert kernel.lost_options(config) == []
    assert kernel.lost_options(config.replace("CONFIG_NFT_NAT=y", "# CONFIG_NFT_NAT is not set")) == [
        "CONFIG_NFT_NAT=y"
    ]
    assert kernel.lost_options(config.replace("CONFIG_PROC_SYSCTL=y", "")) == []  # an older name


def test_the_kernel_config_names_no_option_twice() -> None:
    names = [line.partition("=")[0] for line in recipe.KERNEL_CONFIG.read_text().splitlines() if line[:1] == "C"]
    assert len(names) == len(set(names))


DEBIAN = "http://m/debian/ bookworm main\nhttp://m/debian/ bookworm contrib\nhttp://s/sec/ bookworm-security main\n"


@pytest.mark.parametrize(
    ("listing", "expected"),
    [
        (DEBIAN, ("http://m/debian/", "http://s/sec/")),
        ("http://x/docker bookworm stable\n", (None, None)),
        ("http://u/ubuntu noble main\n", (None, None)),
        ("http://b/debian trixie-backports main\nhttp://m/debian sid main\n", ("http://m/debian", None)),
        ("http://old/sec buster/updates main\n", (None, "http://old/sec")),
        ("", (None, None)),
    ],
)
def test_the_mirror_is_the_hosts_own(listing: str, expected: tuple[str | None, str | None]) -> None:
    assert mirror.choose(listing) == expected


def test_a_mirror_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "_host", lambda: (None, None))
    monkeypatch.setenv("IKELAB_DEBIAN_MIRROR", "http://named/debian/")
    assert mirror.find() == Mirror("http://named/debian", None)
    monkeypatch.delenv("IKELAB_DEBIAN_MIRROR")
    with pytest.raises(UnfitError, match="IKELAB_DEBIAN_MIRROR"):
        mirror.find()


def test_sources_stay_out_of_the_hosts(tmp_path: Path) -> None:
    Apt(tmp_path, Mirror("http://m/debian", None), ["trixie", "trixie-security"])
    lines = (tmp_path / "sources.list").read_text().splitlines()
    assert [line.split()[2:] for line in lines] == [["http://m/debian", "trixie", "main"]]
    settings = (tmp_path / "apt.conf").read_text()
    assert 'Dir::Etc::SourceParts "/dev/null"' in settings
    assert f'Dir::State::Status "{tmp_path}/status"' in settings


def test_a_line_of_apt_is_read() -> None:
    line = "'http://m/pool/x.deb' libcap2_1%3a2.75-10_amd64.deb 28988 SHA256:00"
    assert apt._package(line) == Package("libcap2", "1:2.75-10", "libcap2_1%3a2.75-10_amd64.deb", 28988)


def test_a_half_downloaded_package_is_not_complete(tmp_path: Path) -> None:
    package = Package("x", "1", "x_1_all.deb", 10)
    file = tmp_path / package.file
    assert not apt._complete(file, package)
    file.write_bytes(b"12345")
    assert not apt._complete(file, package)
    file.write_bytes(b"1234567890")
    assert apt._complete(file, package)


def test_no_package_is_both_wanted_and_left_out() -> None:
    assert not recipe.LEFT_OUT & set(recipe.PACKAGES)


def test_the_digests_depend_on_their_own_recipe_only(monkeypatch: pytest.MonkeyPatch) -> None:
    before = recipe.kernel_digest(), recipe.base_digest(), recipe.python_digest()
    monkeypatch.setattr(recipe, "PACKAGES", (*recipe.PACKAGES, "nano"))
    after = recipe.kernel_digest(), recipe.base_digest(), recipe.python_digest()
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, True]


def test_requirements_are_those_of_the_project() -> None:
    assert any(line.startswith("cryptography") for line in recipe.requirements())
    assert not any("playwright" in line for line in recipe.requirements())


@pytest.mark.parametrize(("text", "octets"), [("64M", 64 << 20), ("1G", 1 << 30), ("2g", 2 << 30), ("4096", 4096)])
def test_memory_sizes(text: str, octets: int) -> None:
    assert workplace.octets(text) == octets


@pytest.mark.parametrize("text", ["", "G", "1.5G", "-1", "x"])
def test_nonsense_is_no_memory_size(text: str) -> None:
    with pytest.raises(UnfitError, match="memory size"):
        workplace.octets(text)


def test_templates_with_packages_become_layers_over_the_base_system(monkeypatch: pytest.MonkeyPatch) -> None:
    brought = {peer.name: peer for peer in recipe.peers() if peer not in recipe.PEERS}
    assert "libreswan" in brought, "the lab's own template has packages"
    peer = brought["libreswan"]
    assert peer.on_base and peer.suites == recipe.SUITES and "iptables" in peer.without
    before = recipe.peer_digest(peer)
    monkeypatch.setattr(recipe, "PACKAGES", (*recipe.PACKAGES, "more"))
    assert recipe.peer_digest(peer) != before, "what the base system has is left out of it"


def test_a_peer_of_another_release_keeps_its_layer_when_the_base_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    (other, *_) = (peer for peer in recipe.PEERS if not peer.on_base)
    before = recipe.peer_digest(other)
    monkeypatch.setattr(recipe, "PACKAGES", (*recipe.PACKAGES, "more"))
    assert recipe.peer_digest(other) == before
