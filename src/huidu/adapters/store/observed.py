"""What live users were answered, row by row in bounded memory, for the comparison of two versions. Only reads."""

from collections.abc import Collection, Generator
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import ColumnElement, Engine, Text, and_, case, cast, func, select

from huidu.adapters.store.database import FILE_NAME, knows_unit_keys, open_database, reading
from huidu.adapters.store.history import text_of
from huidu.adapters.store.schema import recognition_history as table
from huidu.core.errors import InvalidError

_FETCHED_ROWS = 1000
_DONE = table.c.status == "done"
# Answered recognitions, and failures: those were mostly answered by another attempt, or not at all.
_LIVE = and_(table.c.purpose == "live", table.c.deleted_at.is_(None), table.c.answered | ~_DONE)
# What voice activity detection found is a list, and an empty one is silence. Without it there is NULL or JSON's null.
_SEGMENTS = func.replace(cast(table.c.segments, Text), " ", "")
_SPEECH = case((_SEGMENTS == "[]", False), (_SEGMENTS.like("[%"), True))


class ObservedRow(NamedTuple):
    """A live recognition that was answered, or one that failed; lengths are 0 where nobody knows.

    `user` is the unit with the id of its key (`core/units.py`), else the user key; `speech` whether voice activity
    detection found any, None without it.
    """

    version: str
    filename: str
    failed: bool
    rule: str | None
    attempt: int
    user: str | None
    text: str
    corrected_text: str | None
    language: str | None
    audio_seconds: float
    decode_ms: float
    audio_sha256: str
    speech: bool | None


_UNIT, _KEY_ID = func.nullif(table.c.unit, ""), func.nullif(table.c.unit_key_id, "")
_USER_KEY = func.nullif(table.c.user_key, "")
_OLD_USER = func.coalesce(_UNIT, _USER_KEY)
# The same digits under different keys are different users.
_USER = func.coalesce(_KEY_ID + ":" + _UNIT, _UNIT, _USER_KEY)
# In the order of the fields.
_COLUMNS = (
    table.c.version,
    table.c.filename,
    ~_DONE,
    table.c.rule,
    table.c.attempt,
    _USER,
    func.coalesce(table.c.raw_text, ""),
    table.c.corrected_text,
    table.c.language,
    table.c.audio_seconds,
    table.c.decode_ms,
    func.coalesce(table.c.audio_sha256, ""),
    _SPEECH,
)


def open_existing(data: Path) -> Engine:
    """The database of a data folder. Raises `InvalidError` where there is none."""
    if not (data / FILE_NAME).is_file():
        raise InvalidError(
            f"there is no history at {data / FILE_NAME}; accepted: the data folder of a service that ran"
        )
    return open_database(data, migrate=False)


def observed(
    engine: Engine, since: float, until: float, versions: Collection[str] | None = None
) -> Generator[ObservedRow]:
    """Rows created from `since` until before `until` (epoch seconds), in their order.

    Of all versions, or of some. Raises `UnavailableError` when the store cannot be read.
    """
    with reading(engine) as connection:
        # Only control migrates: a history of before there were key ids is read as it is.
        old = not knows_unit_keys(connection)
        columns = [_OLD_USER if old and column is _USER else column for column in _COLUMNS]
        query = select(*columns).where(_between(since, until)).order_by(table.c.created_time, table.c.id)
        if versions is not None:
            query = query.where(table.c.version.in_(versions))
        found = connection.execution_options(yield_per=_FETCHED_ROWS).execute(query)
        for row in found:
            yield ObservedRow._make(row)


def versions_between(engine: Engine, since: float, until: float) -> dict[str, int]:
    """The versions that have such rows in a time, and how many."""
    query = select(table.c.version, func.count()).where(_between(since, until)).group_by(table.c.version)
    with reading(engine) as connection:
        return {str(version): int(count) for version, count in connection.execute(query)}


def _between(since: float, until: float) -> ColumnElement[bool]:
    created = table.c.created_time
    return and_(_LIVE, created >= text_of(since), created < text_of(until))
