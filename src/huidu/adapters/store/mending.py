"""A database that is gone or damaged: what SQLite itself says of it, and a new one in its place.

Only what SQLite calls damaged is (`SQLITE_CORRUPT`, `SQLITE_NOTADB`); locked, full or unreadable is not. What is
damaged is renamed and never deleted:

    history.db.damaged-20261122T081022Z     with its -wal and -shm beside it, as `sqlite3 .recover` wants them
    history.db.new                          the new one, whole before it takes its name
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine

from huidu.adapters.store.database import alone, connected, create, making, store_errors, writing
from huidu.adapters.store.opened import LOST_CODES, connect, identity, refuse_headless
from huidu.core.errors import LostError, UnavailableError
from huidu.files import sync

# What control cannot do without, and looks through first.
_OWN = ("state", "releases", "release_events", "evidence", "peak_memory")
_BUSY_SECONDS = 0.5
# A history of years takes longer than that to look through.
_LOOK_SECONDS = 5.0
_PARTS = ("-wal", "-shm", "")


def damage(file: Path) -> str | None:
    """What makes a database useless for ever, in words; None where nothing does that could be found in time.

    Raises `UnavailableError` where that cannot be told now.
    """
    try:
        identity(file)
        with closing(connect(file, _BUSY_SECONDS)) as connection:
            _write_back(file, connection)
            return _wrong(connection)
    except LostError as error:
        return str(error).partition(";")[0]
    except UnicodeDecodeError:
        return f"{file} is damaged: its tables are described by what is no text"
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in LOST_CODES:
            return f"{file} is damaged: {error}"
        if code == sqlite3.SQLITE_INTERRUPT:
            return None
        raise UnavailableError(f"{file} cannot be looked at: {error}; accepted: a database that can be read") from error


def _write_back(file: Path, connection: sqlite3.Connection) -> None:
    """A file may be zeroed while all of it stands in the log beside it: written back it is whole again."""
    try:
        refuse_headless(file)
    except LostError:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        refuse_headless(file)


def _wrong(connection: sqlite3.Connection) -> str | None:
    listed = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    tables = {str(name) for (name,) in listed}
    if not tables:
        return "the database is empty"
    looks = [f"PRAGMA quick_check('{name}')" for name in _OWN if name in tables]
    for look in looks:
        if (said := _checked(connection, look)) is not None:
            return said
    ends_at = time.monotonic() + _LOOK_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > ends_at, 10_000)
    return _checked(connection, "PRAGMA quick_check(1)")


def _checked(connection: sqlite3.Connection, look: str) -> str | None:
    (said,) = connection.execute(look).fetchone()
    return None if said == "ok" else f"the database is damaged: {str(said).splitlines()[0]}"


def aside_of(file: Path, now: float) -> Path | None:
    """The name under which a database, or what is left of one, is to be kept; None where there is nothing."""
    if not any(file.with_name(file.name + part).exists() for part in _PARTS):
        return None
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    target, number = file.with_name(f"{file.name}.damaged-{stamp}"), 1
    while any(target.with_name(target.name + part).exists() for part in _PARTS):
        number += 1
        target = file.with_name(f"{file.name}.damaged-{stamp}.{number}")
    return target


def set_aside(file: Path, target: Path | None) -> None:
    """Renames a database with what belongs to it, or what is left of one."""
    if target is None:
        return
    try:
        # Its log first: another database would take it for its own.
        for part in _PARTS:
            _renamed(file.with_name(file.name + part), target.name + part)
    except OSError as error:
        raise UnavailableError(f"{file} cannot be renamed: {error.strerror}; accepted: a folder that can") from error


def _renamed(path: Path, name: str) -> None:
    with suppress(FileNotFoundError):
        path.rename(path.with_name(name))


def mended(data: Path, file_name: str, now: float) -> str | None:
    """Sets a database aside that cannot be opened because it is damaged; what was found, or None.

    For those that migrate, before they open it. A folder that is not there yet has none.
    """
    file = data / file_name
    if not file.exists() or file.stat().st_size == 0:
        return None
    with alone(data):
        try:
            with closing(connect(file, _BUSY_SECONDS)) as connection:
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            return None
        except (sqlite3.Error, UnicodeDecodeError):
            # Locked, perhaps, or full.
            found = damage(file)
        if found is None:
            return None
        target = aside_of(file, now)
        set_aside(file, target)
        return f"{found}; kept as {target}"


def begin_again(engine: Engine, fill: Callable[[Connection], None], target: Path | None) -> None:
    """Puts a new database in the place of one that is gone or damaged, filled before anybody finds it.

    What is left of the old one is kept as `target`. Raises `UnavailableError` where it cannot be made now: then
    everything is as before.
    """
    file = Path(engine.url.database or "")
    fresh = file.with_name(f"{file.name}.new")
    try:
        with alone(file.parent), store_errors():
            for part in _PARTS:
                fresh.with_name(fresh.name + part).unlink(missing_ok=True)
            _fill(fresh, fill)
            set_aside(file, target)
            fresh.rename(file)
            sync(file.parent)
    except OSError as error:
        raise UnavailableError(f"{file} cannot be made anew: {error.strerror}; accepted: room on its disk") from error


def _fill(fresh: Path, fill: Callable[[Connection], None]) -> None:
    made = connected(fresh)
    try:
        with making(made):
            create(made)
            with writing(made) as connection:
                fill(connection)
    finally:
        # The last connection writes the log into the file.
        made.dispose()
    sync(fresh)
    if fresh.with_name(f"{fresh.name}-wal").exists():
        raise UnavailableError(f"{fresh} could not be finished; accepted: room on its disk")
