"""Paths and when they carry the non-ESP marker."""

from lab.ike.path import Path


def test_floating_moves_both_ports_and_keeps_chosen_ones() -> None:
    path = Path("192.0.2.1", 500, "198.51.100.1", 500)
    assert path.floated() == Path("192.0.2.1", 4500, "198.51.100.1", 4500)
    assert Path("192.0.2.1", 1500, "198.51.100.1", 2500).floated() == Path("192.0.2.1", 1500, "198.51.100.1", 2500)


def test_only_port_500_has_no_marker() -> None:
    path = Path("192.0.2.1", 500, "198.51.100.1", 500)
    assert not path.marked
    assert path.floated().marked
    assert Path("192.0.2.1", 1500, "198.51.100.1", 500).marked


def test_as_text() -> None:
    assert str(Path("192.0.2.1", 500, "2001:db8::1", 4500)) == "192.0.2.1[500]-2001:db8::1[4500]"
