"""Where a datagram travels: our UDP address and the peer's."""

from dataclasses import dataclass

PORT = 500
PORT_NAT_T = 4500


@dataclass(frozen=True, slots=True)
class Path:
    """A local and a remote UDP address; NAT traversal moves a path to port 4500 (RFC 7296 2.23)."""

    local_host: str
    local_port: int
    remote_host: str
    remote_port: int

    @property
    def marked(self) -> bool:
        """Whether IKE on this path carries the non-ESP marker: on every port but 500 (RFC 3948 2.2)."""
        return self.local_port != PORT

    def floated(self) -> "Path":
        """The same hosts on port 4500; a port that is not 500 stays, somebody chose it."""
        local = PORT_NAT_T if self.local_port == PORT else self.local_port
        remote = PORT_NAT_T if self.remote_port == PORT else self.remote_port
        return Path(self.local_host, local, self.remote_host, remote)

    def __str__(self) -> str:
        """`192.0.2.1[500]-198.51.100.1[500]`, local end first."""
        return f"{self.local_host}[{self.local_port}]-{self.remote_host}[{self.remote_port}]"
