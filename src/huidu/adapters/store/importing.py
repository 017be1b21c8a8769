"""Takes the history of an older tool over: its table `recognition_history` becomes rows of ours, each exactly once.

The source is only read, and nothing is left beside it. What the older tool did not record gets values that say so:
no fingerprint, an unknown engine and device, no decoding time.
"""

import hashlib
import json
import math
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Engine
from sqlalchemy.dialects.sqlite import insert

from huidu.adapters.store.database import writing
from huidu.adapters.store.history import text_of
from huidu.adapters.store.schema import recognition_history as table
from huidu.core.errors import InvalidError, UnavailableError
from huidu.core.testset import shown
from huidu.core.version import version_in_filename

DEFAULT_VERSION = "imported"
# The names a column goes by, ours first.
_SPELLINGS = {
    "created_time": ("created_time", "timestamp"),
    "filename": ("filename",),
    "file_path": ("file_path",),
    "raw_text": ("raw_text", "result_text"),
    "itn_text": ("itn_text", "normalized_text"),
    "language": ("language",),
    "hotwords": ("hotwords",),
    "itn_enabled": ("itn_enabled",),
}
_TEXTS = ("raw_text", "itn_text")
# Only Huidu's own tables have these.
_OURS = {"request_id", "fingerprint"}
_VERSION_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_EPOCH = re.compile(r"\d{9,}(\.\d*)?")
_YEAR_9999 = 253_402_300_799
_BATCH_ROWS = 2000
_WAIT_SECONDS = 2.0
_MAGIC = b"SQLite format 3\0"
_WAL_VERSION = 2


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row of the source that was not taken, by its id there."""

    row: int | str
    why: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the rows: taken now, there from an earlier import, refused."""

    imported: int
    known: int
    refused: tuple[RefusedRow, ...]


def version_rule(name: str = DEFAULT_VERSION, pattern: str | None = None) -> Callable[[str], str]:
    """The version of a file name: the group of `pattern` where it is found, else `name`. Raises `InvalidError`."""
    if not _VERSION_NAME.fullmatch(name):
        raise InvalidError(f"read version '{name}'; accepted: up to 64 letters, digits and . _ -, such as v1")
    if pattern is None:
        return lambda _: name
    told = version_in_filename(pattern)
    return lambda filename: told(filename) or name


def import_history(
    engine: Engine, file: Path, version_of: Callable[[str], str], seconds_of: Callable[[Path], float]
) -> Imported:
    """Appends the rows of `file` that are not there yet, some thousand in a transaction.

    `version_of` takes a file name; `seconds_of` gives the seconds of an audio file or raises `InvalidError`.
    Raises `InvalidError` for what is no such history, `UnavailableError` when a database is busy; what was stored
    until then stays, and the next import goes on behind it.
    """
    refused: list[RefusedRow] = []
    imported = taken = 0
    statement = insert(table).on_conflict_do_nothing(index_elements=["request_id", "attempt"])
    rows = _rows(file, refused, _Making(file, version_of, seconds_of))
    while batch := list(islice(rows, _BATCH_ROWS)):
        with writing(engine) as connection:
            imported += connection.execute(statement, batch).rowcount
        taken += len(batch)
    return Imported(imported, taken - imported, tuple(refused))


