"""Reader and Writer: the only place where a length is checked against the data that is there."""

from lab.errors import Truncated


class Reader:
    """Reads big-endian fields from bytes; raises Truncated where the data ends too early."""

    __slots__ = ("_data", "_end", "position")

    def __init__(self, data: bytes, position: int = 0, end: int | None = None) -> None:
        self._data = data
        self._end = len(data) if end is None else end
        self.position = position

    @property
    def left(self) -> int:
        """Octets not read yet."""
        return self._end - self.position

    def take(self, count: int) -> bytes:
        """The next `count` octets."""
        start, stop = self.position, self.position + count
        if count < 0 or stop > self._end:
            raise Truncated(f"{count} octets wanted, {self.left} left")
        self.position = stop
        return self._data[start:stop]

    def u8(self) -> int:
        """The next octet as a number."""
        # Not by `take`: most of what a datagram is read in are single octets.
        if self.position >= self._end:
            raise Truncated("1 octets wanted, 0 left")
        self.position += 1
        return self._data[self.position - 1]

    def u16(self) -> int:
        """The next 2 octets as a number."""
        data, start = self._data, self.position
        if start + 2 > self._end:
            raise Truncated(f"2 octets wanted, {self.left} left")
        self.position = start + 2
        return data[start] << 8 | data[start + 1]

    def u32(self) -> int:
        """The next 4 octets as a number."""
        return int.from_bytes(self.take(4), "big")

    def u64(self) -> int:
        """The next 8 octets as a number."""
        return int.from_bytes(self.take(8), "big")

    def rest(self) -> bytes:
        """All octets not read yet."""
        return self.take(self.left)

    def block(self, count: int) -> "Reader":
        """A reader of its own over the next `count` octets."""
        start = self.position
        self.take(count)
        return Reader(self._data, start, start + count)


class Writer:
    """Collects big-endian fields; `bytes(writer)` gives them joined."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def raw(self, data: bytes) -> "Writer":
        """Append octets as they are."""
        self._parts.append(data)
        return self

    def u8(self, value: int) -> "Writer":
        """Append one octet."""
        self._parts.append(value.to_bytes(1, "big"))
        return self

    def u16(self, value: int) -> "Writer":
        """Append 2 octets."""
        self._parts.append(value.to_bytes(2, "big"))
        return self

    def u32(self, value: int) -> "Writer":
        """Append 4 octets."""
        return self.raw(value.to_bytes(4, "big"))

    def u64(self, value: int) -> "Writer":
        """Append 8 octets."""
        return self.raw(value.to_bytes(8, "big"))

    def __bytes__(self) -> bytes:
        return b"".join(self._parts)
