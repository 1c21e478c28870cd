"""The text that ospfd is given: block by block, as FRR reads it."""

from lab.peers.frr_conf import DEFAULT, FAST, Link, Router, ospfd_conf


def blocks(router):
    """Head line -> the indented lines below it; lines without a block have none."""
    found = {}
    for line in ospfd_conf(router, "left").splitlines():
        if line.startswith(" "):
            found[next(reversed(found))].append(line.strip())
        else:
            assert line not in found, f"{line!r} stands twice"
            found[line] = []
    return found


LINKS = (Link("gre1", cost=20), Link("lan", passive=True))


def test_every_link_is_in_area_0_with_its_cost():
    found = blocks(Router("1.1.1.1", LINKS))
    assert "ospf router-id 1.1.1.1" in found["router ospf"]
    assert found["interface gre1"][:2] == ["ip ospf area 0", "ip ospf cost 20"]
    assert found["interface lan"] == ["ip ospf area 0", "ip ospf cost 10", "ip ospf passive"]


def test_the_timers_are_those_of_the_neighbourly_links():
    for timers in (DEFAULT, FAST):
        lines = blocks(Router("1.1.1.1", LINKS, timers))["interface gre1"]
        assert f"ip ospf hello-interval {timers.hello}" in lines
        assert f"ip ospf dead-interval {timers.dead}" in lines
        assert f"ip ospf retransmit-interval {timers.retransmit}" in lines
        assert "ip ospf network point-to-point" in lines


def test_the_defaults_are_those_of_rfc_2328():
    assert (DEFAULT.hello, DEFAULT.dead, DEFAULT.retransmit) == (10, 40, 5)  # C.3: sample values


def test_only_prompt_timers_change_the_throttling():
    throttled, prompt = (blocks(Router("1.1.1.1", (), timers))["router ospf"] for timers in (DEFAULT, FAST))
    assert not [line for line in throttled if line.startswith("timers")]
    assert {line.rpartition(" ")[0] for line in prompt if line.startswith("timers")} == {
        "timers throttle spf 10 50", "timers throttle lsa all", "timers lsa min-arrival",
    }  # fmt: skip
