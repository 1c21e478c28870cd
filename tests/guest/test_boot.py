"""A command in a fresh guest: what it sees, how it ends, and that its clock can be virtual and exact."""

from pathlib import Path

import pytest

from lab.guest import boot, image

pytestmark = pytest.mark.guest
SOURCE = Path(__file__).parents[2]


class Guest:
    """Runs shell scripts in guests and keeps what they said."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self.said: list[str] = []

    def run(
        self, script: str, *, limit_s: float = 60, virtual_time: bool = False, counts: bool = False
    ) -> boot.GuestResult:
        return boot.run(
            ["bash", "-c", script], source=SOURCE, results=self.results, output=self.said.append, limit_s=limit_s,
            virtual_time=virtual_time, counts=counts,
        )  # fmt: skip


@pytest.fixture
def guest(tmp_path: Path) -> Guest:
    return Guest(tmp_path)


def test_the_exit_code_of_the_command_comes_back(guest: Guest) -> None:
    assert guest.run("exit 7").exit_code == 7
    assert guest.run("true").exit_code == 0


@pytest.mark.parametrize("words", [["A=1"], ["exit", "3"], ["no-such-command"]])
def test_only_a_program_can_be_the_command(tmp_path: Path, words: list[str]) -> None:
    said: list[str] = []
    done = boot.run(words, source=SOURCE, results=tmp_path, output=said.append, limit_s=30)
    assert done.exit_code == 127
    assert said[-1].endswith(f"{words[0]}: not found")


def test_output_arrives_line_by_line_and_without_words_of_the_kernel(guest: Guest) -> None:
    guest.run("echo one; echo two >&2; printf three")
    assert guest.said == ["one", "two", "three"]


def test_the_source_is_read_only_and_the_results_are_not(guest: Guest) -> None:
    result = guest.run("touch /src/lab/x; [ $? = 1 ] && [ /src/LICENSE -ef LICENSE ] && echo found > /results/y")
    assert result.exit_code == 0, guest.said
    assert (guest.results / "y").read_text() == "found\n"
    assert not (SOURCE / "lab/x").exists()


def test_of_an_installed_lab_the_guest_sees_nothing_that_stands_beside_it(tmp_path: Path) -> None:
    """As pip leaves it: among packages that were compiled for another Python."""
    site, results = tmp_path / "site-packages", tmp_path / "results"
    for name in ("lab/data", "msgspec"):
        (site / name).mkdir(parents=True)
    (site / "lab" / "__init__.py").write_text("HERE = True\n")
    (site / "msgspec" / "__init__.py").write_text("raise ImportError('of the host')\n")
    results.mkdir()
    said: list[str] = []
    program = "import lab, msgspec; print(lab.HERE, msgspec.__file__.startswith('/opt/python'))"
    done = boot.run(["python3", "-c", program], source=site, results=results, output=said.append, limit_s=60)
    assert (done.exit_code, said) == (0, ["True True"])


def test_writes_to_the_root_stay_in_memory(guest: Guest) -> None:
    result = guest.run("echo x > /etc/x && rm /usr/bin/mawk && test ! -e /usr/bin/mawk")
    assert result.exit_code == 0, guest.said
    assert guest.run("test -e /usr/bin/mawk && test ! -e /etc/x").exit_code == 0


def test_an_hour_of_sleep_costs_no_second_in_virtual_time(guest: Guest) -> None:
    result = guest.run("a=$(date +%s); sleep 3600; echo $(($(date +%s) - a))", virtual_time=True)
    assert guest.said == ["3600"]
    assert result.duration_s < 10  # 0.4 s on an idle machine


def test_where_computing_takes_time_nobody_can_stop_it_and_waiting_is_skipped_all_the_same(guest: Guest) -> None:
    """A loop that reads no clock, as a peer's that waits for another thread, would else run for ever."""
    script = "while :; do :; done & sleep 0.1; kill %1; a=$(date +%s); sleep 3600; echo $(($(date +%s) - a))"
    result = guest.run(script, virtual_time=True, counts=True)
    assert guest.said == ["3600"], result
    assert result.duration_s < 10


def test_virtual_time_is_exact(guest: Guest) -> None:
    script = """set -e
        ip netns add far
        ip link add near type veth peer name far netns far
        ip addr add 10.0.0.1/24 dev near; ip link set near up
        ip -n far addr add 10.0.0.2/24 dev far; ip -n far link set far up
        ping -q -c 1 -W 3 10.0.0.2 > /dev/null
        tc qdisc add dev near root netem delay 20ms
        tc -n far qdisc add dev far root netem delay 20ms
        ping -q -c 10 10.0.0.2"""
    assert guest.run(script, virtual_time=True).exit_code == 0, guest.said
    assert guest.said[-1] == "rtt min/avg/max/mdev = 40.000/40.000/40.000/0.000 ms"


def test_the_time_limit_ends_the_guest(guest: Guest) -> None:
    result = guest.run("echo begun; sleep 60", limit_s=3)
    # The limit counts from the start: a busy machine may not have come to the first word.
    assert guest.said in ([], ["begun"])
    assert result.exit_code is None
    assert "limit of 3 s" in result.reason
    assert result.duration_s < 60


def test_our_dependencies_import(guest: Guest) -> None:
    modules = "click, cryptography, jinja2, mininet.net, msgspec, pyroute2, pytest, yaml, rich, scapy, vici"
    assert guest.run(f"python3 -c 'import {modules}, lab'").exit_code == 0, guest.said


def test_the_peers_and_tools_are_there(guest: Guest) -> None:
    tools = "swanctl ip tc nft conntrack tcpdump iperf3 ping mnexec ifconfig ethtool vtysh"
    script = f"for t in {tools}; do type $t || exit 1; done; test -x /usr/lib/ipsec/charon; test -x /usr/lib/frr/ospfd"
    assert guest.run(script).exit_code == 0, guest.said


def test_each_further_strongswan_runs_beside_the_first(guest: Guest) -> None:
    """Each peer's tree is laid over the base system and brings its own libraries, older or newer ones."""
    trees = [mount for mount in image.locate().mounts if mount.startswith("/opt/peers/strongswan-")]
    if not trees:
        pytest.skip("this image has no further strongSwan")
    script = """set -e
        /usr/lib/ipsec/charon --version
        mkdir /run/peer; mount -t tmpfs tmpfs /run/peer
        for tree in $TREES; do
            at=/run/peer/${tree##*/}; mkdir -p $at/upper $at/work $at/root
            mount -t overlay -o lowerdir=$tree:/,upperdir=$at/upper,workdir=$at/work overlay $at/root
            chroot $at/root /usr/lib/ipsec/charon --version
        done"""
    assert guest.run(f"TREES='{' '.join(trees)}'; {script}").exit_code == 0, guest.said
    first, *further = guest.said
    assert first == "strongSwan 6.0.1"
    assert [f"/opt/peers/strongswan-{version.split()[-1]}" for version in further] == trees
    assert first not in further


def test_environment_is_passed_on(tmp_path: Path) -> None:
    said: list[str] = []
    words = ["sh", "-c", 'echo "$A|$IKELAB_GUEST|$IKELAB_CLOCK|$PWD"']
    boot.run(words, source=SOURCE, results=tmp_path, output=said.append, limit_s=30, env={"A": "x 'y' $z"})
    assert said == ["x 'y' $z|1|real|/src"]
