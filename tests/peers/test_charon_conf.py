import pytest

from lab.errors import ConfigError
from lab.ike.swanctl import parse
from lab.peers.charon_conf import strongswan_conf


def test_the_plugins_are_listed_and_libipsec_is_not_among_them():
    conf = parse(strongswan_conf(parse(""), "charon"))
    plugins = conf.sections["charon"].get("load").split()
    assert "vici" in plugins and "kernel-netlink" in plugins and "kernel-libipsec" not in plugins


def test_name_servers_are_kept_in_the_private_run_directory():
    conf = parse(strongswan_conf(parse(""), "charon")).sections["charon"]
    assert conf.sections["plugins"].sections["resolve"].get("file") == "/run/resolv.conf"
    assert conf.get("install_virtual_ip", "yes") == "yes"


def test_the_section_is_named_like_the_binary():
    assert list(parse(strongswan_conf(parse(""), "charon-systemd")).sections) == ["charon-systemd"]


def test_a_setting_of_the_lab_gets_strongswans_name():
    conf = parse(strongswan_conf(parse("ikelab {\n retransmit_timeout = 1.5\n}"), "charon"))
    assert conf.sections["charon"].get("retransmit_timeout") == "1.5"


def test_a_setting_that_strongswan_lacks_is_an_error_with_its_line():
    with pytest.raises(ConfigError, match=r"2: frobnicate: strongSwan has no setting"):
        strongswan_conf(parse("ikelab {\n frobnicate = 1\n}"), "charon")
