"""What is stored of a release reads back as it was, also where an earlier Huidu stored it."""

import copy
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from huidu.core.codec import StoredError
from huidu.core.plan import DEFAULT_PLAN, Answer, Golden, Guard, Measure, Plan, Rules, Share
from huidu.core.record import (
    Watch,
    fleet_from_json,
    fleet_to_json,
    release_from_json,
    release_to_json,
    running_release,
)
from huidu.core.release import Event, Fleet, Phase, Release, advance, aged, begin, placed, settled, standing
from huidu.core.routes import Routes, Upstream, from_json, to_json
from huidu.core.safety import IncludedRun, ProbeState
from huidu.core.verdict import Code, Verdict

UPGRADE = Path(__file__).parents[3] / "tests" / "data" / "upgrade"
# As Huidu stored a release in its second share, paused, before salts, floors and holdbacks.
OLD: dict[str, Any] = {
    "id": 7,
    "candidate": "v2",
    "stable": "v1",
    "phase": "share",
    "stage_index": 2,
    "entered_at": 3000.0,
    "started_at": 1000.0,
    "held": "pause_asked by li: lunch",
    "held_seconds": 40.0,
    "held_at": 3500.0,
    "plan": [
        {"set": "/x/set.tsv", "undecided": "ask"},
        {"share_bp": 500, "for_seconds": 1800.0, "at_least": 500},
        {"share_bp": 2000, "for_seconds": 3600.0, "at_least": 0},
        {"share_bp": 10000, "for_seconds": 86400.0, "at_least": 0},
    ],
    "rules": {
        "guards": [
            {"name": "errors", "measure": "difference", "fail_above": 0.0, "at_most": 0.005, "quantile": None},
            {"name": "crashes", "measure": "count", "fail_above": 0.0, "at_most": None, "quantile": None},
            {"name": "latency", "measure": "ratio", "fail_above": 1.1, "at_most": 1.2, "quantile": 0.95},
        ],
        "alpha": 0.01,
        "beta": 0.05,
    },
    "watch": {
        "verdicts": {
            "errors": {"guard": "errors", "state": "undecided", "code": "not_yet", "numbers": {"fail_above": 0.0}}
        },
        "looks": 9,
        "certifying": 1,
        "taken": 450.0,
        "pids": {"v1": 11, "v2": 12},
    },
}


def old(**changes: Any) -> tuple[Release, Watch]:
    return release_from_json(copy.deepcopy(OLD | changes))


def test_a_release_that_an_earlier_huidu_stored_goes_on_where_it_was() -> None:
    release, watch = old()
    assert (release.id, release.phase, release.stage_name, release.share_bp) == (7, Phase.SHARE, "share:2000", 2000)
    assert (release.held, release.held_by) == ("paused by li: lunch", "li")
    assert (release.overrides, release.share_ended, release.generation) == ((), False, 0)
    assert release.plan == Plan(
        (
            Golden("/x/set.tsv"),
            Share(500, 1800.0, at_least=500, units=3),
            # No floor was meant by 0, and there is one now.
            Share(2000, 3600.0, at_least=100, units=3),
            Share(10_000, 86400.0, at_least=100, units=3, holdback_bp=0),
        )
    )
    assert [guard.answer for guard in release.rules.guards] == [Answer.ROLLBACK] * 3
    assert (watch.looks, watch.certifying, watch.pids) == (9, 1, {"v1": 11, "v2": 12})
    assert watch.verdicts == {"errors": Verdict("errors", Code.NOT_YET, {"fail_above": 0.0})}
    assert (watch.mismatches, watch.probe, watch.included, watch.alarms) == ({}, ProbeState(), IncludedRun(), ())


