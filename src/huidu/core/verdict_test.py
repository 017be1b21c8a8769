import json
import runpy
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from huidu.core import codec
from huidu.core.evidence import (
    EDGES_MS,
    GROUPS,
    Client,
    Row,
    Sums,
    Text,
    VersionSums,
    edge_index,
    golden_row,
    group_of,
)
from huidu.core.looks import Look
from huidu.core.observation import OLD_BAND, SOCKET_BAND, Failure
from huidu.core.plan import DEFAULT_GUARDS, Answer, Guard, Measure, Rules
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
    judge_golden,
)

BENCH = Path(__file__).parents[3] / "tests" / "bench" / "verdicts.py"
BAKE_BENCH = BENCH.with_name("bake.py")
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
    users: int,
    requests: int = 10,
    failing: int = 0,
    ms: float = 30.0,
    texts: tuple[Text, ...] = (),
    kind: Failure = Failure.BAD,
    start: int = 0,
) -> VersionSums:
    """So many users with so many requests each, of which the first `failing` users had one that failed.

    Each is at an address of his own. Every answer tells its length.
    """
    names = units(users, start)
    group_requests = np.zeros(GROUPS, dtype=np.int64)
    histograms = np.zeros((GROUPS, len(EDGES_MS)), dtype=np.int64)
    for place, name in enumerate(names):
        group = group_of(name)
        group_requests[group] += requests
        histograms[group, edge_index(ms * (1 + place % 7 / 10))] += requests - (place < failing)
    return VersionSums(
        requests=users * requests,
        bad=failing if kind is Failure.BAD else 0,
        answered=users * requests,
        units=frozenset(names),
        group_requests=group_requests,
        latency={"s0": histograms},
        peers=dict.fromkeys(names, requests),
        failures={kind: dict.fromkeys(((name, name) for name in names[:failing]), 1)} if failing else {},
        texts=texts,
    )


def at_addresses(sums: VersionSums, *peers: str) -> VersionSums:
    """The same with its users spread over so many addresses."""
    address = {unit: peers[place % len(peers)] for place, unit in enumerate(sorted(sums.units))}
    counted: Counter[str] = Counter()
    for unit, requests in sums.peers.items():
        counted[address[unit]] += requests
    failures: dict[Failure, dict[Client, int]] = {
        kind: {(address[unit], unit): count for (_, unit), count in clients.items()}
        for kind, clients in sums.failures.items()
    }
    return replace(sums, peers=dict(counted), failures=failures)


def failing_so_often(sums: VersionSums, count: int) -> VersionSums:
    """The same with every failure so many times over."""
    failures = {kind: dict.fromkeys(clients, count) for kind, clients in sums.failures.items()}
    return replace(sums, failures=failures)


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
    assert verdict.failed == (verdict.state is State.FAILED)
    assert verdict.passed == (verdict.state is State.PASSED)


def test_what_is_not_measured_is_neither_undecided_nor_passed() -> None:
    for code in (Code.NOT_MEASURED, Code.NOT_SEEN):
        verdict = Verdict("latency", code)
        assert verdict.state is State.NOT_MEASURED
        assert not verdict.failed
        assert not verdict.passed


def test_a_verdict_survives_json() -> None:
    for verdict in judged(arm(40, failing=3), arm(400)).values():
        stored = json.loads(json.dumps(verdict.as_json(), allow_nan=False))
        assert codec.read(Verdict, stored, "verdict") == verdict


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


def test_only_what_such_traffic_cannot_show_is_asked_of_nobody() -> None:
    passed = {name: Verdict(name, Code.PROVEN_WITHIN) for name in ("errors", "latency", "cer", "numerals")}
    assert certified(RULES, passed | {"latency": Verdict("latency", Code.NOT_SEEN)})
    for code in Code:
        if code not in (Code.PROVEN_WITHIN, Code.NOT_SEEN):
            assert not certified(RULES, passed | {"latency": Verdict("latency", code)}), code
    assert not certified(RULES, {name: verdict for name, verdict in passed.items() if name != "latency"})


def test_a_guard_that_is_off_is_needed_by_nobody() -> None:
    rules = Rules(tuple(guard for guard in DEFAULT_GUARDS if guard.name not in ("cer", "numerals")))
    assert certified(rules, {name: Verdict(name, Code.PROVEN_WITHIN) for name in ("errors", "latency")})


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
    assert not any(verdict.failed or verdict.passed for verdict in nothing.values())
    assert not certified(LOOSE, nothing)
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
    suffering = failing_so_often(arm(20, failing=1), 10)
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


