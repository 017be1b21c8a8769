import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from huidu.core.evidence import EDGES_MS, GROUPS, Row, Sums, Text, VersionSums, edge_index, golden_row, group_of
from huidu.core.looks import Look
from huidu.core.plan import Guard, Measure, Rules
from huidu.core.verdict import (
    STATE_OF,
    Code,
    State,
    Verdict,
    carried,
    cause,
    certified,
    crashes,
    judge,
    judge_bake,
    judge_golden,
)

BENCH = Path(__file__).parents[3] / "tests" / "bench" / "verdicts.py"
RULES = Rules()
LOOSE = Rules(
    (
        Guard("errors", Measure.DIFFERENCE, 0.0, 0.05),
        Guard("crashes", Measure.COUNT, 0.0, None),
        Guard("latency", Measure.RATIO, 1.5, 2.0, quantile=0.95),
        Guard("cer", Measure.DIFFERENCE, 0.03, 0.05),
        Guard("numerals", Measure.DIFFERENCE, 0.0, 0.10),
    )
)
NOW = Look(2, 1)
NUMBER = "请拨打一零零八六"


def units(count: int, start: int = 0) -> list[str]:
    return [f"{unit:016x}" for unit in range(start, start + count)]


def arm(
    users: int, requests: int = 10, failing: int = 0, ms: float = 30.0, texts: tuple[Text, ...] = ()
) -> VersionSums:
    """So many users with so many requests each, of which the first `failing` users had one bad request."""
    names = units(users)
    group_requests, group_bad = np.zeros(GROUPS, dtype=np.int64), np.zeros(GROUPS, dtype=np.int64)
    histograms = np.zeros((GROUPS, len(EDGES_MS)), dtype=np.int64)
    for place, name in enumerate(names):
        bad, group = place < failing, group_of(name)
        group_requests[group] += requests
        group_bad[group] += bad
        histograms[group, edge_index(ms * (1 + place % 7 / 10))] += requests - bad
        histograms[group, -1] += bad
    return VersionSums(
        users * requests,
        failing,
        0,
        frozenset(names),
        frozenset(names[:failing]),
        group_requests,
        group_bad,
        histograms,
        texts,
    )


def texts(count: int, wrong: int, errors: int = 0) -> tuple[Text, ...]:
    """One text of 20 characters and one number for each of so many users."""
    return tuple(
        Text(float(place), f"v:{place}", unit, group_of(unit), 20, errors * (place % 3 == 0), 1, int(place < wrong))
        for place, unit in enumerate(units(count))
    )


def judged(candidate: VersionSums, stable: VersionSums, rules: Rules = LOOSE, look: Look = NOW) -> dict[str, Verdict]:
    return judge(rules, Sums({"v1": stable, "v2": candidate}), "v2", "v1", look)


def codes(verdicts: dict[str, Verdict]) -> dict[str, str]:
    return {name: verdict.code.value for name, verdict in verdicts.items()}


# ------------------------------------------------------------------ values


@pytest.mark.parametrize("code", Code)
def test_every_code_stands_for_a_state(code: Code) -> None:
    verdict = Verdict("errors", code)
    assert verdict.state is STATE_OF[code]
    assert [verdict.failed, verdict.passed, verdict.state is State.UNDECIDED].count(True) == 1


def test_a_verdict_survives_json() -> None:
    for verdict in judged(arm(40, failing=3), arm(400)).values():
        assert Verdict.from_json(json.loads(json.dumps(verdict.as_json(), allow_nan=False))) == verdict


def test_a_failure_is_final_and_a_pass_stays_unless_it_fails() -> None:
    failed, passed = Verdict("cer", Code.PROVEN_WORSE), Verdict("cer", Code.PROVEN_WITHIN)
    unsure, newer = Verdict("cer", Code.NOT_YET, {"estimate": 1.0}), Verdict("cer", Code.NOT_YET, {"estimate": 2.0})
    for now in (failed, passed, unsure):
        assert carried({"cer": failed}, {"cer": now})["cer"].failed
    assert carried({"cer": passed}, {"cer": unsure})["cer"] is passed
    assert carried({"cer": passed}, {"cer": failed})["cer"] is failed
    assert carried({"cer": unsure}, {"cer": newer})["cer"] is newer
    assert carried({"cer": passed}, {"errors": unsure}) == {"cer": passed, "errors": unsure}


