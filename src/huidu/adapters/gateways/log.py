"""The gateway's log: rotated beside itself, and each whole line read once, whatever stops in between.

    gateway.jsonl                           the live file
    gateway-20261122T081022.123456Z.jsonl   renamed at that time; workers may still append to it for a while

Somebody else may rename the live file, too, remove it, or put another one in its place: the gateway is asked to open a
new one then, what it wrote meanwhile is read from the renamed file as long as that can be found beside the live one,
and what happened is told.

A file is known by the digest of its first line, which no rename changes and no later file repeats (it holds a
request's id). A checkpoint is {"files": {digest: bytes read}, "read": bytes, "lines": lines read since ever}; those
written before files were rotated are {"inode", "offset"}.
"""

import errno
import glob
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from huidu.core.errors import UnavailableError
from huidu.core.faces import RequestKind
from huidu.core.observation import Observation
from huidu.ports import LogRead

# Bounds one read, so that a long absence is caught up in steps.
_READ_BYTES = 8 << 20
# What has no end of line within this is no line: it is skipped.
_LINE_BYTES = 1 << 20
_HEAD_BYTES = 1 << 16
# Rotated files that are read are kept for this long, and at most this many.
_KEEP_SECONDS = 7 * 86_400.0
_KEEP_FILES = 8
# No worker appends to a renamed file that was left alone for this long.
_QUIET_SECONDS = 60.0
# More than one in so many lines that are none of ours is no accident.
_GARBLED_PART = 10
_NOT_OURS = (orjson.JSONDecodeError, KeyError, TypeError, ValueError)
# What Envoy says where the version's connection ended, was reset, or made no sense, before its answer was whole.
_BROKEN = frozenset({"UC", "UR", "UPE"})
_STAMP = "%Y%m%dT%H%M%S.%fZ"


