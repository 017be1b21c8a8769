"""Laws of the paired interval, and how often it holds the truth. tests/bench/intervals.py simulates the same sets."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from huidu.core.errors import InvalidError
from huidu.core.stats.paired import (
    PairedInterval,
    cluster_sums,
    degrees_of_freedom,
    more_utterances,
    paired_interval,
    resampled_differences,
    unseen_difference,
    verdict,
)

Integers = NDArray[np.int64]

TRUE_DIFFERENCE = 0.01


@dataclass(frozen=True, slots=True)
class SimulatedSet:
    """A test set: reference tokens and both versions' errors by utterance, and whose utterance it is."""

    speakers: Integers
    reference: Integers
    baseline: Integers
    candidate: Integers

    def by_speaker(self) -> tuple[Integers, Integers, Integers]:
        counts = (self.reference, self.baseline, self.candidate)
        n, a, b = (np.bincount(self.speakers, weights=count).astype(np.int64) for count in counts)
        return n, a, b

    def by_utterance(self, confidence: float = 0.95) -> tuple[float, float]:
        """The naive normal interval, as if every utterance were by itself."""
        change = self.candidate - self.baseline
        total, utterances = self.reference.sum(), len(self.reference)
        difference = change.sum() / total
        residuals = change - difference * self.reference
        error = np.sqrt(utterances / (utterances - 1) * (residuals @ residuals)) / total
        half = float(stats.norm.ppf((1 + confidence) / 2) * error)
        return float(difference) - half, float(difference) + half


def simulated_sets(sets: int, speakers: int, rng: np.random.Generator, repaired: float = 0.5) -> Iterator[SimulatedSet]:
    """Test sets by the same law: the candidate is a fifth worse for every speaker, in errors per token.

    Each speaker's error rate is gamma of shape 1.5 and mean 5 %; they have 5 to 50 utterances of 5 to 25 tokens. The
    candidate repairs a share of the baseline's errors and makes as many new ones and a fifth more. Since rates do not
    depend on sizes, the difference over the population is a fifth of 5 %.
    """
    for _ in range(sets):
        rates = rng.gamma(1.5, 0.05 / 1.5, speakers)
        owners = np.repeat(np.arange(speakers), rng.integers(5, 51, speakers))
        reference = rng.integers(5, 26, len(owners))
        expected = rates[owners] * reference
        kept, gone, new = (rng.poisson(share * expected) for share in (1 - repaired, repaired, repaired + 0.2))
        yield SimulatedSet(owners, reference, kept + gone, kept + new)


@pytest.mark.parametrize("speakers", [10, 30, 100])
def test_the_interval_holds_the_truth_as_often_as_it_says(speakers: int) -> None:
    sets = 2000
    held, held_naively = 0, 0
    for simulated in simulated_sets(sets, speakers, np.random.default_rng(speakers)):
        interval = paired_interval(*simulated.by_speaker())
        held += interval.low <= TRUE_DIFFERENCE <= interval.high
        low, high = simulated.by_utterance()
        held_naively += low <= TRUE_DIFFERENCE <= high
    assert 0.935 <= held / sets <= 0.965
    assert held_naively / sets < 0.935


@st.composite
def clusters(draw: st.DrawFn, least: int = 2) -> tuple[Integers, Integers, Integers]:
    size = draw(st.integers(least, 12))
    reference = np.array(draw(st.lists(st.integers(1, 200), min_size=size, max_size=size)))
    errors = [np.array(draw(st.lists(st.integers(0, 40), min_size=size, max_size=size))) for _ in range(2)]
    return reference, errors[0], errors[1]