def test_certified_needs_every_guard_that_has_an_at_most() -> None:
    passed = {name: Verdict(name, Code.PROVEN_WITHIN) for name in ("errors", "latency", "cer", "numerals")}
    assert certified(RULES, passed)
    assert not certified(RULES, passed | {"cer": Verdict("cer", Code.NOT_YET)})
    assert not certified(RULES, {})


def test_the_cause_is_what_explains_the_rest() -> None:
    failed = {name: Verdict(name, Code.PROVEN_WORSE) for name in ("cer", "mine", "numerals", "latency")}
    found = cause(failed)
    assert found is not None
    assert found.guard == "numerals"
    crashed = cause({**failed, "crashes": Verdict("crashes", Code.CRASHED)})
    assert crashed is not None
    assert crashed.guard == "crashes"
    assert cause({"mine": failed["mine"], "cer": Verdict("cer", Code.NOT_YET)}) is failed["mine"]
    assert cause({}) is None


# ------------------------------------------------------------------ shares


def test_no_evidence_proves_nothing() -> None:
    nothing = judged(VersionSums(), VersionSums())
    assert {verdict.state for verdict in nothing.values()} == {State.UNDECIDED}
    assert codes(nothing) == {
        "errors": "no_evidence",
        "latency": "no_evidence",
        "cer": "no_evidence",
        "numerals": "no_evidence",
        "crashes": "no_crash",
    }
    assert {verdict.state for verdict in judged(VersionSums(), arm(400)).values()} == {State.UNDECIDED}


def test_a_guard_nobody_measures_is_said_to_be_so() -> None:
    rules = Rules((Guard("rtf", Measure.RATIO, 1.0, 1.2),))
    assert codes(judged(arm(40), arm(400), rules)) == {"rtf": "not_measured"}


def test_a_clean_candidate_is_certified_by_enough_users_only() -> None:
    enough = judged(arm(210, texts=texts(210, 2, errors=1)), arm(210, texts=texts(210, 3, errors=1)))
    assert certified(LOOSE, enough)
    few = judged(arm(30, texts=texts(30, 0)), arm(390, texts=texts(390, 5)))
    assert few["errors"].code is few["numerals"].code is Code.NOT_YET


def test_a_look_before_its_time_certifies_nothing() -> None:
    early = judged(arm(210, texts=texts(210, 2)), arm(210, texts=texts(210, 3)), look=Look(2, 0))
    assert not any(verdict.passed for verdict in early.values())


@pytest.mark.parametrize(
    ("guard", "candidate", "stable"),
    [
        ("errors", arm(20, failing=6), arm(400)),
        ("latency", arm(100, ms=120.0), arm(300)),
        ("cer", arm(100, texts=texts(100, 0, errors=9)), arm(100, texts=texts(100, 0, errors=1))),
        ("numerals", arm(20, texts=texts(20, 14)), arm(200, texts=texts(200, 8))),
    ],
)
def test_each_guard_finds_what_is_worse(guard: str, candidate: VersionSums, stable: VersionSums) -> None:
    verdicts = judged(candidate, stable)
    assert [name for name, verdict in verdicts.items() if verdict.failed] == [guard]
    assert verdicts[guard].numbers["lower"] > 0
    better = judged(stable, candidate)
    assert not any(verdict.failed for verdict in better.values())


def test_an_outage_is_found_even_with_a_tolerance() -> None:
    tolerant = Rules((Guard("errors", Measure.DIFFERENCE, 0.01, 0.02),))
    assert judged(arm(20, requests=1, failing=20), arm(400), tolerant)["errors"].failed


def test_a_tolerance_counts_requests_and_not_users() -> None:
    """Half of the users met one bad request of a hundred: 0.5 % of requests, under a tolerance of 1 %."""
    tolerant = Rules((Guard("errors", Measure.DIFFERENCE, 0.01, 0.02),))
    assert not judged(arm(200, requests=100, failing=100), arm(400, requests=100), tolerant)["errors"].failed


