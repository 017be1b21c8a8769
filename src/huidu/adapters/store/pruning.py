"""Takes out of the history what is kept no longer, so that nothing of it is left in the files.

SQLite leaves what is deleted where it was until something else is written there. So each text is first overwritten
in its place with as many zeros, which moves nothing, and the row is deleted with `secure_delete`, which clears what is
freed. What older pages of it the write-ahead log holds goes as that log is emptied at the end.

Everything is done in small transactions, between which others write. What people corrected is a reference and stays;
only its file name goes.
"""

import os
import re
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, Text, and_, cast, delete, func, null, or_, select, text, tuple_, update
from sqlalchemy import LargeBinary as Blob
from sqlalchemy.dialects.sqlite import insert as upsert

from huidu.adapters.store.database import FILE_NAME, reading, store_errors, writing
from huidu.adapters.store.history import text_of, time_of
from huidu.adapters.store.schema import recognition_history as table
from huidu.adapters.store.schema import state
from huidu.core.errors import UnavailableError
from huidu.core.retention import COPY_SECONDS, Cutoffs, Remembered, remembered
from huidu.files import sync

_RETENTION, DELETIONS = "retention", "deletions"
# Rows in one transaction: so many that the lock is held for about this long, and never more than the most.
_FIRST_ROWS, _MOST_ROWS, _LOOKED_AT_ROWS = 50, 250, 2000
_HELD_SECONDS = 0.02
_COPY_NAME = f"{FILE_NAME}.before-prune-"
_COPIES = (f"{FILE_NAME}.before-*", f"{FILE_NAME}.damaged-*")
_SPARE_BYTES = 10**9
_EMPTYING_WAIT_SECONDS = 0.1
# What a user said or sent, as it stands in a row.
_SAID = ("filename", "file_path", "raw_text", "itn_text", "hotwords", "corrected_text", "error", "segments", "options")


@dataclass(frozen=True, slots=True)
class Taken:
    """Rows that were erased, and references that lost their file name."""

    erased: int = 0
    unnamed: int = 0

    def __add__(self, other: "Taken") -> "Taken":
        return Taken(self.erased + other.erased, self.unnamed + other.unnamed)


@dataclass(frozen=True, slots=True)
class Size:
    """How large the store is: bytes of its files, rows, rows of the last day; and the oldest row's creation."""

    file_bytes: int
    rows: int
    rows_a_day: int
    oldest: float | None

    @property
    def bytes_a_day(self) -> float:
        """What a day like the last one adds."""
        return self.rows_a_day * self.file_bytes / self.rows if self.rows else 0.0


