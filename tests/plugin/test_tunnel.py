from dataclasses import replace

from lab.plugin.tunnel import Ends, Tunnel, left_tree, right_tree

ENDS = Ends("192.168.1.2", "192.168.2.2", "198.51.100.2", "10.1.0.0/24", "10.2.0.0/24")


def gateway(tree):
    return tree.plain()["connections"]["gw"]


def test_the_left_gateway_connects_to_where_the_right_one_is_reachable():
    left = gateway(left_tree(Tunnel(), ENDS))
    assert left["local_addrs"] == ["192.168.1.2"] and left["remote_addrs"] == ["198.51.100.2"]
    assert left["children"]["net"]["local_ts"] == ["10.1.0.0/24"]
    assert left["local"]["id"] == "left.lab"


def test_the_right_gateway_is_its_mirror_and_waits_on_its_own_address():
    right = gateway(right_tree(Tunnel(), ENDS))
    assert right["local_addrs"] == ["192.168.2.2"] and right["remote_addrs"] == ["%any"]
    assert right["children"]["net"]["local_ts"] == ["10.2.0.0/24"]
    assert (right["local"]["id"], right["remote"]["id"]) == ("right.lab", "left.lab")


def test_both_sides_know_one_secret_unless_told_otherwise():
    left, right = left_tree(Tunnel(), ENDS), right_tree(Tunnel(), ENDS)
    assert left.plain()["secrets"] == right.plain()["secrets"]
    other = right_tree(replace(Tunnel(), secret="other"), ENDS)
    assert other.plain()["secrets"]["ike-lab"]["secret"] == "other"


def test_keys_can_be_added_to_the_side_that_wants_them():
    tunnel = Tunnel(connection={"dpd_delay": "5s"}, child={"mode": "tunnel"}, settings={"cookie_threshold": "1"})
    right = right_tree(tunnel, ENDS)
    assert gateway(right)["dpd_delay"] == "5s" and gateway(right)["children"]["net"]["mode"] == "tunnel"
    assert right.plain()["ikelab"] == {"cookie_threshold": "1"}


def test_pools_are_a_section_of_the_side_that_lends():
    tunnel = Tunnel(connection={"pools": "lab"}, pools={"lab": {"addrs": "10.3.0.0/24", "dns": "10.2.0.53"}})
    right = right_tree(tunnel, ENDS).plain()
    assert right["pools"] == {"lab": {"addrs": "10.3.0.0/24", "dns": ["10.2.0.53"]}}
    assert right["connections"]["gw"]["pools"] == ["lab"]
    assert "pools" not in left_tree(Tunnel(), ENDS).plain()


def test_a_second_connection_is_somebody_else_on_the_same_side():
    plain = left_tree(Tunnel(connection={"vips": "0.0.0.0"}, second="other"), ENDS).plain()["connections"]
    first, second = plain["gw"], plain["other"]
    assert (first["local"]["id"], second["local"]["id"]) == ("left.lab", "other.lab")
    assert list(first["children"]) == ["net"] and list(second["children"]) == ["other"]
    assert first["children"]["net"] == second["children"]["other"]
    assert {**first, "local": 0, "children": 0} == {**second, "local": 0, "children": 0}


def test_gre_tunnels_of_our_data_plane_lie_in_our_own_section():
    tree = left_tree(Tunnel(settings={"keep_alive": "5"}, gre={"gre1": {"local": "192.168.1.2"}}), ENDS).plain()
    assert tree["ikelab"] == {"keep_alive": "5", "gre": {"gre1": {"local": "192.168.1.2"}}}
    assert "ikelab" not in left_tree(Tunnel(), ENDS).plain()


def test_more_text_stands_beside_and_wins():
    more = "connections { third { version = 2\n } gw { version = 1\n } }\nsecrets { ike-third { secret = x\n } }"
    tree = left_tree(Tunnel(more=more), ENDS).plain()
    assert tree["connections"]["third"] == {"version": "2"}
    assert tree["connections"]["gw"]["version"] == "1" and tree["connections"]["gw"]["local"]["id"] == "left.lab"
    assert set(tree["secrets"]) == {"ike-lab", "ike-third"}
