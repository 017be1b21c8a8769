"""The record of recognitions in SQL, for SQLite."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Connection, Engine, RowMapping, Select, bindparam, case, null, select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, ProgrammingError
from sqlalchemy.sql.dml import ReturningInsert

from huidu.adapters.store.database import knows_unit_keys, reading, writing
from huidu.adapters.store.schema import recognition_history as table
from huidu.core.errors import InvalidError, NotFoundError
from huidu.ports import Recognition

_TIMES = ("created_time", "corrected_at")
_CORRECTION = ("corrected_text", "corrected_by", "corrected_at")
_FIELDS = tuple(field.name for field in fields(Recognition))
_COLUMNS = [table.c[name] for name in _FIELDS]
_KEY_ID = table.c.unit_key_id
# Those of a table that control has not migrated yet: instances start beside it, and serve on without it.
_OLD_COLUMNS = [null().label(_KEY_ID.name) if column is _KEY_ID else column for column in _COLUMNS]
# Well under the number of variables that any SQLite accepts in one statement.
_CHUNK = 500
# What the driver says of values that no table takes, whatever the state of the store.
_NEVER = (IntegrityError, DataError, InterfaceError, ProgrammingError, ValueError, TypeError, OverflowError)


def _upsert(*left_out: str) -> ReturningInsert[Any]:
    names = [name for name in (*_FIELDS, "rtf") if name not in ("id", *left_out)]
    # Without options the column is NULL, not JSON's null.
    types = {"options": JSON(none_as_null=True)}
    statement = insert(table).values({name: bindparam(name, type_=types.get(name)) for name in names})
    replaced = {name: statement.excluded[name] for name in names if name not in _CORRECTION}
    # A correction is about the audio: it stays while the audio is the same.
    same = table.c.audio_sha256 == statement.excluded.audio_sha256
    kept = {name: case((same, table.c[name]), else_=statement.excluded[name]) for name in _CORRECTION}
    changed = {**replaced, **kept, "deleted_at": None}
    return statement.on_conflict_do_update(index_elements=["request_id", "attempt"], set_=changed).returning(table.c.id)


# Built once: to build them costs several times what it costs to run them, and `add` is on the way of each request.
_UPSERT = _upsert()
_OLD_UPSERT = _upsert(_KEY_ID.name)
_OTHERS = (
    table.c.request_id == bindparam("own_request"),
    table.c.attempt != bindparam("own_attempt"),
    table.c.answered,
)
_ANSWERED_OTHERS = select(table.c.attempt).where(*_OTHERS)
_KNOWN = select(table.c.id).where(
    table.c.request_id == bindparam("request"),
    table.c.attempt == bindparam("attempt"),
    table.c.created_time >= bindparam("created"),
)
_UNANSWER_OTHERS = update(table).where(*_OTHERS).values(answered=False)


def text_of(time: float) -> str:
    """UTC text such as `2026-11-22 08:10:22.123` of epoch seconds, to the nearest millisecond."""
    seconds, milliseconds = divmod(round(time * 1000), 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{milliseconds:03d}"


def time_of(text: str) -> float:
    """Epoch seconds of UTC text, with or without a fraction."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


