"""The hash that decides who gets what: the same in Python and in every gateway.

MurmurHash2 (Austin Appleby), 32 bit, seed 0, little endian: what nginx `split_clients` uses.
"""

BUCKETS = 10_000
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """MurmurHash2 of the bytes, 0..2**32-1."""
    length = len(data)
    h = length
    whole = length - length % 4
    for start in range(0, whole, 4):
        k = int.from_bytes(data[start : start + 4], "little") * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = h * _M & _MASK ^ k
    if whole < length:
        h = (h ^ int.from_bytes(data[whole:], "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def bucket(salt: str, user: str) -> int:
    """The bucket 0..9999 of a user under a salt; uniform, and independent between salts.

    Equal to nginx's own comparison: `split_clients` with P % contains exactly the buckets below 100 P.
    """
    h = murmur2(f"{salt}:{user}".encode(errors="surrogateescape"))
    return min(BUCKETS - 1, ((h + 1) * BUCKETS - 1) // _MASK)
