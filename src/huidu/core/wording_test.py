import pytest

from huidu.core.verdict import Code, Verdict
from huidu.core.wording import LANGUAGES, mismatch_words, words

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


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", Code)
@pytest.mark.parametrize("guard", ["errors", "crashes", "latency", "cer", "numerals", "another"])
def test_every_code_has_words(code: Code, guard: str, language: str) -> None:
    bare, full = words(Verdict(guard, code), language), words(Verdict(guard, code, NUMBERS), language)
    assert full.startswith(bare)
    assert len(full) > len(bare) > len(guard if guard == "another" else "")
    assert "{" not in full
    assert any("一" <= letter <= "鿿" for letter in full) == (language == "zh")


def test_a_verdict_reads_as_one_line() -> None:
    verdict = Verdict("numerals", Code.PROVEN_WORSE, NUMBERS)
    assert words(verdict, "en") == (
        "wrong numbers: proven worse; 62.0% against 4.0% on the stable version, difference +58.0pp, "
        "95 %: +40.1pp to +75.9pp; rolled back when proven above +0.0pp, certified when proven under +10.0pp; "
        "20 against 120 users, 25 against 150 texts with a reference"
    )
    assert words(verdict, "zh") == (
        "数字错误率：已证实变差；候选 62.0%，稳定 4.0%，相差 +58.0pp，95% 区间 +40.1pp 至 +75.9pp；"
        "证实超过 +0.0pp 即回滚，证实低于 +10.0pp 方可放行；用户 20 对 120 位，有参考文本 25 对 150 条"
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


def test_a_mismatch_reads_as_one_line() -> None:
    numbers = {"candidate_units": 12, "stable_units": 468, "share": 0.2, "p_value": 2.4e-21}
    assert mismatch_words(numbers, "en") == (
        "12 of 480 users on the candidate (2.5 %) where 20 % were meant, p 2e-21: "
        "the versions are not compared fairly, the stage does not go on by itself"
    )
    assert mismatch_words(numbers, "zh") == (
        "480 位用户中有 12 位分到候选版本（2.5%），应为 20%，p = 2e-21：两边的对比不再公平，本阶段不会自动推进"
    )


def test_another_language_is_refused() -> None:
    with pytest.raises(KeyError):
        words(Verdict("errors", Code.NOT_YET), "fr")
    with pytest.raises(KeyError):
        mismatch_words({"candidate_units": 1, "stable_units": 1}, "fr")
