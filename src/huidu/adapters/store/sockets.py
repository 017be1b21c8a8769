"""The reports of sockets in SQL, for SQLite."""

from dataclasses import asdict, fields

from sqlalchemy import Engine, delete, func, select
from sqlalchemy.dialects.sqlite import insert

from huidu.adapters.store.database import reading, writing
from huidu.adapters.store.schema import socket_reports as table
from huidu.core.sockets import SocketReport

_COLUMNS = [table.c[field.name] for field in fields(SocketReport)]
_ADD = insert(table).on_conflict_do_nothing()
# Instances want to write while old rows are deleted.
_FORGET_ROWS = 5000


class SqlSockets:
    """`ports.Sockets` over an opened database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def report(self, report: SocketReport) -> None:
        values = asdict(report)
        del values["id"]
        with writing(self._engine) as connection:
            connection.execute(_ADD, values)

    def after(self, last_id: int, limit: int) -> list[SocketReport]:
        query = select(*_COLUMNS).where(table.c.id > last_id).order_by(table.c.id).limit(limit)
        with reading(self._engine) as connection:
            return [SocketReport(**found) for found in connection.execute(query).mappings()]

    def newest_id(self) -> int:
        with reading(self._engine) as connection:
            return connection.scalar(select(func.max(table.c.id))) or 0

    def forget(self, before: float) -> int:
        old = select(table.c.id).where(table.c.time < before).limit(_FORGET_ROWS)
        forgotten = 0
        while True:
            with writing(self._engine) as connection:
                found = connection.execute(delete(table).where(table.c.id.in_(old))).rowcount
            forgotten += found
            if found < _FORGET_ROWS:
                return forgotten