# ------------------------------------------------------------------ who can move a verdict

ERRORS = Rules((Guard("errors", Measure.DIFFERENCE, 0.0, 0.05),))


def errors(candidate: VersionSums, stable: VersionSums, look: Look = NOW) -> Verdict:
    return judged(candidate, stable, ERRORS, look)["errors"]


def test_one_who_draws_many_cookies_at_one_address_rolls_nobody_back() -> None:
    """His users are as many as he likes; his address is one, and no part of what the stable version gets."""
    attacker = at_addresses(arm(400, requests=1, failing=400, start=1000), "attacker")
    others = arm(100)
    candidate = Sums({"v2": others}) + Sums({"v2": attacker})
    found = errors(candidate.of("v2"), arm(1000))
    assert not found.failed
    # Of his 400 requests one counts.
    assert found.numbers["candidate_rate"] == pytest.approx(1 / 1001)


@pytest.mark.parametrize("peers", [1, 2, 3])
def test_a_roll_back_by_failed_requests_needs_failures_from_three_addresses(peers: int) -> None:
    """Addresses that make under half of the stable version's recognitions, but enough for their failures to count."""
    addresses = [f"a{number}" for number in range(peers)]
    candidate = at_addresses(arm(100, failing=60), *addresses)
    stable = Sums({"v1": at_addresses(arm(40, start=500), *addresses)}) + Sums({"v1": arm(60, start=1000)})
    found = errors(candidate, stable.of("v1"))
    assert found.numbers["candidate_peers"] == peers
    assert found.numbers["peers_part"] == pytest.approx(0.4)
    assert found.code is (Code.PROVEN_WORSE if peers == 3 else Code.TOO_FEW_PEERS)
    assert found.state is (State.FAILED if peers == 3 else State.UNDECIDED)


def test_everybody_behind_one_address_can_prove_a_loss() -> None:
    found = errors(at_addresses(arm(100, failing=60), "office"), at_addresses(arm(100, start=500), "office"))
    assert found.failed
    assert (found.numbers["candidate_peers"], found.numbers["peers_part"]) == (1, 1.0)


def test_half_of_the_stable_versions_recognitions_is_enough_of_one_address() -> None:
    candidate = at_addresses(arm(100, failing=60), "office")
    for others, code in ((100, Code.PROVEN_WORSE), (101, Code.TOO_FEW_PEERS)):
        stable = Sums({"v1": at_addresses(arm(100, start=500), "office")}) + Sums({"v1": arm(others, start=1000)})
        assert errors(candidate, stable.of("v1")).code is code


def test_a_recorder_that_returns_no_cookie_can_prove_a_loss() -> None:
    """One address, a new user for every request: 5 % of the candidate's fail."""
    candidate = at_addresses(arm(1200, requests=1, failing=60), "recorder")
    stable = at_addresses(arm(4800, requests=1, failing=5, start=5000), "recorder")
    assert errors(candidate, stable).failed


def test_without_addresses_users_stand_for_them() -> None:
    """Rows of an earlier Huidu name none."""
    nameless = replace(arm(100), failures={Failure.BAD: {("", unit): 5 for unit in units(60)}}, peers={})
    found = errors(nameless, replace(arm(100, start=500), peers={}))
    assert found.failed
    assert found.numbers["candidate_peers"] == 60
    # Each of 60 users failed five times, of which one counts: of 1000 requests these are 300 and 60.
    assert found.numbers["candidate_rate"] == pytest.approx(60 / 760)
    two = replace(nameless, failures={Failure.BAD: {("", unit): 5 for unit in units(2)}})
    assert not errors(two, replace(arm(100, start=500), peers={})).failed


def test_a_loss_that_waits_for_more_addresses_does_not_keep_a_pass_or_a_failure_away() -> None:
    candidate = at_addresses(arm(100, failing=60), "a")
    found = judged(candidate, arm(100, start=500), ERRORS)["errors"]
    assert not found.failed
    proven = judge(ERRORS, Sums({"v1": arm(400), "v2": arm(20, failing=6)}), "v2", "v1", NOW, {"errors": found})
    assert proven["errors"].failed


