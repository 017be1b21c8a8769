"""Deletes rows of the history, or brings them back. They are erased for good by a later prune."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Engine, and_, func, select, update

from huidu.adapters.store.database import reading, writing
from huidu.adapters.store.history import text_of
from huidu.adapters.store.pruning import DELETIONS, put_state
from huidu.adapters.store.schema import recognition_history as table
from huidu.adapters.store.schema import state

_ROWS = 500


@dataclass(frozen=True, slots=True)
class Chosen:
    """Rows by id, of one unit, or created before a time in epoch seconds: those for which all that is given holds."""

    ids: tuple[int, ...] = ()
    unit: str | None = None
    before: float | None = None

    def condition(self, deleted: bool) -> ColumnElement[bool]:
        """Holds for the chosen rows that are deleted, or are not."""
        conditions: list[ColumnElement[bool]] = [
            table.c.deleted_at.is_not(None) if deleted else table.c.deleted_at.is_(None)
        ]
        if self.ids:
            conditions.append(table.c.id.in_(self.ids))
        if self.unit is not None:
            conditions.append(table.c.unit == self.unit)
        if self.before is not None:
            conditions.append(table.c.created_time < text_of(self.before))
        return and_(*conditions)


def count(engine: Engine, chosen: Chosen, deleted: bool = False) -> int:
    with reading(engine) as connection:
        return connection.scalar(select(func.count()).select_from(table).where(chosen.condition(deleted))) or 0


def delete(engine: Engine, chosen: Chosen, now: float) -> int:
    """Marks the chosen rows as deleted, some hundred in a transaction; how many."""
    done = 0
    for ids in _each(engine, chosen.condition(deleted=False)):
        mark = update(table).where(table.c.id.in_(ids), table.c.deleted_at.is_(None)).values(deleted_at=text_of(now))
        with writing(engine) as connection:
            found = connection.execute(mark).rowcount
            noted = connection.execute(select(state.c.value).where(state.c.name == DELETIONS)).scalar_one_or_none()
            known = noted if isinstance(noted, dict) else {}
            oldest, before = known.get("oldest"), known.get("count", 0)
            value = {"oldest": now if oldest is None else min(oldest, now), "count": before + found}
            put_state(connection, DELETIONS, value)
        done += found
    return done


def bring_back(engine: Engine, chosen: Chosen) -> int:
    """Takes the mark off the chosen rows that are deleted and not yet erased; how many.

    A row that was stripped bare, and stands only for its number, stays as it is.
    """
    done = 0
    whole = and_(chosen.condition(deleted=True), table.c.deleted_at > text_of(0.0))
    for ids in _each(engine, whole):
        mark = update(table).where(table.c.id.in_(ids), table.c.deleted_at > text_of(0.0)).values(deleted_at=None)
        with writing(engine) as connection:
            done += connection.execute(mark).rowcount
    return done


def _each(engine: Engine, condition: ColumnElement[bool]) -> Iterator[list[int]]:
    """The ids of rows, some hundred at a time, the lowest first."""
    last = 0
    while True:
        query = select(table.c.id).where(table.c.id > last, condition).order_by(table.c.id).limit(_ROWS)
        with reading(engine) as connection:
            found = list(connection.scalars(query))
        if not found:
            return
        yield found
        last = found[-1]