def test_an_upgrade_assigns_none_of_its_users_anew() -> None:
    """Buckets keep the salt that they had, and nobody is held back."""
    release, _ = old(held=None)
    fleet = settled(Fleet("v1"), release)
    stands = standing(fleet)
    upstreams = (Upstream("v1", ("127.0.0.1:1",)), Upstream("v2", ("127.0.0.1:2",)))
    routes = Routes(
        5,
        stands.stable,
        upstreams,
        release=stands.release,
        candidate=stands.candidate,
        share_bp=stands.share_bp,
        salt=release.salt,
        holdback_bp=release.holdback_bp,
    )
    assert (routes.bucket_salt, routes.candidate_bp) == ("r7", 2000)
    before = to_json(routes)
    for name in ("salt", "issued_at", "holdback_bp"):
        del before[name]
    for upstream in before["upstreams"]:
        del upstream["managed"]
    stored = from_json(before)
    assert (stored.bucket_salt, stored.candidate_bp) == (routes.bucket_salt, routes.candidate_bp)
    bake, _ = old(held=None, phase="bake", stage_index=3)
    assert (bake.share_bp, bake.holdback_bp, bake.stage.candidate_share) == (10_000, 0, 1.0)  # type: ignore[union-attr]


def test_the_age_of_a_stage_from_before_begins_again() -> None:
    """It was a difference of wall clocks. That ends no stage, and looks are taken from its start."""
    release, watch = old()
    assert (release.watched_seconds, release.held_seconds, release.elapsed_seconds, watch.taken) == (0, 0, 0, 0)
    again, _ = release_from_json(json.loads(json.dumps(release_to_json(aged(release, 30.0), watch))))
    assert again.watched_seconds == 30.0


@pytest.mark.parametrize(
    ("held", "says", "by"),
    [
        (None, None, None),
        ("pause_asked by li", "paused by li", "li"),
        ("pause_asked by li: for a\nwhile", "paused by li: for a while", "li"),
        (
            "the golden set is undecided: promote or roll back",
            "the golden set is undecided: promote or roll back",
            None,
        ),
    ],
)
def test_a_hold_from_before_is_its_persons_or_huidus_own(held: str | None, says: str | None, by: str | None) -> None:
    release, _ = old(held=held)
    assert (release.held, release.held_by) == (says, by)


@pytest.mark.parametrize("phase", Phase)
def test_a_release_from_before_is_read_in_any_phase(phase: Phase) -> None:
    release, _ = old(phase=phase.value, held=None)
    assert release.phase is phase


def test_what_a_later_huidu_adds_to_a_release_is_passed_over() -> None:
    release, watch = begun()
    stored = release_to_json(release, watch)
    assert release_from_json(stored | {"of_tomorrow": 1}) == (release, watch)


def begun() -> tuple[Release, Watch]:
    rules = Rules((Guard("errors", Measure.DIFFERENCE, 0.0, 0.01, answer=Answer.HOLD),))
    release = begin(3, "v2", "v1", DEFAULT_PLAN, rules, 10.0, salt="5f3a", generation=12)
    release = advance(release, Event.ADMITTED, 11.0)
    release = advance(aged(release, 700.0), Event.PROMOTE_ASKED, 12.0, "fine", "wang")
    release = aged(advance(release, Event.BLINDED, 13.0, "the gateway's evidence has stopped"), 5.0)
    watch = Watch(
        verdicts={"errors": Verdict("errors", Code.TOO_FEW_PEERS, {"estimate": 0.5})},
        looks=4,
        certifying=1,
        taken=5.0,
        pids={"v1": 1},
        mismatches={"share:500": {"p_value": 1e-9}},
        held_for=("share:500 rejects",),
        probe=ProbeState(2, True, True, 9),
        included=IncludedRun(("a", "b"), ("a",)),
        alarms=("no_text",),
    )
    return release, watch


def test_a_release_and_its_watch_survive_json() -> None:
    release, watch = begun()
    assert release_from_json(json.loads(json.dumps(release_to_json(release, watch)))) == (release, watch)
    assert release.share_ended
    assert release.overrides


def test_a_fleet_survives_json() -> None:
    release, _ = begun()
    fleet = placed(replace(Fleet("v1", last_release=3), release=release), "v1", "127.0.0.1:1")
    assert fleet_from_json(json.loads(json.dumps(fleet_to_json(fleet))), release) == fleet