def using_it_much(users: int, requests: int, failing: int, start: int = 0) -> VersionSums:
    """Users who ask often, and for each of whom so many of his requests failed, give or take one."""
    one = arm(users, requests, failing=users, start=start)
    counts = {client: failing + place % 2 for place, client in enumerate(one.failures[Failure.BAD])}
    return replace(one, failures={Failure.BAD: counts})


def test_users_who_ask_often_do_not_make_a_version_look_healthier() -> None:
    """Ten users on each side, a thousand requests each: 30 % fail on the candidate, 1 % on the stable version."""
    failing, healthy = using_it_much(10, 1000, 300), using_it_much(10, 1000, 10, start=500)
    found = errors(failing, healthy)
    assert found.failed
    assert found.numbers["candidate_rate"] == pytest.approx(0.3, rel=0.01)
    assert found.numbers["stable_rate"] == pytest.approx(0.01, rel=0.1)
    for look in (NOW, Look(50, 50)):
        assert not errors(failing, healthy, look).passed
    assert errors(using_it_much(10, 1000, 10), healthy).passed


@settings(deadline=None)
@given(st.integers(1, 400), st.integers(1, 5), st.integers(1, 60))
def test_two_addresses_never_roll_back_what_others_do_not_meet(users: int, each: int, look: int) -> None:
    attack = failing_so_often(at_addresses(arm(users, requests=5, failing=users, start=2000), "a", "b"), each)
    candidate = (Sums({"v2": arm(50)}) + Sums({"v2": attack})).of("v2")
    for guard in ("errors", "rejects", "empty"):
        kinds = {"errors": Failure.BAD, "rejects": Failure.REJECTED, "empty": Failure.EMPTY}
        failed = replace(candidate, failures={kinds[guard]: candidate.failures[Failure.BAD]})
        rules = Rules((Guard(guard, Measure.DIFFERENCE, 0.0, None),))
        assert not judged(failed, arm(200, start=5000), rules, Look(look))[guard].failed


# ------------------------------------------------------------------ what was refused, and what was empty

UNSERVED = Rules(
    (
        Guard("rejects", Measure.DIFFERENCE, 0.0, None, answer=Answer.HOLD),
        Guard("empty", Measure.DIFFERENCE, 0.0, None),
    )
)


@pytest.mark.parametrize(("guard", "kind"), [("rejects", Failure.REJECTED), ("empty", Failure.EMPTY)])
def test_answers_that_help_nobody_are_judged_apart(guard: str, kind: Failure) -> None:
    verdicts = judged(arm(40, failing=30, kind=kind), arm(400, failing=3, kind=kind), UNSERVED)
    assert [name for name, verdict in verdicts.items() if verdict.failed] == [guard]
    both = judged(arm(40, failing=4, kind=kind), arm(400, failing=40, kind=kind), UNSERVED)
    assert not any(verdict.failed for verdict in both.values())


def test_whether_answers_are_empty_is_seen_only_where_both_sides_tell_their_length() -> None:
    told, untold = arm(40, failing=30, kind=Failure.EMPTY), replace(arm(400), answered=0)
    assert judged(told, untold, UNSERVED)["empty"].code is Code.NOT_SEEN
    assert judged(untold, told, UNSERVED)["empty"].code is Code.NOT_SEEN
    assert judged(VersionSums(), told, UNSERVED)["empty"].code is Code.NO_EVIDENCE
    seen = judged(untold, told, UNSERVED)["empty"]
    assert seen.state is State.NOT_MEASURED
    # What is not measured has no rate, least of all 0.0 %.
    assert "candidate_rate" not in seen.numbers


def test_a_guard_that_only_holds_takes_nothing_from_those_that_roll_back() -> None:
    """The level is shared by guards that take a model away."""
    candidate, stable = arm(20, failing=3), arm(400)
    with_rejects = Rules((*ERRORS.guards, UNSERVED.guards[0]))
    both = Rules((*ERRORS.guards, UNSERVED.guards[1]))
    proven = [
        max(look for look in range(1, 400) if judged(candidate, stable, rules, Look(look))["errors"].failed)
        for rules in (ERRORS, with_rejects, both)
    ]
    assert proven[0] == proven[1] > proven[2]


# ------------------------------------------------------------------ latency at equal length

