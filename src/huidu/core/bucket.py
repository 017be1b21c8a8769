"""The hashes that decide who gets what: the same in Python and in every gateway.

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


def new_uid(secret: str, request_id: str) -> str:
    """The id (32 hex digits) that a user without one is given at a first contact.

    Made of the request's id, which is logged, and not to be guessed from it.
    """
    return unit_of(secret, f"new:1:{request_id}") + unit_of(secret, f"new:2:{request_id}")


def peer_of(secret: str, packed: bytes) -> str:
    """The keyed hash (16 hex digits) under which a client's packed address appears in log and store.

    Of an IPv6 address the first 64 bits count: one client has all that follow.
    """
    return unit_of(secret, f"peer:{packed[:8].hex()}")


def unit_of(secret: str, user: str) -> str:
    """The 64-bit keyed hash (16 hex digits) under which a user appears in log and store."""
    high = murmur2(f"{secret}:a:{user}".encode(errors="surrogateescape"))
    low = murmur2(f"{secret}:b:{user}".encode(errors="surrogateescape"))
    return f"{high:08x}{low:08x}"