def keys(found: Any, *before: Any) -> Iterator[tuple[Any, ...]]:
    """The paths of all keys of a document."""
    for name, value in found.items() if isinstance(found, dict) else enumerate(found):
        if isinstance(found, dict):
            yield (*before, name)
        if isinstance(value, dict | list):
            yield from keys(value, *before, name)


def stored_releases() -> list[dict[str, Any]]:
    """As this Huidu stores one, as one long ago did, and as fe2596e did (`tests/data/upgrade`)."""
    listed = [json.loads(json.dumps(release_to_json(*begun()))), OLD]
    for path in sorted(UPGRADE.glob("*/history.sql")):
        with closing(sqlite3.connect(":memory:")) as store:
            store.executescript(path.read_text())
            listed += [json.loads(state) for (state,) in store.execute("select state from releases")]
    return listed


@pytest.mark.parametrize("stored", stored_releases(), ids=lambda stored: f"{stored['phase']}{stored['id']}")
def test_a_release_of_another_huidu_with_a_key_less_or_more_or_wrong_is_read_or_refused_in_one_line(
    stored: dict[str, Any],
) -> None:
    whole, watch = release_from_json(stored)
    for path in keys(stored):
        more, less, wrong = (copy.deepcopy(stored) for _ in range(3))
        _at(more, path[:-1])["of_tomorrow"] = {"deep": [1]}
        if path[:2] not in (("watch", "verdicts"), ("watch", "pids")) and path[:2] != ("watch", "mismatches"):
            assert release_from_json(more) == (whole, watch), path
            # What nobody here knows stays, however often it is stored again.
            again = json.loads(json.dumps(release_to_json(*release_from_json(more))))
            assert _at(again, path[:-1])["of_tomorrow"] == {"deep": [1]}
            assert json.loads(json.dumps(release_to_json(*release_from_json(again)))) == again
        del _at(less, path[:-1])[path[-1]]
        _at(wrong, path[:-1])[path[-1]] = [[None]]
        for document in (less, wrong):
            said = _refusal(document)
            assert said is None or (said.startswith("release") and "accepted" in said and "\n" not in said), said


def _at(document: Any, path: tuple[Any, ...]) -> Any:
    for name in path:
        document = document[name]
    return document


def _refusal(document: Any) -> str | None:
    try:
        release_from_json(document)
    except StoredError as error:
        return str(error)
    return None


@pytest.mark.parametrize("document", [None, [], "x", 5, {}, {"watch": {}}])
def test_what_is_no_release_is_refused(document: Any) -> None:
    assert (_refusal(document) or "").startswith("release")


def test_what_must_not_be_guessed_is_asked_for() -> None:
    stored = json.loads(json.dumps(release_to_json(*begun())))
    for path in ("held", "phase", "rules.alpha", "rules.guards", "watch.verdicts", "watch.looks"):
        less = copy.deepcopy(stored)
        *before, name = path.split(".")
        del _at(less, tuple(before))[name]
        assert (_refusal(less) or "").startswith(f"release.{path} is missing; accepted: ")
    assert "accepted: -1 to 3" in (_refusal(stored | {"stage_index": 9}) or "")


def test_a_fleet_of_another_huidu_keeps_what_it_held_beside() -> None:
    release, _ = begun()
    stored = fleet_to_json(Fleet("v1", release=release, addresses=(("v1", "127.0.0.1:1"),))) | {"of_tomorrow": 1}
    fleet = fleet_from_json(stored, release)
    assert fleet_to_json(settled(fleet, replace(release, phase=Phase.ROLLED_BACK)))["of_tomorrow"] == 1
    for name in ("stable", "running", "last_release", "fence", "addresses"):
        less = {key: value for key, value in stored.items() if key != name}
        with pytest.raises(StoredError, match=rf"^fleet\.{name} is missing"):
            fleet_from_json(less, release) if name != "running" else running_release(less)