class SqlHistory:
    """`ports.History` over an opened database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._migrated = False

    def _is_migrated(self, connection: Connection) -> bool:
        self._migrated = self._migrated or knows_unit_keys(connection)
        return self._migrated

    def add(self, row: Recognition) -> int:
        """Stores a row, or replaces the one of the same request and attempt.

        The latest answered attempt is the one that the user saw: the others become unanswered, and so does a row
        that arrives after a later attempt was answered.
        """
        return self.add_all([row])[0]

    def add_all(self, rows: Sequence[Recognition], late: bool = False) -> list[int]:
        """As `add` for each row, all or none; `late` ones take nothing away from what was stored since."""
        with writing(self._engine) as connection, _refusals():
            migrated = self._is_migrated(connection)
            return [(_known(connection, row) if late else None) or _add(connection, row, migrated) for row in rows]

    def get(self, row_id: int) -> Recognition:
        """Raises `NotFoundError`."""
        with reading(self._engine) as connection:
            return self._one(connection, row_id)

    def page(self, limit: int, before: float | None, version: str | None, purpose: str | None) -> list[Recognition]:
        """Rows not deleted, newest first, created before the given time."""
        wanted = [
            condition
            for given, condition in (
                (before, table.c.created_time < text_of(before or 0.0)),
                (version, table.c.version == version),
                (purpose, table.c.purpose == purpose),
            )
            if given is not None
        ]
        with reading(self._engine) as connection:
            query = self._rows(connection).where(*wanted)
            query = query.order_by(table.c.created_time.desc(), table.c.id.desc()).limit(limit)
            return [_recognition(found) for found in connection.execute(query).mappings()]

    def correct(self, row_id: int, text: str, by: str, at: float) -> Recognition:
        """Makes `text` the reference of a row. Raises `NotFoundError`."""
        change = {"corrected_text": text, "corrected_by": by, "corrected_at": text_of(at)}
        with writing(self._engine) as connection:
            connection.execute(update(table).where(table.c.id == row_id, table.c.deleted_at.is_(None)).values(change))
            return self._one(connection, row_id)

    def corrections(self, release_id: int, known: Collection[int]) -> list[Recognition]:
        """Answered live rows of a release that hold a corrected text and whose id is not known, by correction time."""
        usable = (
            table.c.release_id == release_id,
            table.c.corrected_at.is_not(None),
            table.c.corrected_text.is_not(None),
            table.c.answered,
            table.c.purpose == "live",
            table.c.deleted_at.is_(None),
        )
        seen = set(known)
        query = select(table.c.id).where(*usable).order_by(table.c.corrected_at, table.c.id)
        with reading(self._engine) as connection:
            new = [row_id for row_id in connection.scalars(query) if row_id not in seen]
            found: dict[int, Recognition] = {}
            for start in range(0, len(new), _CHUNK):
                chunk = self._rows(connection).where(table.c.id.in_(new[start : start + _CHUNK]))
                found.update((one["id"], _recognition(one)) for one in connection.execute(chunk).mappings())
        return [found[row_id] for row_id in new]

    def _rows(self, connection: Connection) -> Select[Any]:
        columns = _COLUMNS if self._is_migrated(connection) else _OLD_COLUMNS
        return select(*columns).where(table.c.deleted_at.is_(None))

    def _one(self, connection: Connection, row_id: int) -> Recognition:
        found = connection.execute(self._rows(connection).where(table.c.id == row_id)).mappings().one_or_none()
        if found is None:
            raise NotFoundError(f"there is no recognition {row_id} in the history")
        return _recognition(found)


@contextmanager
def _refusals() -> Iterator[None]:
    """Tells what is wrong with a row from what is wrong with the store."""
    try:
        yield
    except UnicodeDecodeError:
        raise  # what stands in a damaged store
    except _NEVER as error:
        said = str(getattr(error, "orig", None) or error).splitlines() or [type(error).__name__]
        raise InvalidError(f"the history does not take such a row: {said[0]}") from error


def _known(connection: Connection, row: Recognition) -> int | None:
    """The id of the row of the same attempt, where that is as old as this one or newer."""
    created = text_of(row.created_time)
    return connection.scalar(_KNOWN, {"request": row.request_id, "attempt": row.attempt, "created": created})


def _add(connection: Connection, row: Recognition, migrated: bool) -> int:
    values = _values(row)
    if row.answered:
        others = {"own_request": row.request_id, "own_attempt": row.attempt}
        answered = list(connection.scalars(_ANSWERED_OTHERS, others))
        values["answered"] = max(answered, default=0) < row.attempt
        if answered and values["answered"]:
            connection.execute(_UNANSWER_OTHERS, others)
    if migrated:
        return int(connection.execute(_UPSERT, values).scalar_one())
    del values[_KEY_ID.name]
    return int(connection.execute(_OLD_UPSERT, values).scalar_one())


def _values(row: Recognition) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in _FIELDS if name != "id"}
    for name in _TIMES:
        if values[name] is not None:
            values[name] = text_of(values[name])
    return {**values, "rtf": row.rtf}


def _recognition(found: RowMapping) -> Recognition:
    values = {name: found[name] for name in _FIELDS}
    for name in _TIMES:
        if values[name] is not None:
            values[name] = time_of(values[name])
    # Both columns may be empty in rows that another program wrote.
    return Recognition(**{**values, "raw_text": values["raw_text"] or "", "audio_sha256": values["audio_sha256"] or ""})
