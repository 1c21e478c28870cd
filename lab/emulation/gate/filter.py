"""Which packets a rule of the gate means, in words that Python, topology files and the command line share.

    [WHICH] WHAT [from NODE] [to NODE] [with PAYLOAD]... [without PAYLOAD]...

    WHICH   `2nd`, `2nd to 4th`, `3rd on`; nothing or `every` means every one
    WHAT    `any`, `IKE`, `ESP`, `AH`, `keepalive`; an exchange of IKEv2, as `IKE_AUTH`, `IKE_AUTH request`,
            `IKE_AUTH response 2` (with this message ID); one of IKEv1, as `MAIN_MODE message`

A count runs over the packets that all other words describe, retransmissions among them. `from` and `to` mean the side
of the gate on which the node lies. Payloads are named as in the ladder: `SA`, `KEi`, `D`, `N(REKEY_SA)`.
"""

import re
from dataclasses import dataclass, replace
from difflib import get_close_matches

from lab.errors import ConfigError
from lab.wire.ids import ExchangeType, NotifyType
from lab.wire.ids_v1 import ExchangeType1

KINDS = ("any", "IKE", "ESP", "AH", "keepalive")
_CLAUSES = ("from", "to", "with", "without")
_NTH = re.compile(r"(\d{1,9})(st|nd|rd|th)")
_PAYLOAD = re.compile(r"[A-Za-z]\w*(\([\w/]+\))?")
_ID = re.compile(r"\d{1,10}")
_LARGEST_ID = 0xFFFFFFFF
LONGEST = 400


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter as read. `kind` is a word of KINDS or `exchange`, then with `version`; `last` None means without end."""

    text: str
    kind: str
    exchange: int | None = None
    version: int = 2
    response: bool | None = None
    message_id: int | None = None
    first: int = 1
    last: int | None = None
    came_from: str = ""
    goes_to: str = ""
    holding: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()

    @property
    def every(self) -> bool:
        """Whether no packet is left out by its number."""
        return self.first == 1 and self.last is None

    @property
    def inside(self) -> bool:
        """Whether the payloads of a message decide, so that it must be opened."""
        return bool(self.holding or self.lacking)

    def turn(self, number: int) -> bool:
        """Whether the packet of this number, counted from 1, is meant."""
        return number >= self.first and (self.last is None or number <= self.last)

    def counted(self, nth: int, count: int | None) -> "Filter":
        """The same packets, but `count` of them from the `nth` on."""
        if nth < 1 or (count is not None and count < 1):
            raise ConfigError("the gate counts packets from 1")
        return replace(self, first=nth, last=None if count is None else nth + count - 1)

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that it names."""
        return tuple(filter(None, (self.came_from, self.goes_to)))


def parse(text: str) -> Filter:
    """Read a filter; a ConfigError says which word is wrong and what may stand there."""
    if len(text) > LONGEST:
        raise ConfigError(f"a filter has at most {LONGEST} characters, not {len(text)}")
    return _Words(text).filter()


