from hash_vectors import KEY, VECTORS
from hypothesis import given
from hypothesis import strategies as st

from huidu.core.halfsiphash import halfsiphash


def test_it_gives_the_authors_vectors() -> None:
    assert len(VECTORS) == 64
    for message, hashed in VECTORS:
        assert halfsiphash(KEY, message).hex() == hashed


def _reference(key: bytes, data: bytes) -> bytes:
    """A second implementation, after the paper: padded to whole words, one step at a time over a list."""
    words = [int.from_bytes(key[:4], "little"), int.from_bytes(key[4:], "little")]
    v = [words[0], words[1], words[0] ^ 0x6C796765, words[1] ^ 0x74656462]
    v[1] ^= 0xEE

    def turned(value: int, by: int) -> int:
        return ((value << by) | (value >> (32 - by))) % 2**32

    def rounds(count: int) -> None:
        for _ in range(count):
            for a, b, by, then in ((0, 1, 5, 16), (2, 3, 8, 0), (0, 3, 7, 0), (2, 1, 13, 16)):
                v[a] = (v[a] + v[b]) % 2**32
                v[b] = turned(v[b], by) ^ v[a]
                v[a] = turned(v[a], then)

    padded = data + bytes(3 - len(data) % 4) + bytes([len(data) % 256])
    for start in range(0, len(padded), 4):
        word = int.from_bytes(padded[start : start + 4], "little")
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xEE
    rounds(4)
    high = v[1] ^ v[3]
    v[1] ^= 0xDD
    rounds(4)
    return high.to_bytes(4, "little") + (v[1] ^ v[3]).to_bytes(4, "little")


@given(st.binary(min_size=8, max_size=8), st.binary(max_size=600))
def test_two_implementations_agree(key: bytes, data: bytes) -> None:
    assert halfsiphash(key, data) == _reference(key, data)