class GatewayLogFiles:
    """Reads and rotates one gateway's log. `reopen` asks the gateway to write to the live file's name again.

    Where it does not hear, lines go on into the renamed file, and it is asked again.
    """

    def __init__(self, live: Path, reopen: Callable[[], bool], rotate_bytes: int):
        self._live, self._reopen, self._rotate_bytes = live, reopen, rotate_bytes
        # The live file as it was last seen; None where a new one is expected.
        self._inode: int | None = None
        self._rotated_name = re.compile(rf"{re.escape(live.stem)}-\d{{8}}T\d{{6}}\.\d{{6}}Z{re.escape(live.suffix)}")

    def rotate_if_due(self, now: float) -> None:
        """Renames a live file that has grown too large, and asks for one where there is none."""
        with _reported(self._live):
            if self._live.exists():
                if self._live.stat().st_size <= self._rotate_bytes:
                    return
                stamp = datetime.fromtimestamp(now, UTC).strftime(_STAMP)
                target = self._live.with_name(f"{self._live.stem}-{stamp}{self._live.suffix}")
                if target.exists():
                    return
                self._live.rename(target)
                self._inode = None
        self._reopen()

    def reopen(self) -> bool:
        """Asks the gateway to go on in a file of the live name; whether it heard."""
        return self._reopen()

    def read(self, checkpoint: dict[str, Any] | None) -> LogRead:
        """The lines behind a checkpoint, oldest file first, and the checkpoint behind them.

        Raises `UnavailableError` where a file cannot be read: without its first line it would be taken for another.
        """
        known = _Known(checkpoint)
        files: dict[str, int] = {}
        found: list[Observation] = []
        left, lines, garbled = _READ_BYTES, 0, 0
        trouble = self._trouble()
        with ExitStack() as stack:
            for head, file in self._ours(stack, known):
                if head in files:
                    continue
                offset = known.offset(head, file)
                block = _whole_lines(file, offset, left)
                whole, wrong = parsed(block)
                found += whole
                lines, garbled = lines + block.count(b"\n"), garbled + wrong
                files[head] = offset + len(block)
                left -= len(block)
        if garbled > 1 and garbled * _GARBLED_PART > lines:
            trouble = f"{garbled} of {lines} lines of the gateway's log are not understood"
        read = {"files": files, "read": known.read + _READ_BYTES - left, "lines": known.lines + lines}
        return LogRead(found, read, trouble)

    def _trouble(self) -> str | None:
        """What somebody else did to the live file since the last look."""
        try:
            inode = self._live.stat().st_ino
        except FileNotFoundError:
            # Before the first request, and right after a rotation, there is none yet.
            gone = self._inode is not None
            return f"the gateway's log {self._live} is gone" if gone else None
        except OSError as error:
            return f"the gateway's log {self._live} cannot be looked at: {error.strerror}"
        before, self._inode = self._inode, inode
        if before is not None and before != inode:
            return f"somebody else put another file in the place of the gateway's log {self._live}"
        return None

    def _ours(self, stack: ExitStack, known: "_Known") -> Iterator[tuple[str, BinaryIO]]:
        """What the gateway writes to, or wrote to: open files with the digest of their first line, the oldest first."""
        # Opened before others are listed: whatever it is renamed to meanwhile, it is read.
        live = stack.enter_context(_opened(self._live))
        current = list(_with_head(live))
        # A copy that somebody made begins as the file that lines go to, and gets none.
        written = {head for head, _ in current}
        for path in self._rotated():
            found = list(_with_head(stack.enter_context(_opened(path))))
            yield from (each for each in found if each[0] not in written)
        for path in self._moved():
            # What was never read before is somebody else's, and so is what cannot be read.
            with suppress(UnavailableError):
                found = list(_with_head(stack.enter_context(_opened(path))))
                yield from (each for each in found if each[0] not in written and known.holds(*each))
        yield from current

    def _moved(self) -> list[Path]:
        """Files that somebody else may have renamed: they are beside the live one, under its name and some more."""
        with _reported(self._live.parent):
            beside = self._live.parent.glob(f"{glob.escape(self._live.name)}?*")
            return sorted(path for path in beside if path.is_file())

    def forget(self, checkpoint: dict[str, Any], now: float) -> None:
        """Deletes old rotated files that `checkpoint` says are read. It must be stored by then."""
        rotated = self._rotated()
        for index, path in enumerate(rotated):
            stamp = path.name.removeprefix(f"{self._live.stem}-").removesuffix(self._live.suffix)
            age_seconds = now - datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC).timestamp()
            superfluous = index < len(rotated) - _KEEP_FILES
            if (superfluous or age_seconds > _KEEP_SECONDS) and _finished(path, checkpoint, now):
                with _reported(path):
                    path.unlink()

    def _rotated(self) -> list[Path]:
        """The renamed files, oldest first."""
        with _reported(self._live.parent):
            if not self._live.parent.exists():
                return []
            return sorted(path for path in self._live.parent.iterdir() if self._rotated_name.fullmatch(path.name))


class _Known:
    """What a checkpoint of either form says of files."""

    def __init__(self, checkpoint: dict[str, Any] | None):
        found = checkpoint or {}
        self.files: dict[str, int] = found.get("files", {})
        self._inode, self._inode_offset = found.get("inode"), found.get("offset", 0)
        self.read: int = found.get("read", self._inode_offset)
        self.lines: int = found.get("lines", 0)

    def offset(self, head: str, file: BinaryIO) -> int:
        """Where to read on in a file; 0 for one that was never read."""
        if self._by_number(file):
            return int(self._inode_offset)
        # What was cut down by somebody else, and begins as before, was read as far as it goes.
        return min(self.files.get(head, 0), os.fstat(file.fileno()).st_size)

    def holds(self, head: str, file: BinaryIO) -> bool:
        """Whether a file was read before."""
        return head in self.files or self._by_number(file)

    def _by_number(self, file: BinaryIO) -> bool:
        found = os.fstat(file.fileno())
        # A smaller file under the same number is another one.
        return self._inode == found.st_ino and bool(self._inode_offset <= found.st_size)


def _with_head(file: BinaryIO | None) -> Iterator[tuple[str, BinaryIO]]:
    """The file with the digest of its first line; nothing while it has none."""
    head = _head(file) if file else None
    if file is not None and head is not None:
        yield head, file


