"""Under which names users and clients appear in log and store, and how many different ones there are.

A unit (a user) and a peer (a client's address) are 64 bits of a keyed hash (`halfsiphash.py`), 16 hex digits. There
is one key for each purpose, derived from the installation's secret. So no cookie that a client thinks up has the hash
of somebody's address, nor an id that was given to somebody else; and a unit's message begins with what made it, so
that no cookie has the hash of a token's subject.

Which key made a hash is said beside it by a key id. Without one it was made by an earlier Huidu, from two salted
MurmurHash2. The same user has different units under different keys, and nothing tells that they are one.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from huidu.core.halfsiphash import KEY_BYTES, halfsiphash

# What a key id looks like: the algorithm, and which secret, of which it tells nothing.
KEY_ID = re.compile(r"[a-z0-9]{1,8}-[0-9a-f]{6}")
# How a gateway tells a version the key id of the units and peers that it tells.
KEY_ID_HEADER = "x-huidu-key-id"
_ALGORITHM = "h1"
_KEY_ID_BYTES = 3
# Of an IPv6 address the first 64 bits count: one client has all that follow.
_PEER_BYTES = 8


@dataclass(frozen=True, slots=True)
class UnitKeys:
    """The keys of an installation, 8 bytes each, and their public name (`h1-3f2a9c`)."""

    unit: bytes
    peer: bytes
    new_high: bytes
    new_low: bytes
    key_id: str

    def masked(self) -> "UnitKeys":
        """What may be shown of them: zeros for the keys."""
        nothing = bytes(KEY_BYTES)
        return UnitKeys(nothing, nothing, nothing, nothing, self.key_id)


@lru_cache(maxsize=8)
def unit_keys(secret: str) -> UnitKeys:
    """The keys that a secret stands for: BLAKE2b of it, personalised by purpose."""
    unit, peer, high, low = (
        _derived(secret, purpose, KEY_BYTES) for purpose in ("unit", "peer", "new high", "new low")
    )
    return UnitKeys(unit, peer, high, low, f"{_ALGORITHM}-{_derived(secret, 'key id', _KEY_ID_BYTES).hex()}")


def _derived(secret: str, purpose: str, size: int) -> bytes:
    return blake2b(_bytes(secret), digest_size=size, person=f"huidu {purpose}".encode()).digest()


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def unit_of(secret: str, kind: str, user: str) -> str:
    """The unit (16 hex digits) of a user, of whom `kind` says what he was known by (a part of `Audience.key`)."""
    return halfsiphash(unit_keys(secret).unit, _bytes(f"{kind}:{user}")).hex()


def peer_of(secret: str, packed: bytes) -> str:
    """The peer (16 hex digits) of a client's packed address."""
    return halfsiphash(unit_keys(secret).peer, packed[:_PEER_BYTES]).hex()


def new_uid(secret: str, request_id: str) -> str:
    """The id (32 hex digits) that a user without one is given at a first contact.

    Made of the request's id, which is logged, and not to be guessed from it.
    """
    keys, message = unit_keys(secret), _bytes(request_id)
    return (halfsiphash(keys.new_high, message) + halfsiphash(keys.new_low, message)).hex()


# ------------------------------------------------------------------ hashes of different keys


def keyed(key_id: str | None, hashed: str) -> str:
    """A unit or peer that bears the id of its key, so that those of different keys are never taken for one."""
    return hashed if key_id is None else f"{key_id}:{hashed}"


def hash_of(name: str) -> str:
    """The 16 hex digits of what `keyed` returned."""
    return name.rpartition(":")[2]


def key_of(name: str) -> str:
    """The id of the key of what `keyed` returned; empty where it bears none."""
    return name.rpartition(":")[0]


def distinct(names: Iterable[str]) -> int:
    """How many different users (or clients) there are for certain among units (or peers) of whatever keys.

    Who appears under two keys, before and after an upgrade, must not count as two: those of one key are counted, of
    the key that has most.
    """
    return max(Counter(map(key_of, set(names))).values(), default=0)
