import re
from collections.abc import Callable

import pytest

from huidu.core.alarms import Alarm, AlarmKind
from huidu.core.evidence import Sums
from huidu.core.floors import Missing, missing
from huidu.core.plan import DEFAULT_GUARDS, Share
from huidu.core.verdict import Code, Verdict
from huidu.core.wording import LANGUAGES, alarm_words, missing_words, one_peer_words, words

NUMBERS = {
    "fail_above": 0.0,
    "at_most": 0.1,
    "estimate": 0.58,
    "lower": 0.401,
    "upper": 0.759,
    "candidate_rate": 0.62,
    "stable_rate": 0.04,
    "candidate_texts": 25,
    "stable_texts": 150,
    "candidate_units": 20,
    "stable_units": 120,
}
# What each alarm is raised with.
ALARM_NUMBERS: dict[AlarmKind, dict[str, float]] = {
    AlarmKind.SAMPLE_RATIO_MISMATCH: {"candidate_units": 12, "stable_units": 468, "share": 0.2, "p_value": 2.4e-21},
    AlarmKind.NO_TEXT: {"probes": 3.0},
    AlarmKind.CLOCK_JUMPED: {"seconds": 3600.0},
}


def said_in(language: str, text: str) -> None:
    """A whole line in that language, without a place that nothing filled."""
    assert text
    assert not re.search(r"[{}\n]", text)
    assert any("一" <= letter <= "鿿" for letter in text) == (language == "zh")


PLAIN_NAMES = {("crashes", "en"), ("latency", "en")}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", Code)
@pytest.mark.parametrize("guard", [*(guard.name for guard in DEFAULT_GUARDS), "another"])
def test_every_code_has_words(code: Code, guard: str, language: str) -> None:
    bare, full = words(Verdict(guard, code), language), words(Verdict(guard, code, NUMBERS), language)
    assert full.startswith(bare)
    assert len(full) > len(bare) > len(guard if guard == "another" else "")
    said_in(language, full)
    said_in(language, bare)
    # Only of a guard that nobody has heard of is the name all there is to say.
    assert (guard in bare.split(":")[0].split("：")[0]) == (guard == "another" or (guard, language) in PLAIN_NAMES)


def test_a_verdict_reads_as_one_line() -> None:
    verdict = Verdict("numerals", Code.PROVEN_WORSE, NUMBERS)
    assert words(verdict, "en") == (
        "wrong numbers: proven worse; 62.0% against 4.0% on the stable version, difference +58.0pp, "
        "95 %: +40.1pp to +75.9pp; fails when proven above +0.0pp, certified when proven under +10.0pp; "
        "20 against 120 users, 25 against 150 texts with a reference"
    )
    assert words(verdict, "zh") == (
        "数字错误率：已证实变差；候选 62.0%，稳定 4.0%，相差 +58.0pp，95% 区间 +40.1pp 至 +75.9pp；"
        "证实超过 +0.0pp 即判为失败，证实低于 +10.0pp 方可放行；用户 20 对 120 位，有参考文本 25 对 150 条"
    )


def test_while_undecided_it_says_what_is_excluded_already() -> None:
    verdict = Verdict("errors", Code.NOT_YET, {"estimate": 0.0, "lower": -0.02, "upper": 0.021})
    assert "more than +2.1pp worse: excluded at 95 %" in words(verdict, "en")
    assert "变差超过 +2.1pp 的可能已按 95% 排除" in words(verdict, "zh")


def test_latency_is_a_ratio_and_crashes_are_counts() -> None:
    latency = Verdict("latency", Code.NOT_YET, {"fail_above": 1.1, "estimate": 1.05, "lower": 0.9})
    assert "1.05x of the stable version's, 95 %: at least 0.90x" in words(latency, "en")
    crashed = Verdict("crashes", Code.CRASHED, {"estimate": 1, "candidate_crashes": 1, "stable_crashes": 0})
    assert words(crashed, "en") == "crashes: the candidate crashed; 1 against 0 crashes"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", AlarmKind)
def test_every_alarm_has_words(kind: AlarmKind, language: str) -> None:
    # What a source says is shown as it stands, whatever it holds.
    alarm = Alarm(kind, "v2", ALARM_NUMBERS.get(kind, {}), seconds=20.0)
    said_in(language, alarm_words(alarm, language))
    if "v2" in alarm_words(alarm, language):
        assert "{0}" in alarm_words(Alarm(kind, "{0} {what}", alarm.numbers), language)


def test_a_mismatch_reads_as_one_line() -> None:
    kind = AlarmKind.SAMPLE_RATIO_MISMATCH
    alarm = Alarm(kind, numbers=ALARM_NUMBERS[kind])
    assert alarm_words(alarm, "en") == (
        "12 of 480 users on the candidate (2.5 %) where 20 % were meant, p 2e-21: "
        "the versions are not compared fairly, the stage does not go on by itself"
    )
    assert alarm_words(alarm, "zh") == (
        "480 位用户中有 12 位分到候选版本（2.5%），应为 20%，p = 2e-21：两边的对比不再公平，本阶段不会自动推进"
    )


def test_a_clock_that_jumped_is_told_with_its_direction() -> None:
    for seconds, said in ((3600.0, "+3600 s"), (-90.0, "-90 s")):
        assert said in alarm_words(Alarm(AlarmKind.CLOCK_JUMPED, numbers={"seconds": seconds}), "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_stage_waits_for_has_words(language: str) -> None:
    assert missing_words((), language) == ""
    for share_bp in (500, 10_000):
        found = missing(Share(share_bp, 60.0), Sums(), "v2", "v1")
        said_in(language, missing_words(found, language))
        for each in found:
            said_in(language, missing_words([each], language))


def test_what_a_stage_waits_for_reads_as_one_line() -> None:
    found = [Missing("candidate", "recognitions", 12, 100), Missing("candidate", "users", 1, 3)]
    found += [Missing("stable", "users", 2, 3)]
    assert missing_words(found, "en") == "candidate: 12 of 100 recognitions, 1 of 3 users; stable: 2 of 3 users"
    assert missing_words(found, "zh") == "候选：识别 12/100 次，用户 1/3 位；稳定：用户 2/3 位"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("side", ["candidate", "stable"])
def test_that_one_address_is_most_of_it_is_a_note_and_says_that_it_may_be_normal(side: str, language: str) -> None:
    note = one_peer_words(0.97, side, language)
    said_in(language, note)
    assert "97" in note


def test_another_language_is_refused() -> None:
    sayings: tuple[Callable[[], str], ...] = (
        lambda: words(Verdict("errors", Code.NOT_YET), "fr"),
        lambda: alarm_words(Alarm(AlarmKind.UNREACHABLE), "fr"),
        lambda: missing_words([Missing("stable", "users", 2, 3)], "fr"),
        lambda: one_peer_words(0.9, "stable", "fr"),
    )
    for say in sayings:
        with pytest.raises(KeyError):
            say()
