import numpy as np
import pytest
from numpy.typing import NDArray

from huidu.core.stats.quantiles import Slowness, comparable, quantile_cell

EDGES = tuple(1.05**step for step in range(274))


def histogram(slower: float, seed: int, requests: int = 4000) -> NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    ms = 30 * slower * np.exp(0.5 * rng.standard_normal(requests))
    counts = np.zeros((20, len(EDGES)), dtype=np.int64)
    np.add.at(counts, (rng.integers(0, 20, requests), np.searchsorted(EDGES, ms, side="right") - 1), 1)
    return counts


def test_the_quantile_lies_in_its_cell() -> None:
    assert quantile_cell(np.array([0, 5, 90, 5]), 0.05) == 1
    assert quantile_cell(np.array([0, 5, 90, 5]), 0.95) == 2
    assert quantile_cell(np.array([0, 5, 90, 5]), 0.96) == 3


def test_twice_as_slow_is_proven_worse_and_as_fast_is_proven_within() -> None:
    assert Slowness(((histogram(2.0, 1), histogram(1.0, 2)),), EDGES, 0.95).worse(1.2, 1e-4)
    assert Slowness(((histogram(1.0, 1), histogram(1.0, 2)),), EDGES, 0.95).within(1.5, 1e-4)


def test_the_interval_holds_the_truth_and_its_ends_agree_with_the_tests() -> None:
    slowness = Slowness(((histogram(1.4, 3), histogram(1.0, 4)),), EDGES, 0.95)
    lower, upper = slowness.interval(0.05)
    assert lower is not None
    assert upper is not None
    assert lower < 1.4 < upper
    assert slowness.worse(lower, 0.025)
    assert slowness.within(upper, 0.025)
    assert lower <= slowness.estimate <= upper


def test_what_is_longer_than_any_cell_has_no_upper_bound() -> None:
    endless = histogram(1.0, 1)
    endless[:, -1] += 40
    slowness = Slowness(((endless, histogram(1.0, 2)),), EDGES, 0.95)
    assert slowness.worse(3.0, 1e-4)
    assert slowness.interval(0.05)[1] is None


def banded(slower: float, candidate: tuple[int, int], stable: tuple[int, int], seed: int = 0) -> Slowness:
    """Two bands, the second ten times as long, with so many requests on each side."""
    bands = tuple(
        (histogram(slower * length, seed + 2 * place, mine), histogram(length, seed + 2 * place + 1, theirs))
        for place, (length, mine, theirs) in enumerate(zip((1.0, 10.0), candidate, stable, strict=True))
    )
    return Slowness(bands, EDGES, 0.95)


@pytest.mark.parametrize(("candidate", "stable"), [((400, 3600), (3600, 400)), ((3600, 400), (400, 3600))])
def test_who_got_longer_or_shorter_audio_is_judged_by_equal_lengths(
    candidate: tuple[int, int], stable: tuple[int, int]
) -> None:
    equal = banded(1.0, candidate, stable)
    assert not equal.worse(1.1, 1e-3)
    assert equal.within(2.0, 1e-3)
    assert equal.estimate == pytest.approx(1.0, rel=0.15)
    slow = banded(2.0, candidate, stable)
    assert slow.worse(1.2, 1e-3)
    assert slow.estimate == pytest.approx(2.0, rel=0.15)


def test_at_equal_length_a_version_is_seldom_condemned_however_audio_is_spread() -> None:
    found = [banded(1.5, (200, 800), (800, 200), 4 * seed) for seed in range(200)]
    assert sum(one.worse(1.5, 0.05) for one in found) <= 21  # 99.9 % bound of a binomial of 200 at 5 %


def test_the_order_of_bands_does_not_matter() -> None:
    one = banded(1.4, (1000, 1000), (1000, 1000))
    other = Slowness(one.bands[::-1], EDGES, 0.95)
    assert other.interval(0.05) == one.interval(0.05)
    assert other.estimate == pytest.approx(one.estimate)


def test_sides_may_have_different_numbers_of_clusters() -> None:
    """Each user is a cluster where the history is compared."""
    mine, theirs = histogram(2.0, 1)[:7], histogram(1.0, 2)
    assert Slowness(((mine, theirs),), EDGES, 0.95).worse(1.2, 1e-3)
    assert not Slowness(((theirs, mine),), EDGES, 0.95).worse(1.2, 1e-3)


def test_a_band_is_compared_where_the_candidate_has_any_and_the_stable_version_enough() -> None:
    none, one, few, enough = (np.full((1, 3), count, dtype=np.int64) for count in (0, 1, 6, 7))
    assert comparable(one, enough)
    assert not comparable(one, few)
    assert not comparable(none, enough)
    assert not comparable(none, none)


def test_at_the_margin_the_candidate_is_seldom_condemned_or_certified() -> None:
    pairs = [(histogram(1.5, 2 * seed, 1000), histogram(1.0, 2 * seed + 1, 1000)) for seed in range(200)]
    found = [Slowness(((ours, theirs),), EDGES, 0.95) for ours, theirs in pairs]
    for wrong in (sum(s.worse(1.5, 0.05) for s in found), sum(s.within(1.5, 0.05) for s in found)):
        assert wrong <= 21  # 99.9 % bound of a binomial of 200 at 5 %


@pytest.mark.parametrize("ratio", [0.001, 1000.0])
def test_ratios_beyond_every_cell_are_answered(ratio: float) -> None:
    slowness = Slowness(((histogram(1.0, 1), histogram(1.0, 2)),), EDGES, 0.95)
    assert slowness.worse(ratio, 0.01) == (ratio < 1)
    assert slowness.within(ratio, 0.01) == (ratio > 1)


@pytest.mark.parametrize("slower", [1.0, 2.0])
def test_what_one_client_may_have_chosen_proves_nothing(slower: float) -> None:
    chosen = histogram(slower, 1, 300)
    chosen[:, 150:] += histogram(1.0, 3, 200)[:, :124]  # as slow as he likes
    pair = ((chosen, histogram(1.0, 2)),)
    assert Slowness(pair, EDGES, 0.95).worse(1.2, 1e-4)
    assert Slowness(pair, EDGES, 0.95, doubtful=200.0).worse(1.2, 1e-4) == (slower == 2.0)
    assert not Slowness(pair, EDGES, 0.95, doubtful=float(chosen.sum())).worse(1.2, 1e-4)