LATENCY = Rules((Guard("latency", Measure.RATIO, 1.1, 1.2, quantile=0.95),))


def timed(**bands: VersionSums) -> VersionSums:
    """A side whose requests of each band of length took as long as those of an arm."""
    sums = Sums()
    for band, one in bands.items():
        sums = sums + Sums({"v": replace(one, latency={band: one.latency["s0"]})})
    return sums.of("v")


def latency(candidate: VersionSums, stable: VersionSums) -> Verdict:
    return judged(candidate, stable, LATENCY)["latency"]


def test_a_version_that_got_the_longer_audio_is_not_slow() -> None:
    """Long clips take ten times as long on both; the candidate got nine times as many of them (Simpson 1951)."""
    candidate = timed(s0=arm(40), s2=arm(360, ms=300.0, start=1000))
    stable = timed(s0=arm(360, start=3000), s2=arm(40, ms=300.0, start=5000))
    assert not latency(candidate, stable).failed
    assert latency(candidate, stable).numbers["estimate"] == pytest.approx(1.0, rel=0.1)
    # Taken together it would be: without bands.
    mixed = [replace(side, latency={"s0": np.sum(list(side.latency.values()), axis=0)}) for side in (candidate, stable)]
    assert latency(*mixed).failed


def test_a_version_that_is_slower_at_every_length_is_slow_though_it_got_the_shorter_audio() -> None:
    candidate = timed(s0=arm(360, ms=60.0), s2=arm(40, ms=600.0, start=1000))
    stable = timed(s0=arm(40, start=3000), s2=arm(360, ms=300.0, start=5000))
    assert latency(candidate, stable).failed
    assert latency(candidate, stable).numbers["estimate"] == pytest.approx(2.0, rel=0.1)


def test_one_clients_long_clips_in_a_band_that_is_empty_elsewhere_make_nobody_slow() -> None:
    attack = arm(400, ms=60_000.0, start=1000)
    for theirs in (0, 1):
        few = {"s4": arm(theirs, start=7000)} if theirs else {}
        found = latency(timed(s0=arm(100), s4=attack), timed(s0=arm(100, start=5000), **few))
        assert not found.failed
        assert found.numbers["estimate"] == pytest.approx(1.0, rel=0.1)


def test_where_one_side_does_not_tell_seconds_bytes_are_compared() -> None:
    def by_bytes(one: VersionSums, seconds_too: bool) -> VersionSums:
        counts = one.latency["s0"]
        return replace(one, latency={"b0": counts} | ({"s0": counts} if seconds_too else {}))

    slow = by_bytes(arm(100, ms=120.0), True)
    assert latency(slow, by_bytes(arm(300, start=1000), False)).failed
    assert latency(by_bytes(arm(100, ms=120.0), False), by_bytes(arm(300, start=1000), True)).failed
    # Where both tell them, bytes are left out: compressed audio has few.
    misled = replace(by_bytes(arm(100), True), latency={"s0": arm(100).latency["s0"], "b0": slow.latency["b0"]})
    assert not latency(misled, by_bytes(arm(300, start=1000), True)).failed


def test_what_was_measured_before_there_were_bands_is_compared_with_its_like() -> None:
    old = replace(arm(100, ms=120.0), latency={OLD_BAND: arm(100, ms=120.0).latency["s0"]})
    assert latency(old, arm(300, start=1000)).code is Code.NO_EVIDENCE
    assert latency(old, timed(**{OLD_BAND: arm(300, start=1000)})).failed


def test_failed_requests_have_no_latency() -> None:
    """Half of the candidate's users fail: that is no slowness."""
    assert not latency(arm(100, failing=50), arm(300, start=1000)).failed


@pytest.mark.parametrize("seen_elsewhere", [0, 10])
def test_one_address_that_chose_side_and_length_makes_nobody_slow(seen_elsewhere: int) -> None:
    """160 clips four times as long as others of their band, with cookies for which stable was asked a few times."""
    chosen = arm(20, requests=8, ms=120.0, start=1000)
    stable = arm(300, start=5000)
    if seen_elsewhere:
        stable = stable + at_addresses(arm(seen_elsewhere, start=9000), "one")
    assert latency(arm(50) + chosen, stable).failed
    assert not latency(arm(50) + at_addresses(chosen, "one"), stable).failed