class _Words:
    """The words of a filter, read from left to right."""

    def __init__(self, text: str) -> None:
        self._text, self._words, self._at = text, text.split(), 0

    def filter(self) -> Filter:
        first, last = self._which()
        found = replace(self._what(), text=" ".join(self._words), first=first, last=last)
        while self._at < len(self._words):
            found = self._clause(found)
        return found

    # -- the cursor

    def _peek(self) -> str:
        return self._words[self._at] if self._at < len(self._words) else ""

    def _take(self, wanted: str) -> str:
        if self._at == len(self._words):
            raise ConfigError(f"the filter `{self._text.strip()}` ends where {wanted} must stand")
        self._at += 1
        return self._words[self._at - 1]

    def _wrong(self, what: str) -> ConfigError:
        """About the word read last."""
        return ConfigError(f"in the filter `{self._text.strip()}`, word {self._at}: {what}")

    # -- its parts

    def _which(self) -> tuple[int, int | None]:
        if self._peek() == "every":
            self._at += 1
            return 1, None
        if not _NTH.fullmatch(self._peek()):
            return 1, None
        first = last = self._number()
        if self._peek() == "on":
            self._at += 1
            return first, None
        if self._peek() == "to":
            self._at += 1
            last = self._number()
            if last < first:
                raise self._wrong(f"the range ends before it begins ({first} to {last})")
        return first, last

    def _number(self) -> int:
        word = self._take("a number like `2nd`")
        found = _NTH.fullmatch(word)
        if found is None or not int(found[1]):
            raise self._wrong(f"`{word}` is no number; write 1st, 2nd, 3rd, 4th, ...")
        return int(found[1])

    def _what(self) -> Filter:
        word = self._take("what it is about (ESP, IKE, `IKE_AUTH request`, ...)")
        if word == "IKE":
            return replace(Filter("", word), response=self._direction())
        if word in KINDS:
            return Filter("", word)
        if word in ExchangeType.__members__ and (word not in ExchangeType1.__members__ or self._peek() != "message"):
            response = self._direction()
            return Filter("", "exchange", int(ExchangeType[word]), 2, response, self._message_id(response))
        if word in ExchangeType1.__members__:
            if self._take("`message`") != "message":
                raise self._wrong(f"{word} is of IKEv1, whose messages say no direction: write `{word} message`")
            return Filter("", "exchange", int(ExchangeType1[word]), 1)
        raise self._wrong(_unknown(word))

    def _direction(self) -> bool | None:
        if self._peek() not in ("request", "response"):
            return None
        self._at += 1
        return self._words[self._at - 1] == "response"

    def _message_id(self, response: bool | None) -> int | None:
        if response is None or not _ID.fullmatch(self._peek()):
            return None
        self._at += 1
        if int(self._words[self._at - 1]) > _LARGEST_ID:
            raise self._wrong(f"a message ID has 32 bits, so it is at most {_LARGEST_ID}")
        return int(self._words[self._at - 1])

    def _clause(self, found: Filter) -> Filter:
        word = self._take("a clause")
        if word not in _CLAUSES:
            raise self._wrong(
                f"`{word}` is not expected here; what may follow is from NODE, to NODE, with PAYLOAD, without PAYLOAD"
            )
        if word in ("from", "to"):
            if found.came_from if word == "from" else found.goes_to:
                raise self._wrong(f"`{word}` was said already")
            node = self._take("the name of a node")
            return replace(found, came_from=node) if word == "from" else replace(found, goes_to=node)
        name = self._payload(found)
        if word == "with":
            return replace(found, holding=(*found.holding, name))
        return replace(found, lacking=(*found.lacking, name))

    def _payload(self, found: Filter) -> str:
        name = self._take("the name of a payload")
        if found.kind not in ("IKE", "exchange"):
            raise self._wrong(f"only messages of IKE have payloads, not `{found.kind}`")
        if not _PAYLOAD.fullmatch(name):
            raise self._wrong(f"`{name}` is no payload; write it as the ladder does: SA, KEi, D, N(REKEY_SA)")
        notify = name[2:-1] if name.startswith("N(") else ""
        if notify and notify not in NotifyType.__members__ and not notify.startswith("UNKNOWN_"):
            raise self._wrong(f"there is no notify `{notify}`{_meant(notify, list(NotifyType.__members__))}")
        return name


def _unknown(word: str) -> str:
    known, older = list(ExchangeType.__members__), list(ExchangeType1.__members__)
    if _NTH.match(word) or word.isdigit():
        return f"`{word}` is no number here; write 1st, 2nd, 3rd, 4th, ..."
    return (
        f"the gate does not know `{word}`{_meant(word, [*KINDS, *known, *older])}; it knows {', '.join(KINDS)}, "
        f"request or response of {', '.join(known)}, and message of {', '.join(older)}"
    )


def _meant(word: str, known: list[str]) -> str:
    upper = {name.upper(): name for name in known}
    near = get_close_matches(word.upper(), upper, 1)
    return f" (did you mean {upper[near[0]]}?)" if near else ""
