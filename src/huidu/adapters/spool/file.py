"""One spool: a file of fixed size, laid out in advance and written in place, as a ring."""

import fcntl
import logging
import os
import stat
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from huidu.adapters.spool.rows import decode, encode
from huidu.core.errors import InvalidError
from huidu.core.spool import HEAD_BYTES, Head, Slot, decode_head, decode_row, encode_head, encode_row, is_spool, scan
from huidu.files import sync
from huidu.ports import Recognition, SpoolState

_log = logging.getLogger(__name__)

# What is not laid out yet.
HALF_SUFFIX = ".new"
# So long what was lost is told, over restarts too.
_LOST_SECONDS = 7 * 86_400


class ForeignError(Exception):
    """What lies there is no spool of ours, or cannot be read."""


class HeldError(Exception):
    """The process that this spool belongs to lives."""


class SpoolFile:
    """`ports.Spool` over a file that is locked as long as its process lives. Made by `lay_out` and `take_over`."""

    def __init__(self, path: Path, file: int, size: int, head: Head, slots: Sequence[Slot] = ()) -> None:
        self.path = path
        self.size = size
        self._file = file
        self._head = head
        # Where the rows stand that wait; what they hold is on the disk.
        self._slots = deque(replace(slot, payload=b"") for slot in slots)
        self._waiting_bytes = sum(slot.size for slot in slots)
        self._next_offset = slots[-1].offset + slots[-1].size if slots else HEAD_BYTES
        self._lock = threading.Lock()

    @property
    def version(self) -> str:
        return self._head.version

    @property
    def is_removed(self) -> bool:
        """Whether somebody has deleted the file: what it holds will not outlive this process."""
        return os.fstat(self._file).st_nlink == 0

    def append(self, rows: Sequence[Recognition]) -> int:
        if self.is_removed:
            return 0
        try:
            with self._lock:
                taken = self._write(rows)
                self._write_head()
            os.fdatasync(self._file)
        except OSError as error:
            # What was written may be replayed all the same: that is the better side to err on.
            _log.error("the spool %s cannot be written: %s", self.path, error.strerror)
            return 0
        return taken

    def head(self, limit: int) -> list[Recognition]:
        found: list[Recognition] = []
        while len(found) < limit:
            with self._lock:
                if len(found) >= len(self._slots):
                    break
                slot = self._slots[len(found)]
            try:
                found.append(self._read(slot))
            except (OSError, InvalidError) as error:
                _log.error("row %d in the spool %s is lost: %s", slot.number, self.path, error)
                with self._lock:
                    self._slots.remove(slot)
                    self._waiting_bytes -= slot.size
                self.lose(1)
        return found

    def drop(self, rows: int) -> None:
        with self._lock:
            gone = [self._slots.popleft() for _ in range(min(rows, len(self._slots)))]
            self._waiting_bytes -= sum(slot.size for slot in gone)
            try:
                self._write_head()
                # The head first: zeros where it promises rows would count as rows that are lost.
                os.fdatasync(self._file)
                for slot in gone:
                    os.pwrite(self._file, bytes(slot.size), slot.offset)
            except OSError as error:
                # They will come again, and the history knows them.
                _log.error("the spool %s cannot be written: %s", self.path, error.strerror)

    def lose(self, rows: int) -> None:
        with self._lock:
            self._head = replace(self._head, lost_rows=self._head.lost_rows + rows, lost_at=time.time())
            try:
                self._write_head()
            except OSError as error:
                _log.error("the spool %s cannot be written: %s", self.path, error.strerror)

    def state(self) -> SpoolState:
        with self._lock:
            return SpoolState(len(self._slots), self._waiting_bytes, self.size - HEAD_BYTES, self._head.lost_rows)

    def close(self, remove: bool) -> None:
        """Gives the file out of hand; what waits in it is for whoever comes next."""
        try:
            if remove:
                self.path.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("the empty spool %s cannot be removed: %s", self.path, error.strerror)
        finally:
            os.close(self._file)

    def _write(self, rows: Sequence[Recognition]) -> int:
        """Writes rows while there is room for them; how many these were."""
        for taken, row in enumerate(rows):
            content = encode_row(self._head.last + 1, encode(row))
            offset = self._room(len(content))
            if offset is None:
                return taken
            os.pwrite(self._file, content, offset)
            self._head = replace(self._head, last=self._head.last + 1)
            self._slots.append(Slot(self._head.last, offset, len(content), b""))
            self._waiting_bytes += len(content)
            self._next_offset = offset + len(content)
        return len(rows)

    def _room(self, size: int) -> int | None:
        """Where a row of this size can stand: behind the last one, or at the start again; None where it cannot."""
        after = self._next_offset
        oldest = self._slots[0].offset if self._slots else None
        if oldest is None:
            return HEAD_BYTES if HEAD_BYTES + size <= self.size else None
        if after <= oldest:
            return after if after + size <= oldest else None
        if after + size <= self.size:
            return after
        return HEAD_BYTES if HEAD_BYTES + size <= oldest else None

    def _read(self, slot: Slot) -> Recognition:
        found = decode_row(os.pread(self._file, slot.size, slot.offset), 0)
        if found is None or found.number != slot.number:
            raise InvalidError("it was damaged since it was written")
        return decode(found.payload)

    def _write_head(self) -> None:
        first = self._slots[0].number if self._slots else self._head.last + 1
        self._head = replace(self._head, first=first, waiting_bytes=self._waiting_bytes)
        os.pwrite(self._file, encode_head(self._head), 0)