@dataclass(frozen=True, slots=True)
class _Making:
    """Makes rows of ours of those of a source."""

    file: Path
    version_of: Callable[[str], str]
    seconds_of: Callable[[Path], float]

    def row(self, row_id: Any, given: dict[str, Any]) -> dict[str, Any]:
        """Raises `ValueError` with the reason for a row that cannot be taken."""
        texts = {
            name: _text(name, given.get(name)) for name in _SPELLINGS if name not in ("created_time", "itn_enabled")
        }
        path = texts["file_path"]
        filename = texts["filename"] or (Path(path).name if path else "")
        created = text_of(parsed_time(given.get("created_time")))
        version = self.version_of(filename)
        if not _VERSION_NAME.fullmatch(version):
            raise ValueError(f"version {version!r} of the file name; accepted: letters, digits and . _ -")
        digest, seconds = self._audio(path)
        identity = json.dumps([created, filename, texts["raw_text"], row_id], default=repr)
        return {
            **texts,
            "created_time": created,
            "filename": filename,
            "itn_enabled": _flag(given.get("itn_enabled")),
            "version": version,
            "fingerprint": "",
            "request_id": f"import:{hashlib.sha256(identity.encode()).hexdigest()[:32]}",
            "attempt": 1,
            "answered": True,
            "engine": "unknown",
            "device": "unknown",
            "audio_seconds": seconds,
            "decode_ms": 0.0,
            "audio_sha256": digest,
            "status": "done",
            "purpose": "live",
        }

    def _audio(self, path: str | None) -> tuple[str | None, float]:
        """Digest and seconds of a row's audio, as far as they can be had."""
        if not path:
            return None, 0.0
        audio = self.file.parent / path
        try:
            if not audio.is_file():
                return None, 0.0
            with audio.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
        except (OSError, ValueError):
            return None, 0.0
        try:
            return digest, self.seconds_of(audio)
        except InvalidError:
            return digest, 0.0


def parsed_time(given: object) -> float:
    """Epoch seconds of a number, or of ISO text with or without T, fraction and zone; without a zone it is UTC.

    Raises `ValueError` with the reason.
    """
    if isinstance(given, str):
        text = given.strip()
        if _EPOCH.fullmatch(text):
            given = float(text)
        else:
            try:
                moment = datetime.fromisoformat(text)
            except ValueError:
                raise ValueError(f"the time {given!r} cannot be read; accepted: ISO text or epoch seconds") from None
            zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            given = zoned.timestamp()
    if not isinstance(given, (int, float)):
        raise ValueError("there is no time; accepted: ISO text or epoch seconds")
    if not math.isfinite(given) or not 0 <= given < _YEAR_9999:
        raise ValueError(f"the time {given!r} is not from 1970 to 9999; accepted: ISO text or epoch seconds")
    return float(given)


def _text(name: str, given: object) -> str | None:
    if given is None or isinstance(given, str):
        return given
    if isinstance(given, (int, float)):
        return str(given)
    raise ValueError(f"{name} is no UTF-8 text; accepted: text or a number")


def _flag(given: object) -> bool:
    return str(given).strip().lower() in ("1", "1.0", "true", "yes", "on")


def _rows(file: Path, refused: list[RefusedRow], making: _Making) -> Iterator[dict[str, Any]]:
    """Our rows, one by one; those that cannot be taken are added to `refused`."""
    with _opened(file) as source:
        columns = _columns(source, file)
        for values in _stored(source, columns.values(), refused):
            given = dict(zip(columns, values, strict=True))
            row_id = given.pop("id")
            try:
                made = making.row(row_id, given)
            except ValueError as error:
                refused.append(RefusedRow(row_id if isinstance(row_id, int) else shown(str(row_id)), str(error)))
            else:
                yield made


def _stored(source: sqlite3.Connection, columns: Collection[str], refused: list[RefusedRow]) -> Iterator[Any]:
    """The source's rows; SQLite stops at one that it cannot read, which is added to `refused`, and read on behind."""
    names = ", ".join(f'"{name}"' for name in columns)
    if not _has_row_ids(source):
        yield from source.execute(f"SELECT {names} FROM recognition_history")
        return
    query, last = f"SELECT {names}, _rowid_ FROM recognition_history", -1 << 63
    while True:
        try:
            for values in source.execute(f"{query} WHERE _rowid_ > {last}"):
                last = values[-1]
                yield values[:-1]
            return
        except sqlite3.DatabaseError as error:
            following = _following(source, last) if _is_damage(error) else None
            if following is None:
                raise
            last = following
        # The driver reads one row ahead: what it stopped at may be the row behind this one.
        try:
            for values in source.execute(f"{query} WHERE _rowid_ = {last}"):
                yield values[:-1]
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            refused.append(RefusedRow(last, f"it is damaged ({error}); accepted: a whole row"))


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_CORRUPT


