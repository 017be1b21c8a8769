import numpy as np
import pytest
from numpy.typing import NDArray

from huidu.core.stats.quantiles import Slowness, quantile_cell

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


def test_failures_are_slower_than_anything() -> None:
    failing = histogram(1.0, 1)
    failing[:, -1] += 40
    slowness = Slowness(((failing, histogram(1.0, 2)),), EDGES, 0.95)
    assert slowness.worse(3.0, 1e-4)
    assert slowness.interval(0.05)[1] is None


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