class SqlPruning:
    """The prune of one data folder's history. One at a time; every step may be the last, and can be done again."""

    def __init__(self, engine: Engine, data: Path):
        self._engine, self._data = engine, data
        self._rows = _FIRST_ROWS

    # ------------------------------------------------------------------ what is known

    def remembered(self) -> Remembered:
        return stored_memory(self._engine)

    def remember(self, what: Remembered) -> None:
        with writing(self._engine) as connection:
            put_state(connection, _RETENTION, asdict(what))

    def newest(self) -> float | None:
        """When the newest row was created; None without rows."""
        with reading(self._engine) as connection:
            found = connection.scalar(select(func.max(table.c.created_time)))
        return time_of(found) if found else None

    def size(self, now: float) -> Size:
        """Numbers of rows are estimates by their ids, which rise by one: to count them takes minutes."""
        since = select(table.c.id).where(table.c.created_time >= text_of(now - 86_400)).order_by(table.c.created_time)
        with reading(self._engine) as connection:
            # One by one each is found by an index at once; together they take a look at all rows.
            first, last = (connection.scalar(select(end(table.c.id))) for end in (func.min, func.max))
            oldest = connection.scalar(select(func.min(table.c.created_time)))
            of_last_day = connection.scalar(since.limit(1))
        files = (self._data / FILE_NAME, self._data / f"{FILE_NAME}-wal")
        return Size(
            file_bytes=sum(file.stat().st_size for file in files if file.exists()),
            rows=last - first + 1 if first and last else 0,
            rows_a_day=last - of_last_day + 1 if last and of_last_day else 0,
            oldest=time_of(oldest) if oldest else None,
        )

    def due(self, cutoffs: Cutoffs) -> Taken:
        """What a prune would take now."""
        with reading(self._engine) as connection:
            count = select(func.count()).select_from(table)
            erased = connection.scalar(count.where(or_(*_erased(cutoffs)))) or 0
            unnamed = connection.scalar(count.where(_unnamed(cutoffs))) if cutoffs.texts_before is not None else 0
        return Taken(erased, unnamed or 0)

    # ------------------------------------------------------------------ the copy

    def copy(self, cutoffs: Cutoffs, now: float) -> Path | None:
        """Copies the rows that a prune will take or change beside the database; None where there are none.

        The copy is whole, or not there. Raises `UnavailableError` where there is no room for it.
        """
        stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
        whole = self._data / f"{_COPY_NAME}{stamp}"
        part = whole.with_name(f"{whole.name}.part")
        for old in self._data.glob(f"{_COPY_NAME}*.part*"):
            old.unlink(missing_ok=True)
        try:
            self._refuse_without_room(cutoffs, now)
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            if not self._copy_rows(part, or_(*_erased(cutoffs), _unnamed(cutoffs))):
                return None
            sync(part)
            part.rename(whole)
            sync(self._data)
        except OSError as error:
            raise UnavailableError(f"no copy of what a prune takes can be made: {error.strerror}") from error
        finally:
            part.unlink(missing_ok=True)
        return whole

    def _refuse_without_room(self, cutoffs: Cutoffs, now: float) -> None:
        size = self.size(now)
        share = self.due(cutoffs).erased / size.rows if size.rows else 0.0
        needed = int(size.file_bytes * min(1.0, share))
        free = shutil.disk_usage(self._data).free
        if free < needed + _SPARE_BYTES:
            raise UnavailableError(
                f"the copy of what a prune takes needs {needed / 1e9:.1f} GB and 1 GB to spare, {free / 1e9:.1f} GB "
                "are free: nothing is pruned; accepted: more room, or `huidu history prune --no-backup`"
            )

    def _copy_rows(self, target: Path, wanted: Any) -> int:
        """Copies whole rows, some hundred at a time, without holding up those who write; how many there were."""
        names = [column.name for column in table.c]
        marks = ", ".join("?" * len(names))
        last = copied = 0
        with store_errors(), closing(sqlite3.connect(target)) as copy:
            with reading(self._engine) as connection:
                made = connection.scalar(text("SELECT sql FROM sqlite_master WHERE name = 'recognition_history'"))
            # It counts only once all of it is written and has its name: until then nothing need reach the disk.
            for statement in ("PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF", str(made)):
                copy.execute(statement).close()
            plain = ", ".join(names)
            while True:
                ids = select(table.c.id).where(table.c.id > last, wanted).order_by(table.c.id).limit(_MOST_ROWS)
                with reading(self._engine) as connection:
                    found = list(connection.scalars(ids))
                    rows = self._plain_rows(connection, plain, found)
                if not found:
                    break
                copy.executemany(f"INSERT INTO recognition_history ({plain}) VALUES ({marks})", rows)
                copy.commit()
                last, copied = found[-1], copied + len(rows)
        return copied

    @staticmethod
    def _plain_rows(connection: Connection, columns: str, ids: list[int]) -> list[tuple[Any, ...]]:
        """Rows as SQLite holds them: JSON stays text."""
        listed = ", ".join(str(int(each)) for each in ids)
        found = connection.exec_driver_sql(f"SELECT {columns} FROM recognition_history WHERE id IN ({listed})")
        return [tuple(row) for row in found]

    def forget_copies(self, now: float, keep_seconds: float | None) -> None:
        """Deletes copies of the database, which hold texts too, as they grow old. Raises `UnavailableError`.

        Those made before a prune go in any case, others only where texts are not kept for ever.
        """
        keep = {True: min(COPY_SECONDS, keep_seconds or COPY_SECONDS), False: keep_seconds}
        try:
            for path in (each for pattern in _COPIES for each in self._data.glob(pattern)):
                limit = keep[path.name.startswith(_COPY_NAME)]
                if limit is not None and now - _made_at(path) > limit:
                    path.unlink()
        except OSError as error:
            raise UnavailableError(f"old copies of the history cannot be deleted: {error.strerror}") from error

    # ------------------------------------------------------------------ taking

    def batches(self, cutoffs: Cutoffs) -> Iterator[Taken]:
        """Takes what is due, and says after each small transaction what it took."""
        if cutoffs.texts_before is not None:
            yield from self._old(text_of(cutoffs.texts_before))
        yield from self._deleted(cutoffs)

    def _old(self, before: str) -> Iterator[Taken]:
        seen: tuple[str, int] = ("", 0)
        place = tuple_(table.c.created_time, table.c.id)
        # The references that stay are looked at once in each prune, and not in each batch.
        looked_at = select(
            table.c.id, table.c.created_time, table.c.corrected_text.is_not(None), table.c.filename != ""
        ).where(table.c.created_time < before)
        while True:
            query = looked_at.where(place > tuple_(*seen)).order_by(table.c.created_time, table.c.id)
            with reading(self._engine) as connection:
                found = connection.execute(query.limit(_LOOKED_AT_ROWS)).all()
            if not found:
                return
            seen = (found[-1].created_time, found[-1].id)
            old = [row[0] for row in found if not row[2]]
            named = [row[0] for row in found if row[2] and row[3]]
            yield from self._erase(old, and_(table.c.created_time < before, table.c.corrected_text.is_(None)))
            yield from self._unname(named)

    def _deleted(self, cutoffs: Cutoffs) -> Iterator[Taken]:
        """Erases what people deleted. There is no index on that, so it is looked for only once something is due."""
        with reading(self._engine) as connection:
            noted = _state(connection, DELETIONS) or {}
        oldest = noted.get("oldest")
        if oldest is None or oldest >= cutoffs.deleted_before:
            return
        before, last, left = text_of(cutoffs.deleted_before), 0, None
        while True:
            query = select(table.c.id, table.c.deleted_at).where(table.c.id > last).order_by(table.c.id)
            with reading(self._engine) as connection:
                found = connection.execute(query.limit(_LOOKED_AT_ROWS)).all()
            if not found:
                break
            last = found[-1].id
            due = [row.id for row in found if row.deleted_at is not None and row.deleted_at < before]
            waiting = [row.deleted_at for row in found if row.deleted_at is not None and row.deleted_at >= before]
            left = min([*waiting, *([left] if left else [])], default=None)
            yield from self._erase(due, table.c.deleted_at < before)
        self._note_deletions(noted, left, cutoffs)

    def _note_deletions(self, noted: dict[str, Any], left: str | None, cutoffs: Cutoffs) -> None:
        """Notes when the next deletion is due; one that was made meanwhile may have been overlooked."""
        with writing(self._engine) as connection:
            now = _state(connection, DELETIONS) or {}
            oldest = time_of(left) if left else None
            if now.get("count") != noted.get("count"):
                oldest = min(oldest or cutoffs.deleted_before, cutoffs.deleted_before)
            put_state(connection, DELETIONS, {**now, "oldest": oldest})

    def _erase(self, ids: list[int], still: Any) -> Iterator[Taken]:
        """Erases rows for which `still` holds, overwritten before they are deleted."""
        while ids:
            batch, ids = ids[: self._rows], ids[self._rows :]
            begun = time.monotonic()
            with writing(self._engine) as connection:
                connection.exec_driver_sql("PRAGMA secure_delete=ON")
                chosen = table.c.id.in_(
                    list(connection.scalars(select(table.c.id).where(table.c.id.in_(batch), still)))
                )
                connection.execute(update(table).where(chosen).values({name: _zeros(name) for name in _SAID}))
                # An id that was given must not be given again: control knows corrections by it. The newest stays, bare.
                newest = connection.scalar(select(func.max(table.c.id)))
                connection.execute(update(table).where(chosen, table.c.id == newest).values(_BARE))
                erased = connection.execute(delete(table).where(chosen, table.c.id != newest)).rowcount
            self._adapt(time.monotonic() - begun)
            yield Taken(erased=erased)

    def _unname(self, ids: list[int]) -> Iterator[Taken]:
        """Takes the file names of references away."""
        while ids:
            batch, ids = ids[: self._rows], ids[self._rows :]
            with writing(self._engine) as connection:
                connection.exec_driver_sql("PRAGMA secure_delete=ON")
                chosen = and_(table.c.id.in_(batch), table.c.filename != "")
                connection.execute(update(table).where(chosen).values(filename=_zeros("filename")))
                unnamed = connection.execute(update(table).where(table.c.id.in_(batch)).values(filename="")).rowcount
            yield Taken(unnamed=unnamed)

    def _adapt(self, held_seconds: float) -> None:
        """Sizes the next transaction by how long this one held the lock."""
        if held_seconds > 2 * _HELD_SECONDS:
            self._rows = max(1, self._rows // 2)
        elif held_seconds < _HELD_SECONDS:
            self._rows = min(_MOST_ROWS, self._rows * 2)

    def empty_log(self) -> bool:
        """Writes the write-ahead log into the database and cuts it to nothing; False while somebody reads there.

        It holds up others for a tenth of a second at most.
        """
        # A file that is gone is not made anew by this.
        file = f"file:{quote(str(self._data / FILE_NAME))}?mode=rw"
        with store_errors(), closing(sqlite3.connect(file, timeout=_EMPTYING_WAIT_SECONDS, uri=True)) as alone:
            alone.execute("PRAGMA wal_checkpoint(PASSIVE)").close()
            busy, _, _ = alone.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy


def stored_memory(engine: Engine) -> Remembered:
    """What the store keeps of earlier prunes."""
    with reading(engine) as connection:
        return remembered(_state(connection, _RETENTION))


def put_state(connection: Connection, name: str, value: dict[str, Any]) -> None:
    row = upsert(state).values(name=name, value=value)
    connection.execute(row.on_conflict_do_update(index_elements=["name"], set_={"value": row.excluded.value}))


def _state(connection: Connection, name: str) -> Any:
    found = connection.execute(select(state.c.value).where(state.c.name == name)).scalar_one_or_none()
    return found if isinstance(found, dict) else None


def _erased(cutoffs: Cutoffs) -> list[Any]:
    """The conditions on rows, of which one makes a row due."""
    deleted = table.c.deleted_at < text_of(cutoffs.deleted_before)
    if cutoffs.texts_before is None:
        return [deleted]
    old = and_(table.c.created_time < text_of(cutoffs.texts_before), table.c.corrected_text.is_(None))
    return [deleted, old]


def _unnamed(cutoffs: Cutoffs) -> Any:
    old = table.c.created_time < text_of(cutoffs.texts_before or 0.0)
    return and_(old, table.c.corrected_text.is_not(None), table.c.filename != "")


def _zeros(name: str) -> Any:
    """As many zero bytes as a text has: the row stays as large, and so where it is."""
    length = func.length(cast(cast(table.c[name], Text), Blob))
    return cast(func.zeroblob(length), Text)


_BARE: dict[str, Any] = {name: null() for name in (*_SAID, "unit", "user_key")} | {
    "filename": "",
    "deleted_at": text_of(0.0),
}


def _made_at(copy: Path) -> float:
    """When a copy was made: as its name says or its file, whichever is later. Raises `OSError`."""
    written = copy.stat().st_mtime
    stamp = re.search(r"\d{8}T\d{6}(?=Z)", copy.name)
    if stamp is None:
        return written
    with suppress(ValueError):
        return max(written, datetime.strptime(stamp[0], "%Y%m%dT%H%M%S").replace(tzinfo=UTC).timestamp())
    return written