@settings(deadline=None)
@given(clusters(), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_standard_error_is_that_of_leaving_out_one_cluster_after_another(
    counts: tuple[Integers, Integers, Integers], confidence: float
) -> None:
    n, a, b = counts
    size = len(n)
    without = np.array([(np.delete(b - a, s).sum()) / np.delete(n, s).sum() for s in range(size)])
    difference = (b - a).sum() / n.sum()
    error = np.sqrt((size - 1) / size * ((without - difference) ** 2).sum())
    found = paired_interval(n, a, b, confidence)
    assert found.difference == pytest.approx(difference)
    assert found.standard_error == pytest.approx(error, abs=1e-12)
    half = max(stats.t.ppf((1 + confidence) / 2, degrees_of_freedom(n)) * error, unseen_difference(n, confidence))
    assert (found.low, found.high) == pytest.approx((difference - half, difference + half))
    assert found.clusters == size


@settings(deadline=None)
@given(st.lists(st.integers(0, 500), min_size=2, max_size=30).filter(lambda n: max(n) < sum(n)))
def test_degrees_of_freedom_are_satterthwaites(sizes: list[int]) -> None:
    n = np.array(sizes, dtype=float)
    clusters = len(n)
    residual = np.eye(clusters) - np.outer(n / n.sum(), np.ones(clusters))
    spread = residual @ np.diag(n**2) @ residual.T @ np.diag((n.sum() - n) ** -2)
    expected = np.trace(spread) ** 2 / np.trace(spread @ spread)
    assert degrees_of_freedom(n) == pytest.approx(expected, rel=1e-3)
    assert 1 - 1e-6 <= degrees_of_freedom(n) <= clusters - 1 + 1e-6
    assert degrees_of_freedom(np.full(clusters, 40)) == pytest.approx(clusters - 1)


@settings(deadline=None)
@given(clusters())
def test_swapped_versions_have_the_mirrored_interval(counts: tuple[Integers, Integers, Integers]) -> None:
    n, a, b = counts
    found, swapped = paired_interval(n, a, b), paired_interval(n, b, a)
    assert (swapped.difference, swapped.low, swapped.high) == pytest.approx(
        (-found.difference, -found.high, -found.low)
    )


@settings(deadline=None)
@given(clusters(), st.integers(0, 2**32 - 1))
def test_neither_the_order_nor_empty_clusters_matter(counts: tuple[Integers, Integers, Integers], seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(counts[0]))
    n, a, b = (np.append(count[order], 0) for count in counts)
    found, expected = paired_interval(n, a, b), paired_interval(*counts)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.clusters == expected.clusters


def test_errors_without_any_reference_count() -> None:
    silent, quiet = paired_interval([100, 100, 0], [5, 6, 0], [5, 6, 9]), paired_interval([100, 100], [5, 6], [5, 6])
    assert silent.difference == 9 / 200
    assert silent.clusters == 3
    assert silent.high > quiet.high


@pytest.mark.parametrize("counts", [([500], [5], [5]), ([500, 0], [5, 0], [5, 1])])
def test_one_speaker_says_nothing_about_others(counts: tuple[list[int], list[int], list[int]]) -> None:
    found = paired_interval(*counts)
    assert (found.low, found.high, found.standard_error) == (-inf, inf, inf)
    assert verdict(found, 0.0, 1.0) == "undecided"
    assert more_utterances(found, 50, 0.0, 1.0) is None


@pytest.mark.parametrize("speakers", [2, 18, 600])
def test_many_utterances_without_a_difference_certify_and_two_do_not(speakers: int) -> None:
    for tokens, errors in ((17_000, 0), (17_000, 850)):
        n, a = np.full(speakers, tokens // speakers), np.full(speakers, errors // speakers)
        assert verdict(paired_interval(n, a, a), 0.0, 0.005) == "not_worse"
    assert verdict(paired_interval([20, 20], [0, 0], [0, 0]), 0.0, 0.005) == "undecided"


@settings(deadline=None)
@given(st.lists(st.integers(1, 3000), min_size=2, max_size=40))
def test_what_goes_unseen_solves_its_equation_and_lies_above_the_rule_of_three(n: list[int]) -> None:
    rate = unseen_difference(n)
    assert np.prod(1 / (1 + np.array(n) * rate)) == pytest.approx(0.025)
    assert rate >= -np.log(0.025) / sum(n)


def test_one_difference_never_proves_more_than_none() -> None:
    n, none = np.full(20, 300), np.zeros(20, dtype=np.int64)
    one = none.copy()
    one[3] = 1
    assert paired_interval(n, none, one).high > paired_interval(n, none, none).high


def interval(low: float, high: float) -> PairedInterval:
    return PairedInterval((low + high) / 2, low, high, 0.95, 20, (high - low) / 4)


@pytest.mark.parametrize(
    ("low", "high", "at_most", "answer"),
    [
        (0.001, 0.02, 0.005, "worse"),
        (-0.01, 0.004, 0.005, "not_worse"),
        (-0.01, 0.004, None, "undecided"),
        (-0.01, 0.02, 0.005, "undecided"),
        (0.001, 0.004, 0.005, "worse"),  # proves both
        (0.0, 0.005, 0.005, "undecided"),
    ],
)
def test_a_verdict_needs_the_whole_interval_on_one_side(
    low: float, high: float, at_most: float | None, answer: str
) -> None:
    assert verdict(interval(low, high), 0.0, at_most) == answer


@settings(deadline=None)
@given(st.floats(-0.05, 0.05), st.floats(1e-4, 0.05), st.integers(2, 2000), st.sampled_from([0.005, 0.02, None]))
def test_so_many_more_utterances_decide_and_half_as_many_do_not(
    difference: float, half: float, utterances: int, at_most: float | None
) -> None:
    def with_more(more: float) -> PairedInterval:
        reach = half * (utterances / (utterances + more)) ** 0.5
        return PairedInterval(difference, difference - reach, difference + reach, 0.95, 20, reach / 2)

    more = more_utterances(with_more(0), utterances, 0.0, at_most)
    if more is None:
        assert verdict(with_more(9e8), 0.0, at_most) == "undecided"
    else:
        assert (more == 0) == (verdict(with_more(0), 0.0, at_most) != "undecided")
        assert verdict(with_more(more * 1.001 + 1), 0.0, at_most) != "undecided"
        assert more <= 1 or verdict(with_more(more / 2), 0.0, at_most) == "undecided"


def test_without_a_difference_twice_the_utterances_say_twice_as_much() -> None:
    n = np.full(100, 10)
    more = more_utterances(paired_interval(n, 0 * n, 0 * n), 100, 0.0, 0.001)
    assert more is not None
    enough = np.full(100 + more, 10)
    assert verdict(paired_interval(enough, 0 * enough, 0 * enough), 0.0, 0.001) == "not_worse"
    too_few = np.full(100 + more // 2, 10)
    assert verdict(paired_interval(too_few, 0 * too_few, 0 * too_few), 0.0, 0.001) == "undecided"


def test_between_the_limits_there_may_be_no_verdict_ever() -> None:
    assert more_utterances(interval(-0.02, 0.02), 100, 0.0, None) is None
    assert more_utterances(interval(-0.003, 0.023), 100, 0.02, 0.005) is None


def test_utterances_are_summed_by_speaker_and_those_without_stand_alone() -> None:
    n, a = cluster_sums(["x", "y", None, "x", "", None], [1, 2, 4, 8, 16, 32], [0, 1, 0, 1, 0, 1])
    assert n.tolist() == [9, 2, 4, 16, 32]
    assert a.tolist() == [1, 1, 0, 0, 1]


@settings(deadline=None)
@given(clusters(least=4), st.integers(0, 2**32 - 1))
def test_resamples_lie_around_the_difference(counts: tuple[Integers, Integers, Integers], seed: int) -> None:
    n, a, b = counts
    found = resampled_differences(n, a, b, 400, np.random.default_rng(seed))
    assert found.shape == (400,)
    rates = (b - a) / n
    assert rates.min() - 1e-12 <= found.min()
    assert found.max() <= rates.max() + 1e-12
    again = resampled_differences(n, a, b, 400, np.random.default_rng(seed))
    assert np.array_equal(found, again)


def test_over_many_alike_speakers_the_resamples_spread_as_the_jackknife_says() -> None:
    rng = np.random.default_rng(5)
    n = rng.integers(200, 400, 500)
    a, b = rng.poisson(0.05 * n), rng.poisson(0.06 * n)
    found = resampled_differences(n, a, b, 4000, rng)
    assert found.std() == pytest.approx(paired_interval(n, a, b).standard_error, rel=0.05)


def test_resamples_without_any_reference_are_left_out() -> None:
    found = resampled_differences([10, 0], [1, 0], [2, 3], 200, np.random.default_rng(1))
    assert 0 < len(found) < 200
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    "counts",
    [([], [], []), ([0, 0], [1, 1], [0, 0]), ([1, 2], [1], [1, 2]), ([1, -2], [0, 0], [0, 0]), ([[1]], [[1]], [[1]])],
)
def test_nonsense_is_refused(counts: tuple[list[int], list[int], list[int]]) -> None:
    with pytest.raises(InvalidError, match="accepted"):
        paired_interval(*counts)
    with pytest.raises(InvalidError, match="accepted"):
        resampled_differences(*counts, 10, np.random.default_rng(1))


def test_other_nonsense_is_refused() -> None:
    with pytest.raises(InvalidError, match="accepted: between 0 and 1"):
        paired_interval([1, 2], [0, 1], [0, 0], confidence=95)
    with pytest.raises(InvalidError, match="accepted: one for each of 2 utterances"):
        cluster_sums(["x", "y"], [1, 2, 3])
