"""The contract of control's store."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from huidu.adapters.store.database import open_database, writing
from huidu.adapters.store.releases import SqlStore
from huidu.adapters.store.schema import releases, state
from huidu.core.errors import NotFoundError, TakenOverError, UnavailableError
from huidu.core.evidence import Kind, Row, crash_row, fold
from huidu.core.plan import DEFAULT_PLAN, Rules, Share
from huidu.core.record import Happening, Outcome, Record, Watch, release_to_json
from huidu.core.release import Event, Fleet, advance, begin, placed, settled
from huidu.core.safety import IncludedRun, ProbeState
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


def test_a_step_that_a_person_took_and_their_pause_are_found_again(store: SqlStore) -> None:
    moved = advance(advance(RELEASE, Event.ADMITTED, 6.0), Event.PROMOTE_ASKED, 7.0, "testers are content", "li")
    paused = advance(moved, Event.PAUSE_ASKED, 8.0, "lunch", "wang")
    store.record(settled(FLEET, paused), Record(paused))
    found = store.load()
    assert found is not None
    assert found.fleet.release == paused


@pytest.mark.parametrize(
    ("held", "now", "by"),
    [
        (None, None, None),
        (
            "the golden set is undecided: promote or roll back",
            "the golden set is undecided: promote or roll back",
            None,
        ),
        ("pause_asked by wang: lunch: at two", "paused by wang: lunch: at two", "wang"),
        ("pause_asked by wang", "paused by wang", "wang"),
    ],
)
def test_a_release_of_an_older_huidu_is_read_with_its_hold_and_the_steps_that_people_took(
    store: SqlStore, tmp_path: Path, held: str | None, now: str | None, by: str | None
) -> None:
    asked = Happening(1, 7.0, "promote_asked", {"by": "li", "reason": "seen enough", "from": "share:500"})
    store.record(FLEET, Record(RELEASE, happenings=(asked,)))
    old = release_to_json(replace(RELEASE, held=held), Watch())
    del old["held_by"], old["overrides"]
    with writing(open_database(tmp_path, migrate=False)) as connection:
        connection.execute(update(releases).values(state=old))
    found = store.load()
    assert found is not None
    assert found.fleet.release is not None
    assert (found.fleet.release.held, found.fleet.release.held_by) == (now, by)
    (override,) = found.fleet.release.overrides
    assert (override.stage, override.by, override.reason) == ("share:500", "li", "seen enough")


def test_whoever_claimed_the_store_last_is_the_one_that_writes(store: SqlStore, tmp_path: Path) -> None:
    store.claim()
    store.record(FLEET, Record(RELEASE))
    other = SqlStore(open_database(tmp_path, migrate=False))
    store.confirm()
    other.claim()
    crash = Record(RELEASE, evidence=(crash_row("bake", "v2", "v2:1", 6.0),))
    for write in (
        store.confirm,
        lambda: store.record(replace(FLEET, fence=9), crash),
        lambda: store.raise_peak_memory({"v1": 100}, 1.0),
    ):
        with pytest.raises(TakenOverError, match="another control has taken over"):
            write()
    assert store.evidence(1) == []
    assert store.peak_memory_bytes("v1") is None
    other.confirm()
    other.record(FLEET, crash)
    assert len(other.evidence(1)) == 1


def test_the_first_write_claims_where_nothing_else_did(store: SqlStore, tmp_path: Path) -> None:
    store.confirm()
    store.record(FLEET, Record(RELEASE))
    SqlStore(open_database(tmp_path, migrate=False)).claim()
    with pytest.raises(TakenOverError):
        store.record(FLEET, Record(RELEASE))


def test_a_claim_that_has_vanished_counts_as_taken(store: SqlStore, tmp_path: Path) -> None:
    store.claim()
    with writing(open_database(tmp_path, migrate=False)) as connection:
        connection.execute(state.delete())
    with pytest.raises(TakenOverError):
        store.record(FLEET, Record(RELEASE))


def put_back(release: int, time: float, **payload: object) -> Record:
    return Record(happenings=(Happening(release, time, "put_back", payload),))


def test_the_list_shows_which_promotion_a_roll_back_undid_and_who_wanted_it(store: SqlStore) -> None:
    for number, version, outcome in ((1, "v2", "promoted"), (2, "v3", "rolled_back")):
        release = replace(RELEASE, id=number, candidate=version, entered_at=10.0 * number)
        store.record(FLEET, Record(release, outcome=Outcome(outcome, "bake", None, "why")))
    # Beside the record of the last release, which had nothing to do with it.
    by_hand = {"from": "v2", "to": "v1", "by": "wang", "reason": "numbers are wrong", "received_at": 30.0}
    store.record(FLEET, put_back(2, 30.0, **by_hand))
    store.record(FLEET, put_back(2, 31.0, to="v0", fence=4))
    store.record(FLEET, put_back(2, 32.0, **{"from": "v0", "to": "v5", "fence": 5}))
    second, first = store.releases()
    said = {"release": 1, "from": "v2", "reason": "numbers are wrong"}
    assert first["put_back"][0] == said | {"time": 30.0, "to": "v1", "by": "wang", "without_control": False}
    # An older Huidu did not say from where.
    assert first["put_back"][1] == {
        "release": 1, "time": 31.0, "from": "v2", "to": "v0", "by": None, "reason": "", "without_control": True,
    }  # fmt: skip
    assert [(back["release"], back["from"], back["to"]) for back in second["put_back"]] == [(None, "v0", "v5")]
    assert store.release(1)["put_back"] == first["put_back"]


def test_a_version_put_back_before_any_release_is_listed_too(store: SqlStore) -> None:
    store.record(Fleet("v0"), put_back(0, 3.0, **{"from": "v1", "to": "v0", "by": "li", "reason": ""}))
    (row,) = store.releases()
    assert (row["id"], row["version"], row["started_at"], row["outcome"]) == (0, "v1", 3.0, None)
    assert [(back["to"], back["by"], back["release"]) for back in row["put_back"]] == [("v0", "li", None)]


def test_peak_memory_only_rises(store: SqlStore) -> None:
    assert store.peak_memory_bytes("v1") is None
    for peak in (100, 300, 200):
        store.raise_peak_memory({"v1": peak}, 1.0)
    assert store.peak_memory_bytes("v1") == 300


def test_what_versions_took_lately_is_found_again(store: SqlStore, tmp_path: Path) -> None:
    assert store.memory() is None
    for lives in ({"v1": [300, 301]}, {"v1": [300, 301, 302], "v2": [7]}):
        store.keep_memory(lives)
        assert SqlStore(open_database(tmp_path, migrate=False)).memory() == lives


def test_all_that_a_release_has_met_is_found_again(store: SqlStore) -> None:
    release = replace(
        advance(RELEASE, Event.ADMITTED, 6.0),
        salt="c0ffee", generation=41, watched_seconds=12.5, held_seconds=2.5, share_ended=True, held="it has ended",
    )  # fmt: skip
    watch = Watch(
        held_for=("share:500 rejects",), probe=ProbeState(2, True, True, 7), alarms=("evidence_stalled",),
        included=IncludedRun(("a", "b"), ("a", "b")),
    )  # fmt: skip
    store.record(settled(FLEET, release), Record(release, watch))
    found = store.load()
    assert found is not None
    assert (found.fleet.release, found.watch) == (release, watch)


def test_a_release_of_an_older_huidu_goes_on_with_its_users_and_begins_its_stage_again(
    store: SqlStore, tmp_path: Path
) -> None:
    """Its stage's age was a difference of wall clocks, its users were drawn by its number, its stages had no floor."""
    release = replace(advance(RELEASE, Event.ADMITTED, 6.0), held_seconds=3.0)
    store.record(settled(FLEET, release), Record(release))
    old = release_to_json(release, Watch(looks=4, certifying=1, taken=900.0, pids={"v2": 17}))
    for name in ("watched_seconds", "salt", "generation", "share_ended"):
        del old[name]
    for name in ("held_for", "probe", "included", "alarms"):
        del old["watch"][name]
    old["plan"] = [{"share_bp": bp, "for_seconds": 60.0, "at_least": least} for bp, least in ((500, 0), (10_000, 7))]
    old["rules"]["guards"] = [
        {name: value for name, value in guard.items() if name != "answer"}
        for guard in old["rules"]["guards"]
        if guard["name"] not in ("rejects", "empty")
    ]
    with writing(open_database(tmp_path, migrate=False)) as connection:
        connection.execute(update(releases).values(state=old))
    found = store.load()
    assert found is not None
    assert found.fleet.release is not None
    again = found.fleet.release
    assert (again.phase, again.stage_name, again.share_bp) == (release.phase, "share:500", 500)
    assert (again.salt, again.generation, again.elapsed_seconds, again.share_ended) == ("", 0, 0.0, False)
    assert [(each.at_least, each.units, each.holdback_bp) for each in again.plan.stages if isinstance(each, Share)] == [
        (100, 3, 0),
        (7, 3, 0),
    ]
    assert [guard.name for guard in again.rules.guards] == ["errors", "crashes", "latency", "cer", "numerals"]
    # Looks go on where they were: alpha is spent once.
    assert (found.watch.looks, found.watch.certifying, found.watch.taken, found.watch.pids) == (4, 1, 0.0, {"v2": 17})
    assert (found.watch.probe, found.watch.included) == (ProbeState(), IncludedRun())