def test_one_user_who_fails_often_is_one_user() -> None:
    names = units(20)
    bad = np.zeros(GROUPS, dtype=np.int64)
    bad[group_of(names[0])] = 10
    one = arm(20)
    suffering = VersionSums(200, 10, 0, one.units, frozenset(names[:1]), one.group_requests, bad, one.group_ms)
    assert not judged(suffering, arm(400))["errors"].failed


def test_what_a_small_candidate_sample_missed_does_not_certify_it() -> None:
    """Ten clean texts say little when every third of the stable version's has errors."""
    verdict = judged(arm(10, texts=texts(10, 0)), arm(100, texts=texts(100, 0, errors=3)))["cer"]
    assert verdict.numbers["candidate_rate"] == 0.0
    assert not verdict.failed
    noisy = tuple(
        Text(float(place), f"v:{place}", unit, group_of(unit), 20, 20 * (place % 30 == 0), 0, 0)
        for place, unit in enumerate(units(300))
    )
    assert not judged(arm(4, texts=texts(4, 0)), arm(300, texts=noisy))["cer"].passed


def test_one_user_on_a_side_is_too_few() -> None:
    verdicts = judged(arm(1, texts=texts(1, 0)), arm(100, texts=texts(100, 0)))
    assert verdicts["latency"].code is verdicts["cer"].code is Code.TOO_FEW_USERS


def test_undecided_verdicts_tell_what_is_known() -> None:
    numbers = judged(arm(30, failing=1), arm(390, failing=13))["errors"].numbers
    assert numbers["candidate_requests"] == 300
    assert numbers["stable_units"] == 390
    assert numbers["estimate"] == pytest.approx(1 / 300 - 13 / 3900)
    assert numbers["lower"] < numbers["estimate"] < numbers["upper"]
    assert (numbers["fail_above"], numbers["at_most"]) == (0.0, 0.05)


def test_the_order_of_texts_does_not_matter() -> None:
    some, other = texts(40, 9, errors=2), texts(200, 5, errors=1)
    assert judged(arm(40, texts=some), arm(200, texts=other)) == judged(
        arm(40, texts=some[::-1]), arm(200, texts=other[::-1])
    )


@settings(deadline=None)
@given(st.integers(0, 30), st.integers(0, 60), st.integers(1, 60))
def test_no_guard_both_fails_one_way_and_the_other(failing: int, others: int, look: int) -> None:
    ours, theirs = arm(30, failing=failing), arm(60, failing=others)
    there, back = judged(ours, theirs, look=Look(look)), judged(theirs, ours, look=Look(look))
    assert not (there["errors"].failed and back["errors"].failed)


@settings(deadline=None)
@given(st.integers(0, 5), st.integers(0, 5))
def test_crashes_are_a_rule(ours: int, theirs: int) -> None:
    guard = Guard("crashes", Measure.COUNT, 1.0, None)
    sums = Sums({"v1": VersionSums(crashes=theirs), "v2": VersionSums(crashes=ours)})
    assert crashes(guard, sums, "v2", "v1").failed == (ours > theirs + 1)
    assert judge(Rules((guard,)), sums, "v2", "v1", NOW)["crashes"] == crashes(guard, sums, "v2", "v1")


# ------------------------------------------------------------------ the bake


def test_the_bake_judges_errors_and_crashes_only() -> None:
    baked = judge_bake(LOOSE, Sums({"v2": arm(400, failing=200)}), Sums({"v1": arm(200)}), "v2", "v1", NOW)
    assert codes(baked) == {
        "errors": "proven_worse",
        "latency": "not_measured",
        "cer": "not_measured",
        "numerals": "not_measured",
        "crashes": "no_crash",
    }


def test_a_longer_bake_alone_fails_nobody() -> None:
    """At the same rate of bad requests, more users meet one when they are watched for longer."""
    bake, share = arm(400, requests=100, failing=160), arm(200, requests=10, failing=8)
    assert not judge_bake(LOOSE, Sums({"v2": bake}), Sums({"v1": share}), "v2", "v1", NOW)["errors"].failed


# ------------------------------------------------------------------ the golden set


