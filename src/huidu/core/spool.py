"""The format of a spool: a file in which rows wait for a history that does not take them.

A spool has a fixed size and is written in place, so that a full disk cannot stop it. It begins with a head of
`HEAD_BYTES`, which says how many rows wait; behind that stand the rows, each with its length, its number and a
checksum, and zeros where no row waits. Rows are found by what they are and not by what the head says: whatever is
torn, cut off or changed, what is found is what was written, or less.
"""

import hashlib
import json
import struct
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

HEAD_BYTES = 4096
# Rows begin at multiples of this, so that the next one is found behind one that is damaged.
ALIGN_BYTES = 64

_HEAD_MAGIC = b"HUIDUSP1"
# Its first byte never occurs in UTF-8: no text that a user sends looks like the beginning of a row.
_ROW_MAGIC = b"\xf5HR1"
_HEAD = struct.Struct("<8sI16s")  # magic, length of the JSON behind it, checksum
_ROW = struct.Struct("<4sIQ16s")  # magic, length of the payload behind it, number, checksum


@dataclass(frozen=True, slots=True)
class Head:
    """What a spool says of itself. Rows `first` to `last` wait, none where `last` is smaller.

    `lost_rows` are those that neither history nor spool could take, the last of them at `lost_at` (epoch seconds).
    """

    version: str
    first: int = 1
    last: int = 0
    waiting_bytes: int = 0
    lost_rows: int = 0
    lost_at: float | None = None

    @property
    def waiting_rows(self) -> int:
        return max(0, self.last - self.first + 1)


@dataclass(frozen=True, slots=True)
class Slot:
    """A row as it stands in a spool: its number, where it begins, the room that it takes, and what it holds."""

    number: int
    offset: int
    size: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Scan:
    """The rows that were found, by their numbers, and how many are known to have been there and are not whole."""

    slots: tuple[Slot, ...]
    damaged: int


def encode_head(head: Head) -> bytes:
    """Exactly `HEAD_BYTES`."""
    said = json.dumps(asdict(head)).encode()
    return (_HEAD.pack(_HEAD_MAGIC, len(said), _checksum(said)) + said).ljust(HEAD_BYTES, b"\0")


def decode_head(content: bytes) -> Head | None:
    """The head at the start of a spool's content; None where there is none, or not a whole one."""
    if len(content) < _HEAD.size:
        return None
    magic, length, checksum = _HEAD.unpack_from(content)
    said = content[_HEAD.size : _HEAD.size + length]
    if magic != _HEAD_MAGIC or length > HEAD_BYTES - _HEAD.size or _checksum(said) != checksum:
        return None
    return _head_of(json.loads(said))


def by_version(heads: Iterable[Head]) -> dict[str, Head]:
    """All spools of a version as one head; only what waits and what was lost means anything in it."""
    found: dict[str, Head] = {}
    for head in sorted(heads, key=lambda each: each.version):
        so_far = found.get(head.version, Head(head.version))
        lost = [at for at in (so_far.lost_at, head.lost_at) if at is not None]
        found[head.version] = Head(
            head.version,
            last=so_far.waiting_rows + head.waiting_rows,
            waiting_bytes=so_far.waiting_bytes + head.waiting_bytes,
            lost_rows=so_far.lost_rows + head.lost_rows,
            lost_at=max(lost, default=None),
        )
    return found


def is_spool(content: bytes) -> bool:
    """Whether this begins as a spool does, whole or not."""
    return content.startswith(_HEAD_MAGIC)


def room(payload: bytes) -> int:
    """The bytes that a row takes in a spool."""
    return -(-(_ROW.size + len(payload)) // ALIGN_BYTES) * ALIGN_BYTES


def encode_row(number: int, payload: bytes) -> bytes:
    """Exactly `room(payload)` bytes. The payload must be UTF-8."""
    return (_ROW.pack(_ROW_MAGIC, len(payload), number, _sealed(number, payload)) + payload).ljust(room(payload), b"\0")


def decode_row(content: bytes, offset: int) -> Slot | None:
    """The row that begins at an offset; None where none does, or not a whole one."""
    if len(content) < offset + _ROW.size:
        return None
    magic, length, number, checksum = _ROW.unpack_from(content, offset)
    payload = content[offset + _ROW.size : offset + _ROW.size + length]
    if magic != _ROW_MAGIC or len(payload) != length or _sealed(number, payload) != checksum:
        return None
    return Slot(number, offset, room(payload), payload)


def scan(content: bytes) -> Scan:
    """The rows of a whole spool file."""
    found: dict[int, Slot] = {}
    broken, offset = 0, HEAD_BYTES
    while (offset := content.find(_ROW_MAGIC, offset)) >= 0:
        slot = None if offset % ALIGN_BYTES else decode_row(content, offset)
        if slot is None:
            broken += offset % ALIGN_BYTES == 0
            offset += 1
        else:
            found[slot.number] = slot
            offset += slot.size
    slots = tuple(found[number] for number in sorted(found))
    first, last = _expected(decode_head(content), slots)
    missing = sum(number not in found for number in range(first, last + 1))
    return Scan(slots, max(broken, missing))


def _expected(head: Head | None, slots: tuple[Slot, ...]) -> tuple[int, int]:
    """The numbers of the first and the last row that should be there."""
    if head is not None:
        return head.first, head.last
    return (slots[0].number, slots[-1].number) if slots else (1, 0)


def _head_of(said: dict[str, Any]) -> Head:
    """Takes what it knows: a later version may say more."""
    known = {field.name for field in fields(Head)}
    return Head(**{name: value for name, value in said.items() if name in known})


def _sealed(number: int, payload: bytes) -> bytes:
    return _checksum(number.to_bytes(8, "little") + payload)


def _checksum(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()
