"""WAV files whose head lies, as recorders that crashed, pipes and hand-written heads leave them.

What is wrong is the size of the samples (0, too large, or what a stream writes that does not know it yet), the padding
byte after a chunk of odd size. The samples are there all the same: from where they begin to
where the next chunk begins, or else to the end of the file.
"""

import io
from dataclasses import dataclass
from typing import BinaryIO

# Chunks that writers really put into WAV files: one of these tells where a chunk begins when its place is in doubt.
_KNOWN = frozenset(
    {
        b"fmt ",
        b"data",
        b"LIST",
        b"fact",
        b"JUNK",
        b"junk",
        b"bext",
        b"cue ",
        b"PEAK",
        b"id3 ",
        b"ID3 ",
        b"iXML",
        b"smpl",
    }
)
_CHUNK_HEAD = 8
# No writer puts so many chunks before the sound; zeros would be read as chunks without an end.
_MOST_CHUNKS = 1000
_MOST_FORMAT_BYTES = 1 << 12
_LARGEST_SIZE = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class _Chunk:
    """`size` is what its head says, `body` where its content begins."""

    name: bytes
    size: int
    body: int


def mended(file: BinaryIO, size_bytes: int) -> BinaryIO:
    """The file itself, or where its head lies the same samples behind a head that is true."""
    head = _read(file, 0, 12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return file
    form: bytes | None = None
    place, lies = 12, False
    for _ in range(_MOST_CHUNKS):
        chunk = _chunk(file, place)
        if chunk is None:
            return file
        if chunk.name == b"data":
            end = _end_of_sound(file, chunk, size_bytes)
            if form is None or not (lies or end != chunk.body + chunk.size):
                return file
            return _Mended(file, form, chunk.body, end)
        if chunk.name == b"fmt ":
            form = _read(file, chunk.body, min(chunk.size, _MOST_FORMAT_BYTES))
        place, padded = _next(file, chunk)
        lies = lies or not padded
    return file


def _end_of_sound(file: BinaryIO, data: _Chunk, size_bytes: int) -> int:
    said = data.body + data.size
    if said > size_bytes:
        return size_bytes
    if data.size == 0:
        # Nothing but further chunks: the recording is empty, and says so.
        return said if _are_chunks(file, said, size_bytes) else size_bytes
    rest = size_bytes - said - data.size % 2
    if rest <= 0 or _looks_like_chunk(_chunk(file, said + data.size % 2)) or _looks_like_chunk(_chunk(file, said)):
        return said
    return size_bytes


def _are_chunks(file: BinaryIO, place: int, size_bytes: int) -> bool:
    """Whether chunk follows chunk from there exactly to the end of the file."""
    for _ in range(_MOST_CHUNKS):
        if place >= size_bytes:
            return place - size_bytes <= 1
        chunk = _chunk(file, place)
        if chunk is None or not _looks_like_chunk(chunk):
            return False
        place, _ = _next(file, chunk)
    return False


def _next(file: BinaryIO, chunk: _Chunk) -> tuple[int, bool]:
    """Where the next chunk begins, and whether the padding is as it should be."""
    end = chunk.body + chunk.size
    if chunk.size % 2 and _read(file, end + 1, 4) not in _KNOWN and _read(file, end, 4) in _KNOWN:
        return end, False
    return end + chunk.size % 2, True


def _looks_like_chunk(chunk: _Chunk | None) -> bool:
    return chunk is not None and all(0x20 <= byte < 0x7F for byte in chunk.name)


def _chunk(file: BinaryIO, place: int) -> _Chunk | None:
    head = _read(file, place, _CHUNK_HEAD)
    if len(head) < _CHUNK_HEAD:
        return None
    return _Chunk(head[:4], int.from_bytes(head[4:], "little"), place + _CHUNK_HEAD)


def _read(file: BinaryIO, place: int, size: int) -> bytes:
    file.seek(place)
    return file.read(size)


class _Mended(io.RawIOBase, BinaryIO):
    """A true head, and behind it a part of the file. It is read and sought in, which is all that libsndfile does."""

    def __init__(self, file: BinaryIO, form: bytes, begin: int, end: int) -> None:
        padded = form + bytes(len(form) % 2)
        length = min(end - begin, _LARGEST_SIZE - 64 - len(padded))
        chunks = b"fmt " + len(form).to_bytes(4, "little") + padded + b"data" + length.to_bytes(4, "little")
        self._head = b"RIFF" + (4 + len(chunks) + length).to_bytes(4, "little") + b"WAVE" + chunks
        self._file, self._begin = file, begin
        self._size = len(self._head) + length
        self._place = 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = 0) -> int:
        self._place = max(0, offset + (0, self._place, self._size)[whence])
        return self._place

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._size - self._place)
        size = left if size < 0 else min(size, left)
        found = self._head[self._place : self._place + size]
        if len(found) < size:
            self._file.seek(self._begin + self._place + len(found) - len(self._head))
            found += self._file.read(size - len(found))
        self._place += len(found)
        return found

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        found = self.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)
