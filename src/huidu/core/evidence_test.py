import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huidu.core.audience import Rule
from huidu.core.evidence import (
    ARRIVING_SECONDS,
    EDGES_MS,
    GROUPS,
    Kind,
    Observation,
    Row,
    Sums,
    blocks,
    crash_row,
    edge_index,
    fold,
    golden_row,
    group_of,
    text_row,
)

LIMIT_MS = 10_000.0
UNIT = "00000000000000ff"


def observation(**changes: Any) -> Observation:
    plain: dict[str, Any] = {
        "time": 100.25,
        "request_id": "r1",
        "release": 7,
        "version": "v2",
        "served_by": "v2",
        "generation": 1,
        "rule": Rule.SHARE,
        "unit": UNIT,
        "share_bp": 500,
        "attempts": 1,
        "status": 200,
        "ms": 31.0,
        "audio_seconds": 2.5,
    }
    return Observation(**(plain | changes))


def rows_of(*observations: Observation, part: str = "") -> list[Row]:
    return blocks(observations, {}, 7, LIMIT_MS, part)


observations = st.builds(
    observation,
    time=st.floats(100, 104),
    request_id=st.uuids().map(str),
    release=st.sampled_from([7, 7, 7, 6, None]),
    version=st.sampled_from(["v1", "v2"]),
    rule=st.sampled_from([Rule.SHARE, Rule.REST, Rule.INCLUDED]),
    unit=st.integers(0, 30).map(lambda unit: f"{unit:016x}"),
    share_bp=st.sampled_from([500, 500, 200]),
    attempts=st.sampled_from([1, 1, 2]),
    status=st.sampled_from([200, 200, 503, 499, 0, 400]),
    ms=st.floats(0, 20_000),
)


@pytest.mark.parametrize(
    ("changes", "bad"),
    [
        ({}, False),
        ({"status": 400}, False),
        ({"status": 503}, True),
        ({"attempts": 2}, True),
        ({"served_by": "v1"}, True),
        ({"served_by": None}, False),
        ({"status": 0, "ms": 500.0}, False),
        ({"status": 499, "ms": 500.0}, False),
        ({"status": 499, "ms": 10_001.0}, True),
        ({"status": 0, "attempts": 2}, True),
    ],
)
def test_what_counts_as_bad(changes: dict[str, Any], bad: bool) -> None:
    assert observation(**changes).bad(LIMIT_MS) is bad


def test_a_second_is_counted_by_version_group_and_cell() -> None:
    (row,) = rows_of(observation(), observation(version="v1", served_by="v1", rule=Rule.REST, request_id="r2"))
    assert (row.stage, row.kind, row.key, row.time) == ("share:500", Kind.SECOND, "100:share:500", 100.0)
    assert row.payload["v2"] == {
        "requests": 1,
        "bad": 0,
        "audio_ms": 2500,
        "new_units": [UNIT],
        "statuses": {"2xx": 1},
        "rules": {"share": 1},
        "groups": {str(group_of(UNIT)): {"requests": 1, "bad": 0, "ms": {str(edge_index(31.0)): 1}}},
    }
    assert json.loads(json.dumps(row.payload)) == row.payload


def test_requests_of_this_release_are_counted_and_drawn_ones_compared() -> None:
    assert rows_of(observation(release=6), observation(release=None)) == []
    (row,) = rows_of(observation(rule=Rule.INCLUDED), observation(release=6))
    assert row.payload["v2"]["requests"] == 0
    assert row.payload["v2"]["rules"] == {"included": 1}
    assert fold([row]).of("v2").units == frozenset()


def test_what_failed_is_slower_than_anything_and_has_a_row_of_its_own() -> None:
    bad, second = rows_of(observation(served_by="v1", attempts=2, ms=40.0))
    assert (bad.kind, bad.key) == (Kind.BAD, "r1")
    wanted = {"version": "v2", "unit": UNIT, "request_id": "r1", "status": 200, "attempts": 2, "ms": 40.0}
    assert bad.payload == wanted
    sums = fold([bad, second]).of("v2")
    assert sums.group_ms[group_of(UNIT), len(EDGES_MS) - 1] == 1
    assert sums.bad_units == {UNIT}


def test_a_request_belongs_to_the_stage_that_it_began_in() -> None:
    late, now = rows_of(observation(share_bp=200, request_id="late"), observation(), part="88")
    assert [row.stage for row in (late, now)] == ["share:200", "share:500"]
    assert [row.key for row in (late, now)] == ["100:88:share:200", "100:88:share:500"]
    (chosen,) = rows_of(observation(rule=Rule.INCLUDED, share_bp=10_000))
    assert chosen.stage == "bake"


def test_a_unit_is_new_once_in_a_stage() -> None:
    first, second = rows_of(observation(), observation(time=101.0), observation(time=101.5))
    assert (first.payload["v2"]["new_units"], second.payload["v2"]["new_units"]) == ([UNIT], [])
    known = {"share:500": fold([first])}
    (again,) = blocks([observation()], known, 7, LIMIT_MS)
    assert again.payload["v2"]["new_units"] == []
    (elsewhere,) = blocks([observation(share_bp=200)], known, 7, LIMIT_MS)
    assert elsewhere.payload["v2"]["new_units"] == [UNIT]


