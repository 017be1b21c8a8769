import json
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huidu.core import evidence
from huidu.core.audience import Rule
from huidu.core.evidence import (
    ARRIVING_SECONDS,
    EDGES_MS,
    GROUPS,
    Kind,
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
from huidu.core.observation import OLD_BAND, SOCKET_BAND, Failure, Sample
from huidu.core.units import keyed

UNIT, PEER = "00000000000000ff", "00000000000000aa"


def sample(**changes: Any) -> Sample:
    plain: dict[str, Any] = {
        "time": 100.25,
        "request_id": "r1",
        "release": 7,
        "stage": "share:500",
        "version": "v2",
        "rule": Rule.SHARE,
        "unit": UNIT,
        "peer": PEER,
        "status_class": "2xx",
        "status": 200,
        "attempts": 1,
        "ms": 31.0,
        "audio_ms": 2500,
        "answered": True,
        "latency_ms": 31.0,
        "bands": ("b0", "s0"),
    }
    return Sample(**(plain | changes))


def bad(**changes: Any) -> Sample:
    return sample(**({"failure": Failure.BAD, "reason": "5xx", "latency_ms": None, "answered": False} | changes))


def rows_of(*seen: Sample, part: str = "") -> list[Row]:
    return blocks(seen, {}, 7, part)


plain_samples = st.builds(
    sample,
    time=st.floats(100, 104),
    request_id=st.uuids().map(str),
    release=st.sampled_from([7, 7, 7, 6, None]),
    stage=st.sampled_from(["share:500", "share:500", "share:2000"]),
    version=st.sampled_from(["v1", "v2"]),
    rule=st.sampled_from([Rule.SHARE, Rule.REST, Rule.INCLUDED]),
    unit=st.integers(0, 30).map(lambda unit: f"{unit:016x}"),
    peer=st.sampled_from([None, "a", "b", "c"]),
    failure=st.sampled_from([None, None, *Failure]),
    answered=st.booleans(),
    latency_ms=st.none() | st.floats(0, 20_000_000),
    bands=st.sampled_from([(), ("b0",), ("b0", "s0"), ("b3", "s2"), (SOCKET_BAND,)]),
    key_id=st.sampled_from([None, "h1-aaaaaa", "h1-bbbbbb"]),
)
# A socket that turned bad after it was counted.
mending = plain_samples.map(lambda seen: replace(seen, counts=False, failure=Failure.BAD, latency_ms=None))
samples = plain_samples | mending


def test_a_second_is_counted_by_version_group_band_and_cell() -> None:
    (row,) = rows_of(sample(), sample(version="v1", rule=Rule.REST, request_id="r2"))
    assert (row.stage, row.kind, row.key, row.time) == ("share:500", Kind.SECOND, "100:share:500", 100.0)
    cells = {str(edge_index(31.0)): 1}
    assert row.payload["v2"] == {
        "requests": 1,
        "bad": 0,
        "answered": 1,
        "sockets": 0,
        "audio_ms": 2500,
        "new_units": [UNIT],
        "statuses": {"2xx": 1},
        "rules": {"share": 1},
        "peers": {PEER: 1},
        "marks": [],
        "groups": {str(group_of(UNIT)): {"requests": 1, "bands": {"b0": cells, "s0": cells}}},
    }
    assert json.loads(json.dumps(row.payload)) == row.payload


def test_requests_of_this_release_are_counted_and_drawn_ones_compared() -> None:
    assert rows_of(sample(release=6), sample(release=None)) == []
    (row,) = rows_of(sample(rule=Rule.INCLUDED), sample(release=6))
    assert row.payload["v2"]["requests"] == 0
    assert row.payload["v2"]["rules"] == {"included": 1}
    assert fold([row]).of("v2").units == frozenset()


def test_a_failed_recognition_of_nobody_drawn_is_no_evidence() -> None:
    (row,) = rows_of(bad(rule=Rule.INCLUDED))
    assert fold([row]).of("v2").failures == {}


def test_what_failed_has_no_latency_and_a_row_of_its_own() -> None:
    failed, second = rows_of(bad(ms=40.0, status=503, attempts=2))
    assert (failed.kind, failed.key) == (Kind.BAD, "r1")
    assert failed.payload == {
        "version": "v2",
        "unit": UNIT,
        "peer": PEER,
        "request_id": "r1",
        "status": 503,
        "attempts": 2,
        "ms": 40.0,
        "reason": "5xx",
    }
    sums = fold([failed, second]).of("v2")
    assert sums.failures == {Failure.BAD: {(PEER, UNIT): 1}}
    assert (sums.requests, sums.latency) == (1, {})


@pytest.mark.parametrize("failure", [Failure.REJECTED, Failure.EMPTY])
def test_what_was_refused_or_empty_is_marked_by_peer_and_user(failure: Failure) -> None:
    seen = [sample(failure=failure, request_id=f"r{n}") for n in range(3)]
    (row,) = rows_of(*seen, sample(failure=failure, peer=None, request_id="r4"))
    assert row.payload["v2"]["marks"] == [[failure.value, "", UNIT, 1], [failure.value, PEER, UNIT, 3]]
    sums = fold([row]).of("v2")
    assert sums.failures == {failure: {(PEER, UNIT): 3, ("", UNIT): 1}}
    # Who gave no address is no peer.
    assert sums.peers == {PEER: 3}


def test_sockets_and_answers_are_counted_as_such() -> None:
    seen = (sample(bands=(SOCKET_BAND,), answered=False), sample(request_id="r2"), sample(request_id="r3"))
    sums = fold(rows_of(*seen)).of("v2")
    assert (sums.requests, sums.sockets, sums.answered) == (3, 1, 2)
    assert set(sums.latency) == {SOCKET_BAND, "b0", "s0"}


def test_a_socket_that_turns_bad_later_fails_once_and_is_not_counted_again() -> None:
    counted = sample(bands=(SOCKET_BAND,), answered=False)
    turned = bad(counts=False, reason="mute", bands=(SOCKET_BAND,))
    for seen in ((counted, turned), (counted, turned, turned, replace(turned, time=110.0, reason="close_1011"))):
        sums = fold(rows_of(*seen)).of("v2")
        assert (sums.requests, sums.sockets, sums.bad) == (1, 1, 1)
        assert sums.failures == {Failure.BAD: {(PEER, UNIT): 1}}
        assert int(sums.latency[SOCKET_BAND].sum()) == 1


def test_a_socket_that_was_bad_when_it_was_counted_fails_once() -> None:
    mute = bad(reason="mute", bands=(SOCKET_BAND,))
    rows = rows_of(mute, replace(mute, counts=False, time=120.0), replace(mute, counts=False, time=130.0))
    assert [row.key for row in rows if row.kind is Kind.BAD] == ["r1"]
    assert fold(rows).of("v2").failures == {Failure.BAD: {(PEER, UNIT): 1}}


def test_a_request_belongs_to_the_stage_that_it_began_in() -> None:
    late, now = rows_of(sample(stage="share:200", request_id="late"), sample(), part="@88.3")
    assert [row.stage for row in (late, now)] == ["share:200", "share:500"]
    assert [row.key for row in (late, now)] == ["100:@88.3:share:200", "100:@88.3:share:500"]
    (chosen,) = rows_of(sample(rule=Rule.INCLUDED, stage="bake"))
    assert chosen.stage == "bake"


def test_a_unit_is_new_once_in_a_stage() -> None:
    first, second = rows_of(sample(), sample(time=101.0), sample(time=101.5))
    assert (first.payload["v2"]["new_units"], second.payload["v2"]["new_units"]) == ([UNIT], [])
    known = {"share:500": fold([first])}
    (again,) = blocks([sample()], known, 7)
    assert again.payload["v2"]["new_units"] == []
    (elsewhere,) = blocks([sample(stage="share:200")], known, 7)
    assert elsewhere.payload["v2"]["new_units"] == [UNIT]


def test_who_comes_before_and_after_an_upgrade_is_one_user_of_a_stage() -> None:
    before = [sample(unit=f"{number:016x}", request_id=f"a{number}") for number in range(20)]
    after = [replace(each, request_id=f"b{each.request_id}", key_id="h1-3f2a9c") for each in before[:12]]
    sums = fold(rows_of(*before, *after), "share:500").of("v2")
    assert (sums.requests, len(sums.units), sums.users) == (32, 32, 20)
    # Their rows hold what they held; beside it stands which key it was.
    assert [row.payload["v2"].get("key_id") for row in rows_of(*before, *after)] == [None, "h1-3f2a9c"]
    assert [row.key for row in rows_of(*before)] == ["100:share:500"]
    assert rows_of(bad(key_id="h1-3f2a9c"))[0].payload["unit"] == UNIT


def test_units_that_came_last_are_not_settled() -> None:
    units = [sample(time=100.0 + index, unit=f"{index:016x}") for index in range(90)]
    sums = fold(rows_of(*units[:50]))
    for cut in range(50, 90, 7):
        sums = sums + fold(blocks(units[cut : cut + 7], {"share:500": sums}, 7, str(cut)))
    assert sums == fold(rows_of(*units))
    assert len(sums.arriving) == ARRIVING_SECONDS
    assert [sums.settled_units("v2", seconds) for seconds in (0, 1, 30, ARRIVING_SECONDS)] == [90, 89, 60, 30]
    assert sums.settled_units("v1", 30) == 0


def test_parts_of_one_second_have_keys_of_their_own() -> None:
    assert rows_of(sample(), part="1")[0].key != rows_of(sample(), part="2")[0].key


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


@pytest.mark.parametrize(
    ("latency_ms", "lower"), [(0.0, 1.0), (1.0, 1.0), (7_200_000.0, 7_100_000.0), (1e12, 7_200_000.0)]
)
def test_every_latency_has_a_cell_up_to_two_hours_and_beyond(latency_ms: float, lower: float) -> None:
    index = edge_index(latency_ms)
    assert EDGES_MS[index] <= max(1.0, latency_ms)
    assert EDGES_MS[min(index + 1, len(EDGES_MS) - 1)] >= lower


# ------------------------------------------------------------------ laws


def all_rows(seen: list[Sample]) -> list[Row]:
    texts = [text_row("share:500", o.version, o.unit, o.request_id, "一二", "一", o.time) for o in seen[::3]]
    return blocks(seen, {}, 7) + texts


@settings(deadline=None)
@given(st.lists(samples, max_size=25), st.integers(0, 60), st.randoms(use_true_random=False))
def test_sums_of_parts_are_the_sums_of_the_whole_in_any_order(seen: list[Sample], at: int, random: Any) -> None:
    rows = all_rows(seen)
    whole = fold(rows)
    random.shuffle(rows)
    assert fold(rows[:at]) + fold(rows[at:]) == whole
    assert fold(rows[at:]) + fold(rows[:at]) == whole
    assert whole + Sums() == whole
    assert Sums() + whole == whole


@settings(deadline=None)
@given(st.lists(samples, max_size=25), st.integers(0, 25))
def test_cutting_the_log_anywhere_changes_nothing(seen: list[Sample], at: int) -> None:
    parts = blocks(seen[:at], {}, 7, "1")
    known = {row.stage: fold(parts, row.stage) for row in parts}
    parts += blocks(seen[at:], known, 7, "2")
    assert fold(parts) == fold(rows_of(*seen))
    assert len({(row.kind, row.key) for row in parts}) == len(parts)


@settings(deadline=None)
@given(st.lists(samples, max_size=25), st.text("0123456789.@", max_size=8))
def test_rows_are_the_same_whoever_reads(seen: list[Sample], part: str) -> None:
    """Another control that reads from the same place makes the same rows, under the same keys."""
    one, other = blocks(iter(seen), {}, 7, part), blocks(tuple(seen), {}, 7, part)
    assert one == other
    assert [json.dumps(row.payload) for row in one] == [json.dumps(row.payload) for row in other]


@settings(deadline=None)
@given(st.lists(samples, max_size=25))
def test_rows_that_went_through_the_store_fold_alike(seen: list[Sample]) -> None:
    rows = all_rows(seen)
    stored = [replace(row, payload=json.loads(json.dumps(row.payload))) for row in rows]
    assert fold(stored) == fold(rows)


@settings(deadline=None)
@given(st.lists(samples, max_size=25))
def test_the_sums_agree_with_counting_by_hand(seen: list[Sample]) -> None:
    sums = fold(rows_of(*seen), "share:500").of("v2")
    compared = [o for o in seen if o.version == "v2" and o.release == 7 and o.stage == "share:500"]
    compared = [o for o in compared if o.rule is not Rule.INCLUDED]
    counted = [o for o in compared if o.counts]
    assert sums.requests == len(counted) == sums.group_requests.sum()
    assert sums.sockets == sum(o.bands == (SOCKET_BAND,) for o in counted)
    assert sums.answered == sum(o.answered for o in compared)
    assert sums.peers == Counter(keyed(o.key_id, o.peer) for o in counted if o.peer is not None)
    assert sums.units == {keyed(o.key_id, o.unit) for o in compared}
    by_key = [{o.unit for o in compared if o.key_id == key_id} for key_id in {o.key_id for o in compared}]
    assert sums.users == max(map(len, by_key), default=0)
    for kind in Failure:
        ours = [o for o in compared if o.failure is kind]
        failed = Counter((keyed(o.key_id, o.peer) if o.peer else "", keyed(o.key_id, o.unit)) for o in ours)
        assert sums.failures.get(kind, {}) == failed
    assert sums.bad == sum(sums.failures.get(Failure.BAD, {}).values())
    timed = Counter(band for o in counted if o.latency_ms is not None for band in o.bands)
    assert {band: int(counts.sum()) for band, counts in sums.latency.items()} == timed
    assert all(counts.shape == (GROUPS, len(EDGES_MS)) for counts in sums.latency.values())


def test_sums_differ_when_any_count_does() -> None:
    def sums(**changes: Any) -> Sums:
        return fold(rows_of(sample(**changes)))

    same = sums()
    assert same == sums()
    for changes in (
        {"latency_ms": 50.0},
        {"bands": ("b0",)},
        {"peer": "b"},
        {"peer": None},
        {"answered": False},
        {"failure": Failure.REJECTED},
        {"unit": "0000000000000100"},
        {"audio_ms": 1},
        {"bands": (SOCKET_BAND,)},
    ):
        assert same != sums(**changes), changes
    assert same.of("v2") != "something else"
    assert np.array_equal(same.of("v2").group_requests, sums(latency_ms=50.0).of("v2").group_requests)


def test_peers_that_are_kept_by_name_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "KEPT_PEERS", 10)
    seen = [sample(peer=f"{n % 40:x}", request_id=str(n)) for n in range(200)]
    parts = [blocks(seen[at : at + 5], {}, 7, str(at)) for at in range(0, 200, 5)]
    sums = sum(map(fold, parts), Sums())
    # As a replay adds up, which must find the same peers: a verdict is derived again bit for bit.
    assert fold(row for part in parts for row in part) == sums
    found = sums.of("v2")
    assert len(found.peers) == 10
    # Those that were there first are counted to the end; the others' recognitions count as anybody's.
    assert set(found.peers.values()) == {5}
    assert found.requests == 200