def test_a_slow_version_is_slow_where_everybody_is_behind_one_address_and_where_one_sends_much_of_both_sides() -> None:
    slow, stable = arm(100, ms=60.0), arm(300, start=5000)
    assert latency(at_addresses(slow, "one"), at_addresses(stable, "one")).failed
    recorder = [at_addresses(side, "one") for side in (slow, stable)]
    phones = [arm(30, ms=60.0, start=1000), arm(90, start=7000)]
    assert latency(*(one + other for one, other in zip(recorder, phones, strict=True))).failed


def sockets(users: int, first_message: bool, start: int = 0) -> VersionSums:
    one = arm(users, start=start)
    return replace(one, sockets=one.requests, latency={SOCKET_BAND: one.latency["s0"]} if first_message else {})


def test_sockets_whose_messages_nobody_sees_have_no_latency_and_hold_nobody() -> None:
    unseen = latency(sockets(100, False), sockets(300, False, 1000))
    assert unseen.code is Code.NOT_SEEN
    assert certified(LATENCY, {"latency": unseen})
    assert latency(sockets(100, True), sockets(300, True, 1000)).passed


@pytest.mark.parametrize(
    ("candidate", "stable"),
    [
        # Recognitions whose time nobody told.
        (replace(arm(100), latency={}), replace(arm(300, start=1000), latency={})),
        (replace(arm(100), latency={}), arm(300, start=1000)),
        (arm(100), replace(arm(300, start=1000), latency={})),
        # One recognition among sockets, and messages that only one side shows.
        (replace(sockets(100, False), sockets=999), sockets(300, False, 1000)),
        (sockets(100, False), sockets(300, True, 1000)),
        (sockets(100, True), sockets(300, False, 1000)),
        (VersionSums(), VersionSums()),
        # Fewer than tell a quantile.
        (arm(100), arm(1, start=1000)),
    ],
)
def test_recognitions_without_a_time_are_no_evidence_and_certify_nobody(
    candidate: VersionSums, stable: VersionSums
) -> None:
    found = latency(candidate, stable)
    assert found.code is Code.NO_EVIDENCE
    assert found.state is State.UNDECIDED
    assert not certified(LATENCY, {"latency": found})


# ------------------------------------------------------------------ the bake


def test_the_bake_is_judged_against_the_users_held_back_by_every_guard() -> None:
    held_back = arm(20, start=1000, texts=texts(20, 1))
    for guard, bake in (
        ("errors", arm(380, failing=300)),
        ("latency", arm(380, ms=120.0)),
        ("numerals", arm(380, texts=texts(300, 290))),
    ):
        assert [name for name, verdict in judged(bake, held_back).items() if verdict.failed] == [guard]
    equal = judged(arm(380, texts=texts(300, 9)), held_back)
    assert {verdict.state for verdict in equal.values()} <= {State.UNDECIDED, State.PASSED}
    assert not {Code.NO_EVIDENCE, Code.TOO_FEW_USERS} & {verdict.code for verdict in equal.values()}


def test_a_bake_without_a_holdback_is_judged_by_crashes_alone() -> None:
    bake = replace(arm(380, failing=300), crashes=1)
    assert codes(judged(bake, VersionSums())) == {
        "errors": "no_evidence",
        "latency": "no_evidence",
        "cer": "no_evidence",
        "numerals": "no_evidence",
        "crashes": "crashed",
    }


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


@pytest.mark.deep
@pytest.mark.timeout(900)
def test_a_bake_through_a_day_of_moving_errors_rolls_no_identical_version_back_and_finds_a_worse_one() -> None:
    """Half of the releases have ten times the traffic of the others; the worse one shows that something judges."""
    bench = runpy.run_path(str(BAKE_BENCH))

    def told(times_worse: float, releases: int) -> list[Any]:
        return [
            bench["baked"](bench["Traffic"](per_minute, round(20 * per_minute), times_worse=times_worse), RULES, seed)
            for per_minute in (60.0, 600.0)
            for seed in range(releases // 2)
        ]

    equal, worse = told(1.0, 200), told(4.0, 20)
    for name, found in (("equal", equal), ("four times as many errors", worse)):
        bench["report"](name, found)
    assert sum(one.guard is not None for one in equal) <= 5
    assert sum(one.promoted for one in equal) >= 195
    assert sum(one.guard == "errors" for one in worse) >= 19
