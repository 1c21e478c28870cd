import pytest

from lab.errors import Truncated
from lab.wire.cursor import Reader, Writer


def test_fields_round_trip() -> None:
    data = bytes(Writer().u8(1).u16(0x203).u32(0x4050607).u64(0x8090A0B0C0D0E0F).raw(b"tail"))
    reader = Reader(data)
    assert (reader.u8(), reader.u16(), reader.u32(), reader.u64()) == (1, 0x203, 0x4050607, 0x8090A0B0C0D0E0F)
    assert reader.rest() == b"tail" and reader.left == 0


@pytest.mark.parametrize("count", [3, 1 << 20, -1])
def test_reading_past_the_end_is_truncated(count: int) -> None:
    with pytest.raises(Truncated):
        Reader(b"ab").take(count)


def test_a_block_ends_where_it_should() -> None:
    reader = Reader(b"abcdef")
    block = reader.block(2)
    assert block.rest() == b"ab" and reader.rest() == b"cdef"
    with pytest.raises(Truncated):
        block.u8()