def golden(count: int, speakers: int, stable_text: str, candidate_text: str, wrong: int) -> list[Row]:
    """So many utterances of which the first `wrong` came out as `candidate_text`."""
    return [
        golden_row(
            str(place), f"s{place % speakers}", NUMBER, stable_text, candidate_text if place < wrong else NUMBER, 1.0
        )
        for place in range(count)
    ]


def test_a_candidate_that_breaks_numbers_fails_the_golden_set() -> None:
    for speakers in (2, 10):
        verdicts = judge_golden(LOOSE, golden(100, speakers, NUMBER, "请拨打一千零八十六", 40), Look(1, 1))
        assert verdicts["numerals"].failed
        assert verdicts["numerals"].numbers["worse"] == 40
        assert codes(verdicts)["errors"] == "not_measured"


def test_a_set_on_which_both_agree_certifies_by_its_size() -> None:
    assert judge_golden(LOOSE, golden(200, 10, NUMBER, NUMBER, 0), Look(1, 1))["numerals"].passed
    small = judge_golden(LOOSE, golden(20, 10, NUMBER, NUMBER, 0), Look(1, 1))["numerals"]
    assert small.code is Code.NOT_YET
    assert small.numbers["upper"] > 0.1


def test_an_empty_golden_set_proves_nothing() -> None:
    verdicts = judge_golden(LOOSE, [], Look(1, 1))
    assert codes(verdicts)["cer"] == "no_evidence"
    assert not certified(LOOSE, verdicts)


def test_a_candidate_that_hears_nothing_fails_the_golden_set() -> None:
    silent = [golden_row(str(place), "one", NUMBER, NUMBER, "", 1.0) for place in range(50)]
    assert cause(judge_golden(RULES, silent, Look(1, 1))) is not None


def test_text_made_up_on_silence_fails_the_golden_set() -> None:
    rows = golden(60, 12, NUMBER, NUMBER, 0)
    rows += [golden_row(f"silence {place}", f"s{place % 12}", "", "", "谢谢观看谢谢观看", 1.0) for place in range(24)]
    assert judge_golden(LOOSE, rows, Look(1, 1))["cer"].failed


def test_the_order_of_golden_rows_does_not_matter() -> None:
    rows = golden(60, 7, NUMBER, "请拨打一千零八十六", 11)
    assert judge_golden(LOOSE, rows, Look(1, 1)) == judge_golden(LOOSE, rows[::-1], Look(1, 1))


# ------------------------------------------------------------------ simulations


@pytest.fixture(scope="module")
def bench() -> dict[str, Any]:
    return runpy.run_path(str(BENCH))


def at_most_so_often(happened: int, runs: int, chance: float) -> bool:
    return happened <= int(stats.binom.ppf(0.999, runs, chance))


def test_an_equal_candidate_is_seldom_rolled_back(bench: dict[str, Any]) -> None:
    """Four hundred releases with sticky users who meet errors at very different rates of their own."""
    shares = ((500, 1.0), (2000, 1.0), (5000, 1.0))
    world = bench["World"](
        shares=shares,
        per_second=600.0,
        reviews_per_second=180.0,
        users_error=(0.2, 10.0),
        extra_looks=0,
        bake_seconds=1.0,
    )
    told = [bench["simulate"](world, LOOSE, bench["VERSIONS"]["equal"], seed) for seed in range(400)]
    assert at_most_so_often(sum(one.rolled_back is not None for one in told), 400, LOOSE.alpha)


def test_a_candidate_worse_than_at_most_is_seldom_certified(bench: dict[str, Any]) -> None:
    """Numbers are 11 points worse where 10 may be; a tolerance as high keeps it from being rolled back first."""
    worse = bench["Quality"](0.15, 0.15, 0.02, 0.85)
    others = tuple(guard for guard in LOOSE.guards if guard.name != "numerals")
    rules = Rules((*others, Guard("numerals", Measure.DIFFERENCE, 0.0999, 0.10)))
    world = bench["World"](
        shares=((5000, 1.0),), per_second=600.0, reviews_per_second=240.0, extra_looks=4, bake_seconds=1.0
    )
    told = [bench["simulate"](world, rules, worse, seed) for seed in range(200)]
    assert at_most_so_often(sum(one.certified_look is not None for one in told), 200, rules.beta)