# ------------------------------------------------------------------ rows of an earlier Huidu


def old_second(requests: int = 3, failed: int = 1) -> Row:
    """A row as Huidu wrote it before there were bands and peers; what had failed stood in the last of 274 cells."""
    group = {"requests": requests, "bad": failed, "ms": {"70": requests - failed} | ({"273": failed} if failed else {})}
    payload = {
        "requests": requests,
        "bad": failed,
        "audio_ms": 2500,
        "new_units": [UNIT],
        "statuses": {"2xx": requests - failed, "5xx": failed},
        "rules": {"share": requests},
        "groups": {str(group_of(UNIT)): group},
    }
    return Row("share:500", Kind.SECOND, "100:4711:share:500", 100.0, {"v2": payload})


def old_bad() -> Row:
    payload = {"version": "v2", "unit": UNIT, "request_id": "r9", "status": 503, "attempts": 1, "ms": 12.0}
    return Row("share:500", Kind.BAD, "r9", 100.5, payload)


def test_rows_of_an_earlier_huidu_fold_with_their_latency_in_a_band_of_its_own() -> None:
    sums = fold([old_second(), old_bad()]).of("v2")
    assert (sums.requests, sums.bad, sums.answered, sums.sockets, set(sums.units)) == (3, 1, 0, 0, {UNIT})
    assert sums.failures == {Failure.BAD: {("", UNIT): 1}}
    assert set(sums.latency) == {OLD_BAND}
    # What failed had no time.
    assert int(sums.latency[OLD_BAND].sum()) == int(sums.latency[OLD_BAND][group_of(UNIT), 70]) == 2
    assert sums.peers == {}


def test_rows_of_an_earlier_huidu_add_up_with_new_ones() -> None:
    rows = [old_second(), old_bad(), *rows_of(sample(request_id="new"), part="@1.0")]
    assert fold(rows[:2]) + fold(rows[2:]) == fold(rows)
    sums = fold(rows).of("v2")
    assert (sums.requests, set(sums.latency)) == (4, {OLD_BAND, "b0", "s0"})


def test_a_second_of_an_earlier_huidu_in_which_all_failed_has_no_latency() -> None:
    assert int(fold([old_second(2, 2)]).of("v2").latency[OLD_BAND].sum()) == 0