def lay_out(path: Path, version: str, size: int) -> SpoolFile:
    """A new spool, with all its room taken on the disk. Raises `OSError` where there is none."""
    # Under its own name only when it is whole and locked: others take a spool without a lock for one that was left.
    aside = path.with_suffix(HALF_SUFFIX)
    file = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.posix_fallocate(file, 0, size)
        head = Head(version)
        os.pwrite(file, encode_head(head), 0)
        os.fsync(file)
        aside.rename(path)
        sync(path.parent)
        return SpoolFile(path, file, size, head)
    except BaseException:
        aside.unlink(missing_ok=True)
        os.close(file)
        raise


def take_over(path: Path) -> SpoolFile:
    """The spool that an ended process left. Raises `HeldError`, and `ForeignError` for what is none."""
    try:
        # A pipe would wait for whoever writes into it.
        file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise HeldError from error  # another has just emptied it
    except OSError as error:
        raise ForeignError(error.strerror) from error
    try:
        return _taken_over(path, file)
    except BaseException:
        os.close(file)
        raise


def _taken_over(path: Path, file: int) -> SpoolFile:
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode):
        raise ForeignError("it is no file")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found = os.fstat(file)
        if found.st_nlink == 0:
            raise HeldError  # another has emptied and removed it
        content = os.pread(file, found.st_size, 0)
    except BlockingIOError as error:
        raise HeldError from error
    except OSError as error:
        raise ForeignError(error.strerror) from error
    if not is_spool(content) and not scan(content).slots:
        raise ForeignError("it is no spool of Huidu's")
    return _mended(path, file, content)


def _mended(path: Path, file: int, content: bytes) -> SpoolFile:
    """A spool of what is whole of this content; what is not is counted as lost, and wiped."""
    found = scan(content)
    head = decode_head(content) or Head(path.stem.rpartition("-")[0])
    if head.lost_at is not None and time.time() - head.lost_at > _LOST_SECONDS:
        head = replace(head, lost_rows=0, lost_at=None)
    last = max([head.last, *(slot.number for slot in found.slots)])
    spool = SpoolFile(path, file, len(content), replace(head, last=last), found.slots)
    if found.damaged:
        _log.error("%d recognitions in the spool %s are damaged and lost", found.damaged, path)
        _wipe(file, len(content), found.slots)
        spool.lose(found.damaged)
    return spool


def _wipe(file: int, size: int, kept: Sequence[Slot]) -> None:
    """Zeros wherever no row stands that is whole: what is damaged would be counted again."""
    offset = HEAD_BYTES
    for slot in sorted(kept, key=lambda each: each.offset):
        os.pwrite(file, bytes(max(0, slot.offset - offset)), offset)
        offset = slot.offset + slot.size
    os.pwrite(file, bytes(max(0, size - offset)), offset)
