"""The request for an XFRM interface, read back by pyroute2."""

from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from lab.emulation.xfrm_interface import XfrmInterface


def test_id_name_mtu_and_groups():
    batch = XfrmInterface(0x1234, "172.31.0.1/30").batch(201)
    assert batch.requests == ["link add xfrm ipsec1", "address add 172.31.0.1/30", "link set  201"]
    message = ifinfmsg(bytes(batch.data))
    message.decode()
    assert (message.get_attr("IFLA_IFNAME"), message.get_attr("IFLA_MTU"), message["index"]) == ("ipsec1", 1400, 201)
    assert message.get_nested("IFLA_LINKINFO", "IFLA_INFO_KIND") == "xfrm"
    assert message.get_nested("IFLA_LINKINFO", "IFLA_INFO_DATA").get_attr("IFLA_XFRM_IF_ID") == 0x1234
    last = ifinfmsg(bytes(batch.data[-32:]))
    last.decode()
    assert last["flags"] == last["change"] == 0x1001
