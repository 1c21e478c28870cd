"""What is kept of what a peer sent, so that it is known when it comes again: the message, or only its message ID.

The same datagram again asks for the answer to it (RFC 2408 5.1), and its hash tells that it is the same. Answers are
kept for the youngest only; message IDs, which begin one exchange each (RFC 2408 3.1), for much longer: an old message
opens whenever it comes, since IKEv1 has no window of messages.
"""

import hashlib
from collections import OrderedDict

# Datagrams whose answer is kept, and message IDs: those of hours, with one exchange a second.
MOST_ANSWERS, MOST_BEGUN = 256, 16384


def digest(data: bytes) -> bytes:
    """What a datagram is known by."""
    return hashlib.sha256(data).digest()


class Memory:
    """What is kept for one ISAKMP SA."""

    def __init__(self) -> None:
        self._answers: OrderedDict[bytes, bytes] = OrderedDict()
        self._begun: OrderedDict[int, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers) + len(self._begun)

    def answer(self, known_by: bytes) -> bytes | None:
        """What this datagram was answered with, empty where with nothing; None for one that is new."""
        return self._answers.get(known_by)

    def taken(self, known_by: bytes, answer: bytes) -> None:
        """This datagram was answered so."""
        self._answers[known_by] = answer
        while len(self._answers) > MOST_ANSWERS:
            self._answers.popitem(last=False)

    def has_begun(self, message_id: int) -> bool:
        """Whether the peer began an exchange under this message ID before."""
        return message_id in self._begun

    def begins(self, message_id: int) -> None:
        """The peer has begun an exchange under this message ID."""
        self._begun[message_id] = None
        if len(self._begun) > MOST_BEGUN:
            self._begun.popitem(last=False)