def _following(source: sqlite3.Connection, last: int) -> int | None:
    """The row id that follows `last`; None where there is none. Reads no row."""
    found: int | None = source.execute(
        f"SELECT min(_rowid_) FROM recognition_history WHERE _rowid_ > {last}"
    ).fetchone()[0]
    return found if found is not None and found > last else None


def _has_row_ids(source: sqlite3.Connection) -> bool:
    """Views and tables made WITHOUT ROWID have none."""
    try:
        source.execute("SELECT _rowid_ FROM recognition_history LIMIT 0")
    except sqlite3.OperationalError:
        return False
    return True


def _columns(source: sqlite3.Connection, file: Path) -> dict[str, str]:
    """The source's names of our columns; `id` is its row id where it has none."""
    there = {str(row[1]).lower(): str(row[1]) for row in source.execute("PRAGMA table_xinfo(recognition_history)")}
    if not there:
        raise InvalidError(f"{file} holds no table recognition_history; accepted: the database of an older tool")
    if there.keys() >= _OURS:
        raise InvalidError(f"{file} is a history of Huidu itself; accepted: the database of an older tool")
    columns = {"id": there.get("id", "rowid")}
    for ours, spellings in _SPELLINGS.items():
        if name := next((name for name in spellings if name in there), None):
            columns[ours] = there[name]
    for needed in (("created_time",), _TEXTS):
        if not columns.keys() & set(needed):
            names = " or ".join(name for ours in needed for name in _SPELLINGS[ours])
            raise InvalidError(f"{file}: recognition_history has no column {names}; accepted: one of them")
    return columns


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    """The source, read only. Its own errors become ours."""
    if not file.is_file():
        raise InvalidError(f"{file} does not exist; accepted: the SQLite database of an older tool")
    try:
        with tempfile.TemporaryDirectory() as folder:
            address = _address(file, Path(folder))
            with closing(sqlite3.connect(address, uri=True, timeout=_WAIT_SECONDS)) as connection:
                connection.text_factory = _decoded
                _refuse_cut(connection, file)
                yield connection
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise UnavailableError(f"{file} is locked by another program; accepted: once that has let it go") from error
        raise _unreadable(file, error) from error
    except UnicodeDecodeError as error:
        # SQLite's words about what is damaged quote it, and the driver takes them for UTF-8.
        raise _unreadable(file, "its table is described by what is no UTF-8 text") from error
    except (sqlite3.Error, OSError) as error:
        raise _unreadable(file, error) from error


def _unreadable(file: Path, error: object) -> InvalidError:
    said = "".join(each if each.isprintable() else shown(each) for each in " ".join(str(error).split()))
    return InvalidError(f"{file} cannot be read ({said}); accepted: a whole SQLite database")


def _address(file: Path, folder: Path) -> str:
    """Where to open a source so that SQLite writes nothing beside it.

    In WAL mode SQLite makes `-wal` and `-shm` where they are missing, even to read. Without a log the file is all
    there is; a log without its index was left behind, and is read in a copy; with both SQLite makes nothing.
    """
    with file.open("rb") as content:
        head = content.read(20)
    if head[: len(_MAGIC)] != _MAGIC:
        raise InvalidError(f"{file} is no SQLite database; accepted: the database of an older tool")
    log, index = (file.with_name(f"{file.name}-{name}") for name in ("wal", "shm"))
    if head[18:19] != bytes([_WAL_VERSION]) or (log.exists() and index.exists()):
        return f"file:{quote(str(file.absolute()))}?mode=ro"
    if not log.exists():
        return f"file:{quote(str(file.absolute()))}?mode=ro&immutable=1"
    copy = folder / "copy.db"
    shutil.copyfile(file, copy)
    shutil.copyfile(log, copy.with_name(f"{copy.name}-wal"))
    return f"file:{quote(str(copy))}?mode=ro"


def _refuse_cut(connection: sqlite3.Connection, file: Path) -> None:
    """SQLite refuses a file that lacks whole pages, and takes the lost part of the last one for empty."""
    if file.stat().st_size % connection.execute("PRAGMA page_size").fetchone()[0]:
        raise InvalidError(f"{file} is cut short: its last page is not whole; accepted: a whole SQLite database")


def _decoded(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw
