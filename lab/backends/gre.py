"""The interfaces of our GRE tunnels: TUN devices with addresses, which vanish with the daemon."""

from collections.abc import Sequence
from ipaddress import ip_interface

from pyroute2 import IPRoute, NetlinkError

from lab.backends.tun import Tun
from lab.errors import ConfigError
from lab.ike.gre import Gre


class GreDevices:
    """One TUN device for each tunnel, by descriptor and by name."""

    def __init__(self, configs: Sequence[Gre]) -> None:
        self._by_name: dict[str, Tun] = {}
        if configs:
            self._make(configs)
        self.names = {tun.fileno(): name for name, tun in self._by_name.items()}

    def _make(self, configs: Sequence[Gre]) -> None:
        netlink = IPRoute()
        try:
            for config in configs:
                self._by_name[config.name] = tun = Tun(config.name)
                _set_up(netlink, tun.name, config)
        except BaseException:
            self.close()
            raise
        finally:
            netlink.close()

    def __getitem__(self, name: str) -> Tun:
        return self._by_name[name]

    def close(self) -> None:
        """The interfaces vanish, with their addresses and routes."""
        for tun in self._by_name.values():
            tun.close()


def _set_up(netlink: IPRoute, name: str, config: Gre) -> None:
    index = netlink.link_lookup(ifname=name)[0]
    try:
        netlink.link("set", index=index, mtu=config.mtu, state="up")
        for address in map(ip_interface, config.addresses):
            netlink.addr("add", index=index, address=str(address.ip), prefixlen=address.network.prefixlen)
    except NetlinkError as error:
        raise ConfigError(
            f"the system refuses its addresses: {error}", file=config.file, line=config.line, key=name
        ) from error
