"""Corrected records of a history: what people heard and wrote down becomes a test set."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from huidu.adapters.testsets.found import Draft, Found, quoted
from huidu.core.errors import InvalidError

_TABLE = "recognition_history"
_NEEDED = {"file_path", "corrected_text"}
_WAIT_SECONDS = 1.0
_NOBODY = ("''", "''")  # coalesce takes two arguments at least
_SQLITE = b"SQLite format 3\0"
_WAL_VERSION = 2


def is_database(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def read_corrected(path: Path, found: Found) -> None:
    """Rows that hold a corrected text, are not deleted, and whose audio still exists; ids are those of the rows.

    Relative audio paths are relative to the database. Raises `InvalidError` for what SQLite cannot read.
    """
    gone = 0
    try:
        for row_id, file_path, text, speaker in _rows(path):
            where = f"{path} row {row_id}"
            audio = path.parent / file_path if isinstance(file_path, str) else None
            if audio is None or not _exists(audio):
                gone += 1
            elif not isinstance(text, str) or not isinstance(speaker, str):
                found.refuse(where, "the corrected text or the speaker is no UTF-8 text; accepted: text")
            else:
                found.drafts.append(Draft(where, str(row_id), audio, text, speaker))
    except (sqlite3.Error, UnicodeDecodeError) as error:
        # SQLite's words about what is damaged quote it, and the driver takes them for UTF-8.
        said = (
            " ".join(str(error).split()) if isinstance(error, sqlite3.Error) else "its table's names are no UTF-8 text"
        )
        raise InvalidError(f"{quoted(path)} cannot be read ({quoted(said)}); accepted: a history database") from error
    if gone:
        found.warn(path, f"{gone} corrected records are left out: their audio is not there")


def _exists(audio: Path) -> bool:
    try:
        return audio.exists()
    except (OSError, ValueError):  # too long, or with characters that no path can hold
        return False


def _rows(path: Path) -> Iterator[tuple[Any, Any, Any, Any]]:
    with closing(sqlite3.connect(_address(path), uri=True, timeout=_WAIT_SECONDS)) as connection:
        connection.text_factory = _text
        columns = {str(row[1]) for row in connection.execute(f"PRAGMA table_xinfo({_TABLE})")}
        if not columns >= _NEEDED:
            raise InvalidError(f"{quoted(path)} holds no table {_TABLE} with {' and '.join(sorted(_NEEDED))}")
        # SQLite refuses a file that lacks whole pages, and takes the lost part of the last one for empty.
        if path.stat().st_size % connection.execute("PRAGMA page_size").fetchone()[0]:
            raise InvalidError(f"{quoted(path)} is cut short: its last page is not whole; accepted: a whole database")
        row_id = "id" if "id" in columns else "rowid"
        named = [f"nullif({name}, '')" for name in ("unit", "user_key") if name in columns]
        speaker = f"coalesce({', '.join([*named, *_NOBODY])})"
        kept = " AND deleted_at IS NULL" if "deleted_at" in columns else ""
        yield from connection.execute(
            f"SELECT {row_id}, file_path, corrected_text, {speaker} FROM {_TABLE} "
            f"WHERE corrected_text IS NOT NULL{kept} ORDER BY {row_id}"
        )


def _address(path: Path) -> str:
    """Read only. A closed database in WAL mode is read as it lies: SQLite would lay files beside it that stay."""
    with path.open("rb") as file:
        in_wal_mode = file.read(20)[18:19] == bytes([_WAL_VERSION])
    closed = in_wal_mode and not path.with_name(f"{path.name}-wal").exists()
    return f"file:{quote(str(path.absolute()))}?mode=ro{'&immutable=1' if closed else ''}"


def _text(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw
