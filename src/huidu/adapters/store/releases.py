"""Releases, their events and their evidence in SQL."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from huidu.adapters.store.database import reading, writing
from huidu.adapters.store.schema import evidence, peak_memory, release_events, releases, state
from huidu.core.codec import StoredError
from huidu.core.errors import NotFoundError, TakenOverError, UnavailableError
from huidu.core.evidence import Kind, Row
from huidu.core.record import (
    Record,
    Watch,
    fleet_from_json,
    fleet_to_json,
    release_from_json,
    release_to_json,
    running_release,
)
from huidu.core.release import Fleet
from huidu.ports import Stored

_FLEET, _CHECKPOINT, _WRITER, _MEMORY = "fleet", "log_checkpoint", "writer", "memory"
_PART_ROWS = 500


class SqlStore:
    """The store of control. One process writes it; others may read."""

    def __init__(self, engine: Engine):
        self._engine = engine
        # The number under which this one writes: whoever claims the store raises it.
        self._writer: int | None = None

    def claim(self) -> None:
        with writing(self._engine) as connection:
            number = _writer(connection) + 1
            _put_state(connection, _WRITER, {"number": number})
        self._writer = number

    def confirm(self) -> None:
        if self._writer is None:
            return
        try:
            with reading(self._engine) as connection:
                found = _writer(connection)
        except UnavailableError:
            return
        self._refuse_other(found)

    def _refuse_other(self, found: int) -> None:
        if found != self._writer:
            raise TakenOverError("another control has taken over the store; accepted: one control at a time")

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """A transaction of the one that writes."""
        if self._writer is None:
            self.claim()
        with writing(self._engine) as connection:
            self._refuse_other(_writer(connection))
            yield connection

    def load(self) -> Stored | None:
        with reading(self._engine) as connection:
            found = _state(connection, _FLEET)
            if found is None:
                return None
            release, watch = None, Watch()
            running = running_release(found)
            if running is not None:
                stored = _with_overrides(connection, running, _stored_release(connection, running))
                release, watch = release_from_json(stored, f"release {running}")
            return Stored(fleet_from_json(found, release), watch, _state(connection, _CHECKPOINT))

    def record(self, fleet: Fleet, record: Record) -> None:
        with self._writing() as connection:
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
            rows = connection.execute(select(*listed).order_by(releases.c.id.desc())).mappings().all()
            backs = _put_backs(connection)
        found = [{**row, "put_back": [back for at, back in backs if at == row["id"]]} for row in rows]
        unreleased = [back for at, back in backs if at == 0]
        if unreleased:
            nothing = {column.name: None for column in listed}
            first = {"id": 0, "version": unreleased[0]["from"], "started_at": unreleased[0]["time"]}
            found.append({**nothing, **first, "put_back": unreleased})
        return found

    def release(self, release: int) -> dict[str, Any]:
        events = select(release_events).where(release_events.c.release_id == release).order_by(release_events.c.id)
        with reading(self._engine) as connection:
            row = connection.execute(select(releases).where(releases.c.id == release)).mappings().one_or_none()
            listed = connection.execute(events).mappings().all()
            backs = _put_backs(connection)
        if row is None:
            raise NotFoundError(f"release {release} does not exist; accepted: one that `huidu release list` names")
        shown = [{name: event[name] for name in ("time", "kind", "payload")} for event in listed]
        return {**row, "events": shown, "put_back": [back for at, back in backs if at == release]}

    def peak_memory_bytes(self, version: str) -> int | None:
        query = select(peak_memory.c.rss_bytes).where(peak_memory.c.version == version)
        with reading(self._engine) as connection:
            return connection.execute(query).scalar_one_or_none()

    def raise_peak_memory(self, peaks: dict[str, int], now: float) -> None:
        with self._writing() as connection:
            for version, rss_bytes in peaks.items():
                row = upsert(peak_memory).values(version=version, rss_bytes=rss_bytes, measured_at=now)
                higher = func.max(peak_memory.c.rss_bytes, row.excluded.rss_bytes)
                changed = {"rss_bytes": higher, "measured_at": row.excluded.measured_at}
                connection.execute(row.on_conflict_do_update(index_elements=["version"], set_=changed))

    def memory(self) -> Any:
        with reading(self._engine) as connection:
            return _state(connection, _MEMORY)

    def keep_memory(self, lives: dict[str, Any]) -> None:
        with self._writing() as connection:
            _put_state(connection, _MEMORY, lives)


def _state(connection: Connection, name: str) -> Any:
    return connection.execute(select(state.c.value).where(state.c.name == name)).scalar_one_or_none()


def _writer(connection: Connection) -> int:
    """The number of the one that writes; 0 before the first."""
    found = _state(connection, _WRITER)
    return int(found["number"]) if found is not None else 0


def _stored_release(connection: Connection, release: int) -> Any:
    found = connection.execute(select(releases.c.state).where(releases.c.id == release)).scalar_one_or_none()
    if found is None:
        raise StoredError(f"release {release} runs and its record is gone; accepted: a store that holds it")
    return found


def _with_overrides(connection: Connection, release: int, stored: Any) -> Any:
    """A release stored before it held the stages that people passed: its record names them."""
    if not isinstance(stored, dict) or "overrides" in stored:
        return stored
    asked = (release_events.c.release_id == release) & (release_events.c.kind == "promote_asked")
    query = select(release_events.c.payload).where(asked).order_by(release_events.c.id)
    overrides = [
        {"stage": payload["from"], "by": payload["by"], "reason": payload["reason"]}
        for payload in connection.execute(query).scalars()
    ]
    return {**stored, "overrides": overrides}


def _put_backs(connection: Connection) -> list[tuple[int, dict[str, Any]]]:
    """Roll backs after a promotion, the oldest first, each with the release in whose record it is to be shown."""
    query = select(release_events).where(release_events.c.kind == "put_back").order_by(release_events.c.id)
    events = connection.execute(query).mappings().all()
    return [_put_back(connection, event["release_id"], event["time"], event["payload"]) for event in events]


def _put_back(connection: Connection, at: int, time: float, payload: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    left = payload.get("from")
    promoted = select(releases.c.id, releases.c.version).where(
        releases.c.outcome == "promoted", releases.c.ended_at <= time
    )
    # Old records of roll backs without control do not say from where: what was promoted last was left.
    promoted = promoted if left is None else promoted.where(releases.c.version == left)
    undone = connection.execute(promoted.order_by(releases.c.id.desc()).limit(1)).one_or_none()
    shown = {
        "release": undone.id if undone else None,
        "time": time,
        "from": left or (undone.version if undone else None),
        "to": payload["to"],
        "by": payload.get("by"),
        "reason": payload.get("reason", ""),
        "without_control": "fence" in payload,
    }
    return (undone.id if undone else at), shown


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
