"""Commands whose answer comes later: each waits for an outcome, or for its time to run out."""

from collections.abc import Callable
from dataclasses import dataclass

from lab.daemon.control import Connection
from lab.ike.actions import Event


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a wait ended: `error` in words, or a result."""

    result: object = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """`judge` is asked about every event; None means go on. `deadline` None waits as long as it takes."""

    client: Connection
    judge: Callable[[Event], Outcome | None]
    deadline: float | None
    late: str

    def end(self, outcome: Outcome) -> None:
        """Answer the client."""
        if outcome.error:
            self.client.refuse(outcome.error)
        else:
            self.client.answer(outcome.result)


class Waits:
    """All commands in progress."""

    def __init__(self) -> None:
        self._waits: list[Wait] = []

    def add(self, wait: Wait) -> None:
        """Wait for an outcome."""
        self._waits.append(wait)

    def drop(self, client: Connection) -> None:
        """The command of this client was answered in another way."""
        self._waits = [wait for wait in self._waits if wait.client is not client]

    def tell(self, event: Event) -> None:
        """Show an event to all; those that it decides are answered, the others are told."""
        for wait in self._waits[:]:
            if wait not in self._waits:  # an answer had its client go on with a command that decided this one as well
                continue
            wait.client.event({"event": event.name, **event.fields})
            outcome = wait.judge(event)
            if outcome is not None:
                self._waits.remove(wait)
                wait.end(outcome)

    def next_deadline(self) -> float | None:
        """When the first wait runs out."""
        deadlines = (wait.deadline for wait in self._waits if not wait.client.closed)
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def tick(self, now: float) -> None:
        """Refuse those whose time is over, and forget those whose client has gone."""
        for wait in self._waits[:]:
            if wait not in self._waits:
                continue
            if wait.client.closed:
                self._waits.remove(wait)
            elif wait.deadline is not None and wait.deadline <= now:
                self._waits.remove(wait)
                wait.client.refuse(wait.late)

    def close(self) -> None:
        """The daemon ends: nobody waits on."""
        for wait in self._waits:
            wait.client.refuse("the daemon ends")
        self._waits.clear()


def child_up(connection: str, child: str) -> Callable[[Event], Outcome | None]:
    """Up, or failed with stage and reason."""

    def judge(event: Event) -> Outcome | None:
        fields = event.fields
        if fields.get("connection") != connection or fields.get("child", child) != child:
            return None
        if event.name == "child-up":
            return Outcome(fields)
        if event.name == "failed" and fields.get("role") != "responder":
            return Outcome(error=f"{fields.get('stage', 'failed')}: {fields.get('reason', 'no reason was given')}")
        return None

    return judge


def rekeyed(ike: str | int | None, child: str | None) -> Callable[[Event], Outcome | None]:
    """Replaced, or failed or gone with the reason; a peer that is busy is asked again, which is no failure."""

    def judge(event: Event) -> Outcome | None:
        fields = event.fields
        meant = ike in (None, fields.get("connection"), fields.get("number"))
        if child is not None and fields.get("child") != child:
            return None
        if event.name == ("child-rekeyed" if child is not None else "ike-rekeyed"):
            # The number of an IKE SA is that of its successor by now, so a wait for a number takes the first there is.
            return Outcome(fields) if meant or isinstance(ike, int) else None
        if event.name == ("child-down" if child is not None else "ike-down") and meant:
            return Outcome(error=f"gone instead: {fields.get('reason', 'no reason was given')}")
        if event.name == "failed" and fields.get("stage") == "CREATE_CHILD_SA" and meant:
            return Outcome(error=f"CREATE_CHILD_SA: {fields.get('reason', 'no reason was given')}")
        return None

    return judge


def moved(ike: str | int | None) -> Callable[[Event], Outcome | None]:
    """Moved, or not with the reason."""

    def judge(event: Event) -> Outcome | None:
        fields = event.fields
        if ike not in (None, fields.get("connection"), fields.get("number")):
            return None
        if event.name in ("not-moved", "ike-down"):
            return Outcome(error=str(fields.get("reason", "no reason was given")))
        return Outcome(fields) if event.name == "moved" else None

    return judge


def gone(left: Callable[[], int]) -> Callable[[Event], Outcome | None]:
    """Done when nothing is left."""
    return lambda event: None if left() else Outcome({})
