"""HalfSipHash-2-4 with 64 bits of output: a keyed hash made of 32-bit operations alone.

Aumasson and Bernstein (2012), SipHash: a fast short-input PRF, in the half-size variant of the authors' reference
(`halfsiphash.c`). LuaJIT and Python do 32-bit operations alike, so that both gateways and this agree.
"""

KEY_BYTES = 8
_MASK = 0xFFFFFFFF
_LAST_BYTES = 0xFF000000


def halfsiphash(key: bytes, data: bytes) -> bytes:
    """The 8 bytes that the authors' reference gives for a key of 8 bytes."""
    assert len(key) == KEY_BYTES
    k0, k1 = int.from_bytes(key[:4], "little"), int.from_bytes(key[4:], "little")
    v0, v1, v2, v3 = k0, k1 ^ 0xEE, 0x6C796765 ^ k0, 0x74656462 ^ k1
    whole = len(data) - len(data) % 4
    for start in range(0, whole, 4):
        word = int.from_bytes(data[start : start + 4], "little")
        v0, v1, v2, v3 = _rounds(2, v0, v1, v2, v3 ^ word)
        v0 ^= word
    # The last word: what is left of the data, and the length of all of it, modulo 256, in the highest byte.
    word = len(data) << 24 & _LAST_BYTES | int.from_bytes(data[whole:], "little")
    v0, v1, v2, v3 = _rounds(2, v0, v1, v2, v3 ^ word)
    v0, v1, v2, v3 = _rounds(4, v0 ^ word, v1, v2 ^ 0xEE, v3)
    first = v1 ^ v3
    v0, v1, v2, v3 = _rounds(4, v0, v1 ^ 0xDD, v2, v3)
    return first.to_bytes(4, "little") + (v1 ^ v3).to_bytes(4, "little")


def _rounds(count: int, v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
    for _ in range(count):
        v0 = (v0 + v1) & _MASK
        v1 = (v1 << 5 & _MASK | v1 >> 27) ^ v0
        v0 = v0 << 16 & _MASK | v0 >> 16
        v2 = (v2 + v3) & _MASK
        v3 = (v3 << 8 & _MASK | v3 >> 24) ^ v2
        v0 = (v0 + v3) & _MASK
        v3 = (v3 << 7 & _MASK | v3 >> 25) ^ v0
        v2 = (v2 + v1) & _MASK
        v1 = (v1 << 13 & _MASK | v1 >> 19) ^ v2
        v2 = v2 << 16 & _MASK | v2 >> 16
    return v0, v1, v2, v3
