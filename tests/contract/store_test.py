"""The contract of control's store."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from huidu.adapters.store.database import open_database
from huidu.adapters.store.releases import SqlStore
from huidu.core.errors import NotFoundError, UnavailableError
from huidu.core.evidence import Kind, Row, crash_row, fold
from huidu.core.plan import DEFAULT_PLAN, Rules
from huidu.core.record import Happening, Outcome, Record, Watch
from huidu.core.release import Event, Fleet, advance, begin, placed, settled
from huidu.core.verdict import Code, Verdict


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    engine = open_database(tmp_path, migrate=True)
    yield SqlStore(engine)
    engine.dispose()


RELEASE = begin(1, "v2", "v1", DEFAULT_PLAN, Rules(), 5.0)
FLEET = settled(placed(Fleet("v1"), "v1", "127.0.0.1:1"), RELEASE)


def test_an_empty_store_holds_nothing(store: SqlStore) -> None:
    assert store.load() is None
    assert store.releases() == []
    with pytest.raises(NotFoundError):
        store.release(1)


def test_what_was_recorded_is_found_again(store: SqlStore) -> None:
    verdicts = {"cer": Verdict("cer", Code.NOT_YET, {"estimate": 0.25})}
    watch = Watch(verdicts, 3, 1, 2.5, {"v2": 17}, {"share:500": {"p_value": 1e-9}})
    rows = (crash_row("bake", "v2", "v2:1", 6.0), Row("bake", Kind.SECOND, "6", 6.0, {}))
    record = Record(RELEASE, watch, happenings=(Happening(1, 5.0, "started", {"by": "ann"}),), evidence=rows)
    store.record(FLEET, replace(record, checkpoint={"inode": 4, "offset": 99}, by="ann"))
    found = store.load()
    assert found is not None
    assert (found.fleet, found.watch, found.checkpoint) == (FLEET, watch, {"inode": 4, "offset": 99})
    assert store.evidence(1) == list(rows)
    shown = store.release(1)
    assert (shown["version"], shown["started_by"], shown["outcome"]) == ("v2", "ann", None)
    assert shown["events"] == [{"time": 5.0, "kind": "started", "payload": {"by": "ann"}}]


def test_much_evidence_is_read_in_the_order_of_recording(store: SqlStore) -> None:
    rows = tuple(crash_row("bake", "v2", f"v2:{number}", 6.0) for number in range(1203))
    store.record(FLEET, Record(RELEASE, evidence=rows[:700]))
    store.record(FLEET, Record(RELEASE, evidence=rows[700:]))
    assert tuple(store.each_evidence(1)) == rows == tuple(store.evidence(1))
    assert list(store.each_evidence(2)) == []


def test_an_ended_release_leaves_the_fleet_and_keeps_its_record(store: SqlStore) -> None:
    store.record(FLEET, Record(RELEASE))
    ended = advance(RELEASE, Event.FAILED, 9.0)
    outcome = Outcome("rolled_back", "admission", "admission", "why")
    store.record(settled(FLEET, ended), Record(replace(ended, entered_at=9.0), outcome=outcome))
    found = store.load()
    assert found is not None
    assert found.fleet.release is None
    (row,) = store.releases()
    assert (row["outcome"], row["stage"], row["guard"], row["reason"]) == (
        "rolled_back",
        "admission",
        "admission",
        "why",
    )
    assert (row["started_at"], row["ended_at"]) == (5.0, 9.0)


def test_evidence_with_a_known_key_is_recorded_once(store: SqlStore) -> None:
    row = crash_row("bake", "v2", "v2:1", 6.0)
    for _ in range(2):
        store.record(FLEET, Record(RELEASE, evidence=(row,)))
    assert fold(store.evidence(1)).of("v2").crashes == 1


def test_evidence_that_comes_late_goes_to_the_release_it_names(store: SqlStore) -> None:
    store.record(FLEET, Record(RELEASE))
    ended = advance(RELEASE, Event.FAILED, 9.0)
    store.record(settled(FLEET, ended), Record(ended, outcome=Outcome("rolled_back", "bake", None, "why")))
    following = replace(RELEASE, id=2)
    rows = [crash_row("bake", "v2", key, 10.0) for key in ("v2:1", "v2:2", "v2:3")]
    record = Record(following, evidence=(rows[0],), late=((1, rows[1]), (1, rows[2]), (1, rows[2])))
    store.record(settled(FLEET, following), record)
    store.record(settled(FLEET, following), Record(late=((1, rows[1]),)))
    assert (store.evidence(1), store.evidence(2)) == (rows[1:], rows[:1])
    assert [release["outcome"] for release in store.releases()] == [None, "rolled_back"]


def test_a_step_is_recorded_whole_or_not_at_all(store: SqlStore) -> None:
    store.record(FLEET, Record(RELEASE))
    impossible = Happening(1, 7.0, "odd", {"payload": object()})
    with pytest.raises((UnavailableError, TypeError)):
        store.record(replace(FLEET, fence=9), Record(RELEASE, happenings=(impossible,)))
    found = store.load()
    assert found is not None
    assert found.fleet.fence == 0


def test_peak_memory_only_rises(store: SqlStore) -> None:
    assert store.peak_memory_bytes("v1") is None
    for peak in (100, 300, 200):
        store.raise_peak_memory({"v1": peak}, 1.0)
    assert store.peak_memory_bytes("v1") == 300
