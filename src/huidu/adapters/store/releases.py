"""Releases, their events and their evidence in SQL."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from huidu.adapters.store.database import reading, writing
from huidu.adapters.store.mending import begin_again, damage
from huidu.adapters.store.opened import Identity, identity
from huidu.adapters.store.schema import evidence, peak_memory, release_events, releases, state
from huidu.core.codec import StoredError
from huidu.core.errors import LostError, NotFoundError, TakenOverError, UnavailableError
from huidu.core.evidence import Kind, Row
from huidu.core.record import (
    Happening,
    Record,
    Watch,
    fleet_from_json,
    fleet_to_json,
    release_from_json,
    release_to_json,
    running_release,
)
from huidu.core.release import Fleet
from huidu.ports import Loss, Stored

_FLEET, _CHECKPOINT, _WRITER, _MEMORY = "fleet", "log_checkpoint", "writer", "memory"
_PART_ROWS = 500


class SqlStore:
    """The store of control. One process writes it; others may read."""

    def __init__(self, engine: Engine, lost: str = ""):
        self._engine, self._file = engine, Path(engine.url.database or "")
        self.lost = lost
        # Under what this one writes: whoever claims the store raises the number, and says when.
        self._claim: dict[str, Any] | None = None

    def claim(self) -> None:
        with writing(self._engine) as connection:
            # Where an older copy was put back, its number must not be mine again.
            known = max(_number(_state(connection, _WRITER)), _number(self._claim))
            claim = {"number": known + 1, "at": time.time()}
            _put_state(connection, _WRITER, claim)
        self._claim = claim

    def confirm(self) -> None:
        if self._claim is None:
            return
        try:
            with reading(self._engine) as connection:
                found = _state(connection, _WRITER)
        except LostError:
            raise
        except UnavailableError:
            return
        self._refuse_other(found)

    def _refuse_other(self, found: dict[str, Any] | None) -> None:
        mine = self._claim or {}
        if _number(found) == _number(mine) and _at(found) == _at(mine):
            return
        if found is None or (_number(found) < _number(mine) and _at(found) <= _at(mine)):
            raise LostError(f"{self._file} does not hold what control wrote; accepted: the one that it wrote to")
        raise TakenOverError("another control has taken over the store; accepted: one control at a time")

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """A transaction of the one that writes."""
        if self._claim is None:
            self.claim()
        with writing(self._engine) as connection:
            self._refuse_other(_state(connection, _WRITER))
            yield connection

    def loss(self) -> Loss | None:
        looked_at = self._present()
        found = damage(self._file)
        if found is not None:
            return Loss(found, "nothing", looked_at)
        with reading(self._engine) as connection:
            claim, fleet = _state(connection, _WRITER), _state(connection, _FLEET)
        try:
            self._refuse_other(claim)
        except LostError:
            if fleet is None:
                return Loss(f"{self._file} is a database without control's record", "empty", looked_at)
            return Loss(f"{self._file} is an earlier copy", "copy", looked_at)
        return None

    def begin_again(self, loss: Loss, fleet: Fleet, record: Record) -> str:
        claim = {"number": _number(self._claim) + 1, "at": time.time()}

        def fill(connection: Connection) -> None:
            _put_state(connection, _WRITER, claim)
            _put(connection, fleet, record)

        if self._present() != loss.file:
            raise UnavailableError(f"{self._file} was exchanged meanwhile; accepted: after another look")
        said = loss.words
        if loss.left == "nothing":
            said += f"; {begin_again(self._engine, fill, time.time())}"
        else:
            with writing(self._engine) as connection:
                fill(connection)
        self._claim = claim
        return said

    def _present(self) -> Identity | None:
        try:
            return identity(self._file)
        except LostError:
            return None

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

    def record(self, fleet: Fleet, record: Record, again: bool = False) -> None:
        with self._writing() as connection:
            _put(connection, fleet, record, again)

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


def _number(claim: dict[str, Any] | None) -> int:
    """The number of the one that writes; 0 before the first."""
    return int(claim["number"]) if claim is not None else 0


def _at(claim: dict[str, Any] | None) -> float:
    """When a store was claimed, in epoch seconds; earlier versions did not say."""
    return float((claim or {}).get("at", 0.0))


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


def _put(connection: Connection, fleet: Fleet, record: Record, again: bool = False) -> None:
    """All of a step. `again` says that it may be there already, though nobody could tell."""
    _put_state(connection, _FLEET, fleet_to_json(fleet))
    if record.checkpoint is not None:
        _put_state(connection, _CHECKPOINT, record.checkpoint)
    if record.release is not None:
        _put_release(connection, record)
        _add_evidence(connection, [(record.release.id, row) for row in record.evidence])
    _add_evidence(connection, record.late)
    known = _told(connection, record.happenings) if again else []
    for happening in record.happenings:
        values = {"release_id": happening.release, "time": happening.time, "kind": happening.kind}
        values["payload"] = happening.payload
        if values not in known:
            connection.execute(insert(release_events).values(values))


def _told(connection: Connection, happenings: Sequence[Happening]) -> list[dict[str, Any]]:
    """What the record holds of the times of some happenings."""
    columns = [release_events.c[name] for name in ("release_id", "time", "kind", "payload")]
    releases_of = {happening.release for happening in happenings}
    since = min((happening.time for happening in happenings), default=0.0)
    query = select(*columns).where(release_events.c.release_id.in_(releases_of), release_events.c.time >= since)
    return [dict(row) for row in connection.execute(query).mappings()]


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
