"""The spools of a data folder: one for each instance that runs, and those that ended processes left."""

import fcntl
import logging
import os
import secrets
import stat
import threading
from contextlib import suppress
from pathlib import Path

from huidu.adapters.spool.file import HALF_SUFFIX, ForeignError, HeldError, SpoolFile, lay_out, take_over
from huidu.core.spool import HEAD_BYTES, Head, decode_head
from huidu.ports import Spool

_log = logging.getLogger(__name__)

SIZE_BYTES = 16 << 20
# On a small disk a spool takes a part of what is free, and no less than this.
_LEAST_BYTES = 256 << 10
_PART = 4
_SUFFIX = ".spool"
# A head that is just being written is whole a moment later.
_READS = 3


class SpoolFolder:
    """`ports.Spools` for one version; without one it has no spool of its own and only empties what others left."""

    def __init__(self, folder: Path, version: str | None, size: int = SIZE_BYTES) -> None:
        self._folder = folder
        self._version = version
        self._size = size
        self._own: SpoolFile | None = None
        self._held: list[SpoolFile] = []
        self._said: set[str] = set()
        self._lock = threading.Lock()

    def own(self) -> Spool | None:
        with self._lock:
            if self._own is not None and self._own.is_removed and not self._own.state().waiting_rows:
                self._own.close(remove=False)
                self._own = None
            if self._own is None and self._version is not None:
                self._own = self._found_or_made(self._version)
            return self._own

    def left(self) -> Spool | None:
        with self._lock:
            spool = self._left_by(None)
            if spool is not None:
                self._held.append(spool)
            return spool

    def close(self, spool: Spool) -> None:
        with self._lock:
            for each in [each for each in self._held if each is spool]:
                self._held.remove(each)
                each.close(remove=not each.state().waiting_rows)

    def end(self) -> None:
        """Gives everything out of hand. The own file stays: who starts next needs no room on the disk for another."""
        with self._lock:
            for each in self._held:
                each.close(remove=False)
            if self._own is not None:
                self._own.close(remove=False)
            self._held, self._own = [], None

    def _found_or_made(self, version: str) -> SpoolFile | None:
        """What this version left, which needs no new room on a full disk; a new one where that is too small."""
        left, size = self._left_by(version), self._wanted_bytes()
        if left is not None and left.size >= size:
            return left
        made = self._laid_out(version, size)
        if made is None:
            return left
        if left is not None:
            left.close(remove=not left.state().waiting_rows)
        return made

    def _wanted_bytes(self) -> int:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = os.statvfs(self._folder)
        except OSError:
            return self._size  # laying it out will tell
        return min(self._size, max(_LEAST_BYTES, found.f_bavail * found.f_frsize // _PART))

    def _left_by(self, version: str | None) -> SpoolFile | None:
        for path in self._paths():
            try:
                spool = take_over(path)
            except HeldError:
                continue
            except ForeignError as error:
                self._say(path.name, f"{path} is left as it is: {error}")
                continue
            if version in (None, spool.version):
                return spool
            spool.close(remove=False)
        return None

    def _laid_out(self, version: str, size: int) -> SpoolFile | None:
        path = self._folder / f"{version}-{secrets.token_hex(4)}{_SUFFIX}"
        try:
            _clear_halves(self._folder)
            spool = lay_out(path, version, size)
        except OSError as error:
            why = f"recognitions that the history cannot take will be lost: no spool in {self._folder}"
            self._say("", f"{why} ({error.strerror})")
            return None
        self._said.discard("")
        return spool

    def _paths(self) -> list[Path]:
        try:
            return sorted(path for path in self._folder.iterdir() if path.suffix == _SUFFIX)
        except OSError:
            return []  # no folder, no spools

    def _say(self, what: str, line: str) -> None:
        """A line of the log, once for each thing that is wrong."""
        if what not in self._said:
            _log.warning("%s", line)
        self._said.add(what)


def _clear_halves(folder: Path) -> None:
    """Removes what was being laid out when its process ended."""
    for path in folder.glob(f"*{HALF_SUFFIX}"):
        with suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def heads(folder: Path) -> list[Head]:
    """What each spool of a folder says of itself, by version. Reads a page of each, and raises nothing."""
    try:
        paths = [path for path in folder.iterdir() if path.suffix == _SUFFIX]
    except OSError:
        return []
    found = [head for path in paths if (head := _head(path)) is not None]
    return sorted(found, key=lambda head: head.version)


def _head(path: Path) -> Head | None:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return None
        tries = (decode_head(os.pread(file, HEAD_BYTES, 0)) for _ in range(_READS))
        return next((head for head in tries if head is not None), None)
    except OSError:
        return None
    finally:
        os.close(file)
