"""Which kind of room an SA takes, and the rooms that were used last."""

from collections import OrderedDict

from lab.crypto.ciphers import Chaining, Sealing
from lab.crypto.macs import CutMac
from lab.ipsec.esp import Shape
from lab.ipsec.train.aead import AeadRoom
from lab.ipsec.train.chained import ChainedRoom
from lab.ipsec.train.room import Room, Sizes

_KEPT = 8


def sizes(shape: Shape, text: int, *, esn: bool) -> Sizes | None:
    """The sizes of a train whose packets have so much encrypted text; None where the plain way is the only one."""
    match shape.cipher:
        case Sealing(salt=salt):
            return Sizes(text, shape.iv, shape.icv, len(salt), esn, chained=False)
        case Chaining() if isinstance(shape.mac, CutMac):
            return Sizes(text, shape.iv, shape.icv, 0, esn, chained=True)
    return None


class Rooms:
    """The rooms that were used last, by their sizes."""

    def __init__(self) -> None:
        self._rooms: OrderedDict[Sizes, Room] = OrderedDict()

    def get(self, sizes: Sizes) -> Room:
        """The room of these sizes."""
        room = self._rooms.get(sizes)
        if room is None:
            room = self._rooms[sizes] = ChainedRoom(sizes) if sizes.chained else AeadRoom(sizes)
            if len(self._rooms) > _KEPT:
                self._rooms.popitem(last=False)
        self._rooms.move_to_end(sizes)
        return room