def _head(file: BinaryIO) -> str | None:
    """The digest of the first line; None while there is no whole one."""
    line = file.readline(_HEAD_BYTES)
    whole = line.endswith(b"\n") or len(line) == _HEAD_BYTES
    return hashlib.blake2b(line, digest_size=12).hexdigest() if whole else None


def _whole_lines(file: BinaryIO, offset: int, limit_bytes: int) -> bytes:
    """What stands behind `offset` up to its last end of line, within the limit; half a line is left for later."""
    if limit_bytes < _LINE_BYTES:
        return b""
    file.seek(offset)
    block = file.read(limit_bytes)
    end = block.rfind(b"\n") + 1
    return block if end == 0 and len(block) >= _LINE_BYTES else block[:end]


def _finished(path: Path, checkpoint: dict[str, Any], now: float) -> bool:
    """Whether nothing is left to read, nor to come. The half line of a gateway that was killed never gets its end."""
    with _opened(path) as file:
        head = _head(file) if file else None
        if file is None or now - os.fstat(file.fileno()).st_mtime < _QUIET_SECONDS:
            return False
        if head is None:
            return True
        offset = checkpoint["files"].get(head)
        return offset is not None and not _whole_lines(file, offset, _READ_BYTES)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO | None]:
    """The open file; None where there is none."""
    with _reported(path), ExitStack() as stack:
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                # To open a pipe would be to wait for ever.
                raise OSError(errno.EINVAL, "it is no file")
            file = stack.enter_context(path.open("rb"))
        except FileNotFoundError:
            yield None
        else:
            yield file


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnavailableError(
            f"the gateway's log {path} cannot be read or rotated: {error.strerror}; accepted: a file of this user"
        ) from error


def parsed(block: bytes) -> tuple[list[Observation], int]:
    """The observations of some lines, and how many lines are none of ours."""
    found, garbled = [], 0
    for line in block.split(b"\n"):
        try:
            found.append(_observation(orjson.loads(line)))
        except _NOT_OURS:
            parts = list(_torn(line))
            found += parts
            garbled += bool(line) and not parts
    return found, garbled


def _torn(line: bytes) -> Iterator[Observation]:
    """What is whole in a line: a gateway that is killed leaves half of one, to which its next run appends."""
    # Lines are flat objects: each brace begins another.
    for part in line.split(b'{"')[1:]:
        with suppress(*_NOT_OURS):
            yield _observation(orjson.loads(b'{"' + part))


def _observation(row: dict[str, Any]) -> Observation:
    unit = str(row["unit"])
    int(unit, 16)  # who counts users takes this for granted
    return Observation(
        float(row["time"]),
        str(row["request_id"]),
        None if row["release"] is None else int(row["release"]),
        str(row["version"]),
        row["served_by"],
        int(row["generation"]),
        str(row["rule"]),
        unit,
        int(row["share_bp"]),
        # Answers of the gateway itself were tried nowhere.
        int(row["attempts"] or 0),
        int(row["status"]),
        float(row["ms"]),
        _number(row, "audio_seconds"),
        # An earlier Huidu counted every request, and wrote none of what follows.
        str(row.get("kind", RequestKind.RECOGNITION)),
        _text(row, "peer"),
        _number(row, "service_ms"),
        _number(row, "upload_ms"),
        _whole(row, "bytes_up"),
        _whole(row, "bytes_down"),
        _whole(row, "chars"),
        _whole(row, "close_code"),
        _text(row, "closed_by"),
        _number(row, "first_message_ms"),
        _whole(row, "frames_up"),
        _whole(row, "frames_down"),
        row.get("open") is True,
        not _BROKEN.isdisjoint(str(row.get("flags")).split(",")),
        _text(row, "key_id"),
    )


def _number(row: dict[str, Any], name: str) -> float | None:
    found = row.get(name)
    return None if found is None else float(found)


def _whole(row: dict[str, Any], name: str) -> int | None:
    found = row.get(name)
    return None if found is None else int(found)


def _text(row: dict[str, Any], name: str) -> str | None:
    found = row.get(name)
    return None if found is None else str(found)