def test_units_that_came_last_are_not_settled() -> None:
    units = [observation(time=100.0 + index, unit=f"{index:016x}") for index in range(90)]
    sums = fold(rows_of(*units[:50]))
    for cut in range(50, 90, 7):
        sums = sums + fold(blocks(units[cut : cut + 7], {"share:500": sums}, 7, LIMIT_MS, str(cut)))
    assert sums == fold(rows_of(*units))
    assert len(sums.arriving) == ARRIVING_SECONDS
    assert [sums.settled_units("v2", seconds) for seconds in (0, 1, 30, ARRIVING_SECONDS)] == [90, 89, 60, 30]
    assert sums.settled_units("v1", 30) == 0


def test_parts_of_one_second_have_keys_of_their_own() -> None:
    assert rows_of(observation(), part="1")[0].key != rows_of(observation(), part="2")[0].key


def test_a_text_counts_characters_and_numbers() -> None:
    row = text_row("share:500", "v2", UNIT, "abc", "拨打一零零八六", "拨打一千零八十六", 5.0)
    assert row.key == "v2:abc"
    assert row.payload["numbers"] == row.payload["numbers_wrong"] == 1
    # Normalised: 拨打10086 and 拨打1086.
    assert (row.payload["characters"], row.payload["errors"]) == (7, 1)
    (text,) = fold([row], "share:500").of("v2").texts
    assert (text.unit, text.group, text.errors, text.numbers_wrong) == (UNIT, group_of(UNIT), 1, 1)


def test_a_golden_row_holds_both_versions() -> None:
    row = golden_row("u1", "anna", "三点到五点", "三点到五点", "三点到六点", 5.0)
    assert row.payload == {
        "utterance": "u1",
        "speaker": "anna",
        "characters": 5,
        "numbers": 2,
        "stable": {"errors": 0, "numbers_wrong": 0},
        "candidate": {"errors": 1, "numbers_wrong": 1},
    }


def test_folding_keeps_to_its_stage() -> None:
    rows = [crash_row("share:500", "v2", "11:0", 1.0), crash_row("bake", "v2", "12:0", 2.0)]
    assert fold(rows, "bake").of("v2").crashes == 1
    assert fold(rows).of("v2").crashes == 2
    assert fold(rows).of("v9").requests == 0


def all_rows(seen: list[Observation]) -> list[Row]:
    texts = [text_row("share:500", o.version, o.unit, o.request_id, "一二", "一", o.time) for o in seen[::3]]
    return blocks(seen, {}, 7, LIMIT_MS) + texts


@settings(deadline=None)
@given(st.lists(observations, max_size=25), st.integers(0, 60), st.randoms(use_true_random=False))
def test_sums_of_parts_are_the_sums_of_the_whole_in_any_order(seen: list[Observation], at: int, random: Any) -> None:
    rows = all_rows(seen)
    whole = fold(rows)
    random.shuffle(rows)
    assert fold(rows[:at]) + fold(rows[at:]) == whole
    assert fold(rows[at:]) + fold(rows[:at]) == whole
    assert whole + Sums() == whole


@settings(deadline=None)
@given(st.lists(observations, max_size=25), st.integers(0, 25))
def test_cutting_the_log_anywhere_changes_nothing(seen: list[Observation], at: int) -> None:
    parts = blocks(seen[:at], {}, 7, LIMIT_MS, "1")
    known = {row.stage: fold(parts, row.stage) for row in parts}
    parts += blocks(seen[at:], known, 7, LIMIT_MS, "2")
    assert fold(parts) == fold(rows_of(*seen))
    assert len({(row.kind, row.key) for row in parts}) == len(parts)


@settings(deadline=None)
@given(st.lists(observations, max_size=25))
def test_the_sums_agree_with_counting_by_hand(seen: list[Observation]) -> None:
    sums = fold(rows_of(*seen), "share:500").of("v2")
    compared = [o for o in seen if o.version == "v2" and o.release == 7 and o.share_bp == 500]
    compared = [o for o in compared if o.rule is not Rule.INCLUDED]
    assert sums.requests == len(compared) == sums.group_ms.sum() == sums.group_requests.sum()
    assert sums.bad == sum(o.bad(LIMIT_MS) for o in compared) == sums.group_bad.sum()
    assert sums.units == {o.unit for o in compared}
    assert sums.bad_units == {o.unit for o in compared if o.bad(LIMIT_MS)}
    assert sums.group_ms.shape == (GROUPS, len(EDGES_MS))


def test_sums_differ_when_any_count_does() -> None:
    one, other = fold(rows_of(observation())), fold(rows_of(observation(ms=50.0)))
    assert one != other
    assert one.of("v2") != "something else"
    assert np.array_equal(one.of("v2").group_requests, other.of("v2").group_requests)
