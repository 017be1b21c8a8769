"""What two versions did live: laws, a second opinion, and simulations with known truth."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from huidu.core.errors import InvalidError
from huidu.core.plan import Guard, Measure, Rules
from huidu.core.text.health import Signal
from huidu.core.text.normalise import Normaliser
from huidu.core.text.score import score, total
from huidu.core.version import version_in_filename
from huidu.evaluation.live import CLUSTERS, document, tally


@dataclass(frozen=True)
class Seen:
    """One row of a version, a good one unless told otherwise."""

    version: str = "v1"
    filename: str = "a.wav"
    failed: bool = False
    rule: str | None = "rest"
    attempt: int = 1
    user: str | None = "u"
    text: str = "今天天气很好我们出去走走"
    corrected_text: str | None = None
    language: str | None = "zh"
    audio_seconds: float = 3.0
    decode_ms: float = 90.0
    audio_sha256: str = ""
    speech: bool | None = None


def found(rows: Iterable[Seen], baseline: str = "v1", candidate: str = "v2", rules: Rules | None = None) -> Any:
    return document(tally(rows, baseline, candidate), rules or Rules(), 0.0, 1.0)


def both(rows: Iterable[Seen]) -> list[Seen]:
    """The same rows of both versions, by different users."""
    return [
        replace(row, version=version, user=row.user and f"{version}-{row.user}")
        for row in rows
        for version in ("v1", "v2")
    ]


TEXTS = ("今天天气很好我们出去走走", "", "一零零八六", "hello everybody how are you", "谢谢" * 9, "好")
seen_rows = st.builds(
    Seen,
    version=st.sampled_from(["v1", "v2"]),
    failed=st.booleans(),
    rule=st.sampled_from(["share", "rest", "included", None]),
    attempt=st.sampled_from([1, 1, 2]),
    user=st.sampled_from([None, "a", "b", "c", "d"]),
    text=st.sampled_from(TEXTS),
    corrected_text=st.sampled_from([None, *TEXTS]),
    language=st.sampled_from([None, "auto", "zh", "en", "ja"]),
    audio_seconds=st.sampled_from([0.0, 0.5, 3.0, 60.0]),
    decode_ms=st.sampled_from([0.0, 30.0, 90.0, 4000.0]),
    audio_sha256=st.sampled_from(["", "x", "y"]),
    speech=st.sampled_from([None, True, False]),
)
lists_of_both = st.lists(seen_rows, max_size=40).map(
    lambda rows: [Seen("v1", user="first"), Seen("v2", user="first"), *rows]
)
laws = settings(deadline=None, max_examples=40)


# ------------------------------------------------------------------ laws


@laws
@given(lists_of_both)
def test_swapping_versions_negates_differences_and_inverts_ratios(rows: list[Seen]) -> None:
    forth, back = found(rows), found(rows, "v2", "v1")
    assert list(forth["versions"].items()) == list(back["versions"].items())[::-1]
    for name, measure in forth["measures"].items():
        other = back["measures"][name]
        if measure is None:
            assert other is None
        elif "difference" in measure:
            assert measure["difference"] == -other["difference"]
            assert (measure["low"], measure["high"]) == _negated(other["low"], other["high"])
        elif measure["ratio"] and other is not None:
            assert measure["ratio"] * other["ratio"] == pytest.approx(1, abs=1e-3)


def _negated(low: float | None, high: float | None) -> tuple[float | None, float | None]:
    return (None, None) if low is None or high is None else (-high, -low)


@laws
@given(lists_of_both, st.lists(seen_rows))
def test_rows_of_other_versions_change_nothing(rows: list[Seen], others: list[Seen]) -> None:
    assert found([*[replace(row, version="v9") for row in others], *rows]) == found(rows)


@laws
@given(st.lists(seen_rows, min_size=1, max_size=40))
def test_the_same_rows_under_two_names_are_never_worse(rows: list[Seen]) -> None:
    result = found(both(rows))
    assert result["verdict"] != "worse"
    for measure in result["measures"].values():
        assert measure is None or measure.get("difference", 0) == 0
        assert measure is None or measure.get("ratio", 1) == 1


@laws
@given(lists_of_both, st.randoms(use_true_random=False))
def test_the_order_of_rows_without_corrections_changes_nothing(rows: list[Seen], random: Any) -> None:
    rows = [replace(row, corrected_text=None) for row in rows]
    mixed = random.sample(rows, len(rows))
    # Sums of the same numbers in another order differ in their last digits, and bounds of ratios are exponentials.
    assert_alike(found(mixed), found(rows))


def assert_alike(one: Any, other: Any) -> None:
    """Documents are the same but for the last digits of their numbers."""
    if isinstance(one, dict):
        assert list(one) == list(other)
        one, other = list(one.values()), list(other.values())
    if isinstance(one, list):
        assert len(one) == len(other)
        for mine, its in zip(one, other, strict=True):
            assert_alike(mine, its)
    else:
        assert one == (pytest.approx(other, rel=1e-6) if isinstance(other, float) else other)


@laws
@given(lists_of_both)
def test_a_document_is_json_and_its_intervals_hold_their_estimates(rows: list[Seen]) -> None:
    result = json.loads(json.dumps(found(rows), allow_nan=False))
    judged = [measure for measure in result["measures"].values() if measure and measure["verdict"]]
    for measure in filter(None, result["measures"].values()):
        judges = measure["fail_above"] is not None
        assert measure["confidence"] == pytest.approx(1 - 0.05 / (len(judged) if judges else 1), abs=1e-6)
        if measure["low"] is not None and measure["high"] is not None:
            change = measure["difference"] if "difference" in measure else measure["ratio"]
            assert measure["low"] <= change <= measure["high"]
        if measure["verdict"] == "worse":
            assert measure["low"] is None or measure["low"] >= measure["fail_above"]
        if measure["verdict"] == "not_worse":
            assert measure["high"] is None or measure["high"] <= measure["at_most"] * 1.05  # a cell of a histogram


# ------------------------------------------------------------------ what is counted


@laws
@given(st.lists(st.tuples(st.sampled_from(TEXTS), st.sampled_from(TEXTS)), min_size=1, max_size=8))
def test_corrected_texts_are_scored_as_test_sets_are(pairs: list[tuple[str, str]]) -> None:
    rows = [Seen(version, text=heard, corrected_text=said) for version in ("v1", "v2") for said, heard in pairs]
    [version, _] = found(rows)["versions"].values()
    whole = total(score([said for said, _ in pairs], [heard for _, heard in pairs], Normaliser()))
    cer = whole.normalised.cer
    assert (version["cer"]["wrong"], version["cer"]["reference"]) == (cer.errors, cer.reference)
    assert version["numerals"] == whole.numerals.to_json()
    assert version["corrected"] == len(pairs)


def test_a_corrected_audio_counts_once_in_each_version() -> None:
    rows = [Seen(version, corrected_text="今天", audio_sha256=digest) for version in ("v1", "v2") for digest in "xxy"]
    assert [version["corrected"] for version in found(rows)["versions"].values()] == [2, 2]


def test_volumes_are_those_of_the_compared_rows_and_rules_those_of_all() -> None:
    rows = both([Seen(user="a"), Seen(user="a", audio_seconds=0.0), Seen(user="b", failed=True), Seen(user=None)])
    chosen = [replace(row, rule="included", user="friend") for row in rows]
    result = found([*rows, *chosen])
    for version in result["versions"].values():
        assert (version["rows"], version["failed"], version["audio_seconds"]) == (3, 1, 6.0)
        assert (version["users"], version["without_user"], version["without_audio_length"]) == (2, 1, 1)
        assert version["rules"] == {"included": 4, "rest": 4}
        assert version["rtf"] == 0.03
        assert version["units_per_second"] == 4.0
    assert result["compared"] == "assigned"


def test_all_rows_are_compared_where_one_version_has_none_that_a_bucket_assigned() -> None:
    rows = [Seen("v1", rule="rest"), Seen("v1", rule=None), Seen("v2", rule=None)]
    result = found(rows)
    assert [version["rows"] for version in result["versions"].values()] == [2, 1]
    assert result["compared"] == "all"
    assert any("all rows are compared" in remark for remark in result["remarks"])


def test_a_version_that_only_failed_is_compared_by_its_failures() -> None:
    rows = [Seen("v1", user=f"u{i}") for i in range(40)] + [Seen("v1", rule="included", failed=True)] * 40
    result = found([*rows, *(Seen("v2", rule="share", user=f"w{i}", failed=True) for i in range(40))])
    assert result["compared"] == "assigned"
    errors = result["measures"]["errors"]
    assert (errors["baseline"], errors["candidate"], errors["verdict"]) == (0.0, 1.0, "worse")
    assert result["measures"]["loops"] is None


def test_a_second_attempt_was_meant_for_the_other_version() -> None:
    rows = [Seen("v1"), Seen("v2", rule="share", failed=True), Seen("v2", rule="share"), Seen("v1", "share", attempt=2)]
    stable, candidate = found(rows)["versions"].values()
    assert (stable["rows"], candidate["rows"], candidate["failed"]) == (1, 1, 1)


def test_silence_is_only_known_where_speech_was_looked_for() -> None:
    assert found(both([Seen()]))["measures"]["text_on_silence"] is None
    rows = both([Seen(user=f"u{i}", speech=i % 2 == 0, text="" if i % 3 else "谢谢观看") for i in range(12)])
    assert found([*rows, *both([Seen()] * 50)])["measures"]["text_on_silence"]["baseline"] == pytest.approx(
        2 / 12, abs=1e-6
    )


def test_rates_and_emptiness_need_the_length_of_the_audio() -> None:
    measures = found(both([Seen(audio_seconds=0.0, text="")]))["measures"]
    assert measures["empty_on_speech"] is measures["rate_outliers"] is measures["units_per_second"] is None


def test_rows_of_an_older_tool_tell_neither_latency_nor_failures() -> None:
    measures = found(both([Seen(decode_ms=0.0)]))["measures"]
    assert measures["errors"] is measures["rtf"] is measures["decode_ms_p95"] is None


@pytest.mark.parametrize("said", [None, "", "auto", "AUTO"])
def test_without_a_language_the_one_of_most_texts_is_expected(said: str | None) -> None:
    flipped = "hello everybody how are you"
    rows = [Seen("v1", language=said) for _ in range(9)] + [Seen("v1", language=said, text=flipped)]
    rows += [Seen("v2", language=said, text=flipped)] * 80 + [Seen("v2", language=said)] * 20
    result = found([*rows, Seen("v2", language="ja", text=flipped), Seen("v2", language="en", text=flipped)])
    # English has more rows, but not when both versions weigh the same.
    assert result["measures"]["language_flips"]["baseline"] == 0.1
    assert result["measures"]["language_flips"]["candidate"] == pytest.approx(80 / 101, abs=1e-6)
    assert any("expected in zh" in remark for remark in result["remarks"])


def test_where_every_text_flipped_nobody_knows_which_way() -> None:
    rows = [Seen("v1", language=None), Seen("v2", language=None, text="hello everybody how are you")]
    result = found(rows)
    assert result["measures"]["language_flips"] is None
    assert any("cannot be told" in remark for remark in result["remarks"])


def test_file_names_tell_versions() -> None:
    names = ["meeting_v2_001.mp3", "x_v1_2.wav", "other.wav", "y_v7_1.wav"]
    rows = [Seen("imported", filename=name) for name in names]
    assert version_in_filename(r"_(v\d*|)_|other")("other.wav") is version_in_filename("a(v?)")("a.wav") is None
    counted = tally(rows, "v1", "v2", r"_(v\d+)_")
    assert (dict(counted.seen), counted.unmatched, counted.missing()) == ({"v1": 1, "v2": 1, "v7": 1}, 1, [])
    assert any("1 rows are left out" in remark for remark in document(counted, Rules(), 0, 1)["remarks"])
    assert tally(rows, "v1", "v3", r"_(v\d+)_").missing() == ["v3"]


@pytest.mark.parametrize("pattern", ["(", "v1", "(a)(b)"])
def test_a_pattern_without_one_group_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidError, match="accepted"):
        version_in_filename(pattern)


# ------------------------------------------------------------------ what is proven


CER_ONLY = Rules((Guard("cer", Measure.DIFFERENCE, 0.0, 0.05),))


def users(version: str, seed: int, share: float, size: int = 40, rows: int = 4) -> Iterator[Seen]:
    """Users of whom each fails at a rate of his own, in mean `share`, and is corrected."""
    rng = np.random.default_rng(seed)
    names = count()
    for rate in rng.beta(4 * share, 4 * (1 - share), size):
        user = f"u{next(names)}"
        for wrong in rng.random(rows) < rate:
            slow = float(np.exp(rng.normal(4, 0.5)))
            yield Seen(version, user=user, text="" if wrong else "你好", corrected_text="你好", decode_ms=slow)


def simulated(seed: int, share: float, **more: Any) -> Any:
    return found([*users("v1", 2 * seed, 0.1), *users("v2", 2 * seed + 1, share)], **more)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """Users differ: beta(0.4, 3.6) has half of its users near 0."""
    runs = [simulated(seed, 0.2)["measures"] for seed in range(100)]
    # 99.9 % bounds of binomials of 100 at 1 % (or less: seven measures are judged) and at 5 %.
    for name, truth, most in (
        ("empty_on_speech", 0.1, 5),
        ("cer", 0.1, 5),
        ("rtf", 1.0, 5),
        ("mean_units", 0.8 / 0.9, 13),
        ("units_per_second", 0.8 / 0.9, 13),
    ):
        missed = sum(not run[name]["low"] <= truth <= run[name]["high"] for run in runs)
        assert missed <= most, name
    widths = [run["mean_units"]["high"] - run["mean_units"]["low"] for run in runs]
    estimates = [run["mean_units"]["ratio"] for run in runs]
    assert np.mean(widths) < 1.5 * 2 * 1.96 * np.std(estimates)


def test_a_version_that_is_no_worse_is_seldom_called_worse() -> None:
    verdicts = [simulated(seed, 0.1)["verdict"] for seed in range(200, 300)]
    assert verdicts.count("worse") <= 8  # 99.9 % bound of a binomial of 100 at 2.5 %


def test_what_is_much_worse_is_proven_and_what_is_alike_is_certified() -> None:
    worse = found([*users("v1", 1, 0.1), *users("v2", 2, 0.6)], rules=CER_ONLY)
    assert worse["measures"]["cer"]["verdict"] == worse["verdict"] == "worse"
    alike = found(both(Seen(user=f"u{i}", corrected_text=Seen.text) for i in range(3000)))
    judged = {name: measure["verdict"] for name, measure in alike["measures"].items() if measure}
    assert {judged[name] for name in ("errors", "cer", "loops", "empty_on_speech", "decode_ms_p95")} == {"not_worse"}


def test_a_slow_version_is_proven_slow_and_failures_are_proven() -> None:
    slow = [replace(row, decode_ms=2 * row.decode_ms) for row in users("v2", 2, 0.1)]
    measures = found([*users("v1", 1, 0.1), *slow])["measures"]
    assert measures["decode_ms_p95"]["verdict"] == measures["rtf"]["verdict"] == "worse"
    failing = [replace(row, failed=True) for row in users("v2", 3, 0.1, rows=2)]
    result = found([*users("v1", 1, 0.1), *users("v2", 2, 0.1), *failing])
    assert result["measures"]["errors"]["verdict"] == "worse"


def test_one_user_proves_nothing() -> None:
    result = found([Seen("v1", text="")] * 50 + [Seen("v2")] * 50)
    assert result["measures"]["empty_on_speech"]["low"] is None
    assert result["verdict"] == "undecided"


def test_rows_without_a_user_are_clusters_of_their_own() -> None:
    alone = found(both(Seen(user=None, text="" if i % 4 else "你好") for i in range(200)))
    named = found(both(Seen(user=f"u{i}", text="" if i % 4 else "你好") for i in range(200)))
    assert alone["measures"] == named["measures"]
    assert any("400 rows name no user" in remark for remark in alone["remarks"])


def test_more_users_than_clusters_share_them() -> None:
    rng = np.random.default_rng(1)
    size = 3 * CLUSTERS
    rows = both(Seen(user=f"u{i}", text="" if empty else "你好") for i, empty in enumerate(rng.random(size) < 0.1))
    interval = found(rows)["measures"]["empty_on_speech"]
    share = interval["baseline"]
    z = stats.norm.ppf((1 + interval["confidence"]) / 2)
    assert interval["high"] == pytest.approx(z * (2 * share * (1 - share) / size) ** 0.5, rel=0.05)


def test_limits_are_those_of_the_rules() -> None:
    measures = found(both([Seen(corrected_text="你好")]), rules=CER_ONLY)["measures"]
    assert (measures["cer"]["fail_above"], measures["cer"]["at_most"]) == (0.0, 0.05)
    assert measures["errors"]["verdict"] is measures["rtf"]["verdict"] is None
    assert {measures[signal]["at_most"] for signal in Signal if measures[signal]} == {0.005}
    slow = Rules((Guard("latency", Measure.RATIO, 1.5, 2.0, quantile=0.9),))
    measures = found(both([Seen()]), rules=slow)["measures"]
    assert measures["decode_ms_p90"]["fail_above"] == measures["rtf"]["fail_above"] == 1.5
    assert measures["decode_ms_p50"]["verdict"] is None
