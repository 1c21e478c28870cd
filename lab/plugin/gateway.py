"""One gateway of a scenario: a peer in the node `left` or `right`, as scenarios talk to it."""

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lab.errors import BrokenError
from lab.ike.swanctl import Section
from lab.peers.base import INITIATE_S, Event, Node, Outcome, PeerDriver
from lab.peers.registry import Peer
from lab.plugin.tunnel import CHILD, CONNECTION


class Gateway:
    """A peer in its node. Before `lab.up` there is no daemon, and asking it anything is a mistake of the scenario."""

    def __init__(self, name: str, peer: Peer) -> None:
        self.name, self.peer, self.address = name, peer, ""
        self._driver: PeerDriver | None = None
        self._former: list[PeerDriver] = []
        self._again: Callable[[int], None] = _never
        self._node: Node | None = None

    def __str__(self) -> str:
        return f"{self.peer.name} ({self.name})"

    @property
    def driver(self) -> PeerDriver:
        """The running peer's driver."""
        if self._driver is None:
            raise BrokenError(f"{self} was asked before lab.up() started it")
        return self._driver

    @property
    def running(self) -> bool:
        """Whether there is a daemon."""
        return self._driver is not None

    def launch(self, node: Node, run_dir: Path, tree: Section, files: Mapping[str, bytes], **options: object) -> None:
        """Configure and start the daemon; `driver.ready()` waits for it."""
        items = options.items()

        def start(time: int) -> None:
            place = run_dir.with_name(f"{run_dir.name}-{time}") if time else run_dir
            # A daemon that drew the same numbers again would give the SPIs of its former life to other keys.
            anew = {key: value + time if key == "seed" and isinstance(value, int) else value for key, value in items}
            self._driver = self.peer.start(node, place, **anew)
            self._driver.configure(tree, files)
            self._driver.start()

        self._again, self._node = start, node
        start(0)

    def restart(self, ready_s: float) -> None:
        """As when the gateway is switched off and on: its daemon tells nobody, and its kernel forgets SAs and policies.

        Killing the daemon alone would stop nothing: the kernel goes on with the states it has.
        """
        self.driver.kill()
        if self._node is not None:
            for what in ("policy", "state"):
                self._node.popen(["ip", "xfrm", what, "flush"], stderr=subprocess.DEVNULL).wait()
        self._former.append(self.driver)
        self._again(len(self._former))
        self.driver.ready(ready_s)

    def logged_keys(self) -> list[dict[str, list[dict[str, Any]]]]:
        """The keys of the daemon and of those that it was before restarts."""
        return [driver.keys() for driver in (*self._former, self.driver)]

    def logs(self) -> dict[str, Path]:
        """The log files by name, those from before a restart with the number of their life in front."""
        found = {f"{life}-{log.name}": log for life, driver in enumerate(self._former, 1) for log in driver.logs()}
        return found | {log.name: log for log in self.driver.logs()}

    def initiate(self, child: str = CHILD, timeout: float = INITIATE_S) -> Outcome:
        """Set up a CHILD SA; the outcome says whether it is up, or why not."""
        return self.driver.initiate(child, timeout)

    def terminate(self, *, ike: str = CONNECTION, child: str = "", timeout: float = INITIATE_S) -> Outcome:
        """Delete the IKE SA (or one child of it)."""
        return self.driver.terminate(ike=ike, child=child, timeout=timeout)

    def rekey(self, *, ike: str = "", child: str = "", wait: bool = True) -> Outcome:
        """Rekey an IKE SA or a CHILD SA; without `wait` only begin."""
        return self.driver.rekey(ike=ike, child=child, wait=wait)

    def redirect(self, gateway: str, *, ike: str = CONNECTION) -> Outcome:
        """Tell the peer of the IKE SA to go to another gateway."""
        return self.driver.redirect(gateway, ike=ike)

    def sas(self) -> list[dict[str, Any]]:
        """The IKE SAs with their children (sas.json)."""
        return self.driver.sas()

    def children(self) -> list[dict[str, Any]]:
        """The CHILD SAs that carry traffic."""
        return [child for sa in self.sas() for child in sa["children"] if child["state"] == "INSTALLED"]

    def established(self) -> list[dict[str, Any]]:
        """The IKE SAs that are up."""
        return [sa for sa in self.sas() if sa["state"] == "ESTABLISHED"]

    def events(self, timeout: float = 0.0) -> list[Event]:
        """Events since the last call; waits up to `timeout` seconds for the first."""
        return self.driver.events(timeout)

    def wait_event(self, name: str, deadline: Callable[[], float]) -> Event | None:
        """The first event of this name, or None when `deadline()` seconds have run out."""
        while (left := deadline()) > 0:
            for event in self.events(left):
                if event.name == name:
                    return event
        return None


def _never(_time: int) -> None:
    raise BrokenError("a gateway was restarted before lab.up() started it")
