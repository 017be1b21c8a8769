"""Connections to one database file, which notice that it is gone, was exchanged, or is a database no more.

SQLite itself would go on with a file that somebody deleted, and answer from its memory where the file was zeroed. So
each transaction begins with a look at what lies at the path: another file there gets new connections, nothing or no
database is `LostError`. A file that is missing is never made by looking.
"""

import logging
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy.exc import DisconnectionError

from huidu.core.errors import LostError, UnavailableError

# Which file it is: device and inode. A connection holds its file open, so that no other takes its number.
Identity = tuple[int, int]

# What SQLite reports of a file that no waiting mends.
LOST_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_INFO, _LOG_INFO = "huidu_file", "huidu_log"
_LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0


def identity(file: Path) -> Identity:
    """Which file lies at a path. Raises `LostError` where none does, or an empty one."""
    try:
        found = file.stat()
    except FileNotFoundError:
        raise LostError(f"{file} is gone; accepted: the database of this installation") from None
    except OSError as error:
        raise UnavailableError(
            f"{file} cannot be looked at: {error.strerror}; accepted: a disk that answers"
        ) from error
    if found.st_size == 0:
        raise LostError(f"{file} is empty; accepted: the database of this installation")
    return found.st_dev, found.st_ino


def connect(file: Path, busy_seconds: float) -> sqlite3.Connection:
    """A connection to a file that is there. Raises `sqlite3.Error`."""
    # The pool hands connections from thread to thread, one at a time.
    return sqlite3.connect(_uri(file, "mode=rw"), uri=True, timeout=busy_seconds, check_same_thread=False)


def is_lost(error: BaseException) -> bool:
    """Whether SQLite says by this error that the file itself is damaged. Locked and full are not."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in LOST_CODES


class OpenedFile:
    """What the connections of one engine share."""

    def __init__(self, file: Path, busy_seconds: float):
        self.file, self._busy_seconds = file, busy_seconds
        # While it is made it is empty.
        self.making = False
        self._look_at = 0.0
        self._log_path = file.with_name(f"{file.name}-wal")

    def connect(self) -> sqlite3.Connection:
        if not self.making:
            identity(self.file)
        return connect(self.file, self._busy_seconds)

    def connected(self, _connection: sqlite3.Connection, record: Any) -> None:
        """Remembers which file, with which log beside it, a new connection is to."""
        if self.making:
            found = self.file.stat()
            record.info[_INFO] = (found.st_dev, found.st_ino)
        else:
            # It may be gone again since it was opened.
            record.info[_INFO] = identity(self.file)
        record.info[_LOG_INFO] = self._log()

    def check(self, connection: sqlite3.Connection, record: Any, _proxy: Any) -> None:
        """Before each transaction. Raises `DisconnectionError`, upon which a new connection is made; `LostError`."""
        if self.making:
            return
        if identity(self.file) != record.info[_INFO]:
            raise DisconnectionError(f"{self.file} is another file now")
        mine, there = record.info[_LOG_INFO], self._log()
        if mine is None:
            record.info[_LOG_INFO] = there
        elif there is None or there[:2] != mine[:2]:
            self._leave_log(connection, there)
        if time.monotonic() >= self._look_at:
            refuse_headless(self.file)
            self._look_at = time.monotonic() + _LOOK_SECONDS

    def _log(self) -> tuple[int, int, int] | None:
        """Device, inode and size of the log beside the file; None where there is none."""
        try:
            found = self._log_path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_size

    def _leave_log(self, connection: sqlite3.Connection, there: tuple[int, int, int] | None) -> None:
        """Somebody deleted the log while it was open: what is in it goes into the file, else it went with us.

        Only this connection, and those of other processes from before, still reach it. Not where another log has
        been begun: then one of those has done it. Raises `DisconnectionError`; `UnavailableError` while another
        writes into the log.
        """
        if there is None or there[2] == 0:
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if busy:
                raise UnavailableError(f"{self._log_path} was deleted, and others write; accepted: again in a moment")
            _LOG.error("%s was deleted while it was open; what was in it is in %s now", self._log_path, self.file)
        raise DisconnectionError(f"{self._log_path} is another file now")

    def refuse_moved(self, info: dict[str, Any]) -> None:
        """After a commit: what was committed to a file that is no longer at its path is lost. Raises `LostError`."""
        if not self.making and identity(self.file) != info[_INFO]:
            raise LostError(f"{self.file} was exchanged as it was written to; accepted: the same again")


def refuse_headless(file: Path) -> None:
    """Raises `LostError` for a file that no longer begins as a database does.

    By a connection of its own, which has nothing in memory. SQLite opens it: to open and close the file otherwise
    would drop the locks that this process holds on it.
    """
    try:
        with closing(sqlite3.connect(_uri(file, "mode=ro&immutable=1"), uri=True)) as connection:
            connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.Error as error:
        if is_lost(error):
            raise LostError(f"{file} is damaged: {error}; accepted: the database of this installation") from error


def _uri(file: Path, query: str) -> str:
    return f"file:{quote(os.fsencode(file))}?{query}"
