"""Releases, their events and their evidence in SQL."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from huidu.adapters.store.database import reading, writing
from huidu.adapters.store.schema import evidence, peak_memory, release_events, releases, state
from huidu.core.errors import NotFoundError
from huidu.core.evidence import Kind, Row
from huidu.core.record import Record, Watch, fleet_from_json, fleet_to_json, release_from_json, release_to_json
from huidu.core.release import Fleet
from huidu.ports import Stored

_FLEET, _CHECKPOINT = "fleet", "log_checkpoint"
_PART_ROWS = 500


class SqlStore:
    """The store of control. One process writes it; others may read."""

    def __init__(self, engine: Engine):
        self._engine = engine

    def load(self) -> Stored | None:
        with reading(self._engine) as connection:
            found = _state(connection, _FLEET)
            if found is None:
                return None
            release, watch = None, Watch()
            if found["running"] is not None:
                query = select(releases.c.state).where(releases.c.id == found["running"])
                release, watch = release_from_json(connection.execute(query).scalar_one())
            return Stored(fleet_from_json(found, release), watch, _state(connection, _CHECKPOINT))

    def record(self, fleet: Fleet, record: Record) -> None:
        with writing(self._engine) as connection:
            _put_state(connection, _FLEET, fleet_to_json(fleet))
            if record.checkpoint is not None:
                _put_state(connection, _CHECKPOINT, record.checkpoint)
            if record.release is not None:
                _put_release(connection, record)
                _add_evidence(connection, [(record.release.id, row) for row in record.evidence])
            _add_evidence(connection, record.late)
            for happening in record.happenings:
                values = {"release_id": happening.release, "time": happening.time, "kind": happening.kind}
                connection.execute(insert(release_events).values(**values, payload=happening.payload))

    def evidence(self, release: int) -> list[Row]:
        return list(self.each_evidence(release))

    def each_evidence(self, release: int) -> Iterator[Row]:
        after = 0
        query = select(evidence).where(evidence.c.release_id == release).order_by(evidence.c.id).limit(_PART_ROWS)
        while True:
            with reading(self._engine) as connection:
                found = connection.execute(query.where(evidence.c.id > after)).mappings().all()
            if not found:
                return
            for row in found:
                yield Row(row["stage"], Kind(row["kind"]), row["key"], row["time"], row["payload"])
            after = found[-1]["id"]

    def releases(self) -> list[dict[str, Any]]:
        listed = [column for column in releases.c if column.name != "state"]
        with reading(self._engine) as connection:
            found = connection.execute(select(*listed).order_by(releases.c.id.desc())).mappings().all()
        return [dict(row) for row in found]

    def release(self, release: int) -> dict[str, Any]:
        events = select(release_events).where(release_events.c.release_id == release).order_by(release_events.c.id)
        with reading(self._engine) as connection:
            row = connection.execute(select(releases).where(releases.c.id == release)).mappings().one_or_none()
            listed = connection.execute(events).mappings().all()
        if row is None:
            raise NotFoundError(f"release {release} does not exist; accepted: one that `huidu release list` names")
        shown = [{name: event[name] for name in ("time", "kind", "payload")} for event in listed]
        return {**dict(row), "events": shown}

    def peak_memory_bytes(self, version: str) -> int | None:
        query = select(peak_memory.c.rss_bytes).where(peak_memory.c.version == version)
        with reading(self._engine) as connection:
            return connection.execute(query).scalar_one_or_none()

    def raise_peak_memory(self, peaks: dict[str, int], now: float) -> None:
        with writing(self._engine) as connection:
            for version, rss_bytes in peaks.items():
                row = upsert(peak_memory).values(version=version, rss_bytes=rss_bytes, measured_at=now)
                higher = func.max(peak_memory.c.rss_bytes, row.excluded.rss_bytes)
                changed = {"rss_bytes": higher, "measured_at": row.excluded.measured_at}
                connection.execute(row.on_conflict_do_update(index_elements=["version"], set_=changed))


def _state(connection: Connection, name: str) -> Any:
    return connection.execute(select(state.c.value).where(state.c.name == name)).scalar_one_or_none()


def _put_state(connection: Connection, name: str, value: dict[str, Any]) -> None:
    row = upsert(state).values(name=name, value=value)
    connection.execute(row.on_conflict_do_update(index_elements=["name"], set_={"value": row.excluded.value}))


def _put_release(connection: Connection, record: Record) -> None:
    release = record.release
    assert release is not None
    changing: dict[str, Any] = {
        "phase": release.phase.value,
        "stage": release.stage_name,
        "state": release_to_json(release, record.watch),
    }
    if record.outcome is not None:
        outcome = record.outcome
        changing |= {"outcome": outcome.outcome, "stage": outcome.stage, "guard": outcome.guard}
        changing |= {"reason": outcome.reason, "ended_at": release.entered_at}
    changed = connection.execute(update(releases).where(releases.c.id == release.id).values(**changing))
    if changed.rowcount == 0:
        first = {"id": release.id, "version": release.candidate, "stable": release.stable}
        started = {"started_by": record.by, "started_at": release.started_at}
        connection.execute(insert(releases).values(**first, **started, **changing))


def _add_evidence(connection: Connection, rows: Sequence[tuple[int, Row]]) -> None:
    """Rows whose key is known already are left out: each thing counts once."""
    if not rows:
        return
    values = [
        {
            "release_id": release,
            "stage": row.stage,
            "kind": row.kind.value,
            "key": row.key,
            "time": row.time,
            "payload": row.payload,
        }
        for release, row in rows
    ]
    connection.execute(upsert(evidence).on_conflict_do_nothing(), values)
