from itertools import accumulate
from math import comb, exp, lgamma, log

import numpy as np
import pytest
from numpy.typing import NDArray

from huidu.core.stats.mismatch import log_evidence, prior


def multinomial_coefficient(counts: list[int]) -> float:
    return lgamma(sum(counts) + 1) - sum(lgamma(count + 1) for count in counts)


def paths(expected: float, truth: float, runs: int, units: int, seed: int) -> NDArray[np.float64]:
    """log E after every unit, of shape (runs, units): the product of predictive probabilities, unit by unit."""
    hits = np.random.default_rng(seed).random((runs, units)) < truth
    before: NDArray[np.int64] = np.cumsum(hits, axis=1) - hits
    number = np.arange(units)
    a, b = prior((expected, 1 - expected))
    predicted = (a + before) / (a + b + number)
    gains = np.where(hits, np.log(predicted / expected), np.log((1 - predicted) / (1 - expected)))
    found: NDArray[np.float64] = np.cumsum(gains, axis=1)
    return found


def test_ssrm_log_marginals_come_out() -> None:
    """The blocks and numbers of optimizely/ssrm's own test."""
    expected, flat = (0.4, 0.4, 0.2), (1.0, 1.0, 1.0)
    blocks = [[20, 17, 9], [18, 21, 8], [4, 6, 4], [18, 19, 11]]
    ways = list(accumulate(multinomial_coefficient(block) for block in blocks))
    totals = list(accumulate(blocks, lambda one, other: [a + b for a, b in zip(one, other, strict=True)]))
    null = [
        way + sum(n * log(theta) for n, theta in zip(counts, expected, strict=True))
        for way, counts in zip(ways, totals, strict=True)
    ]
    assert null == pytest.approx([-4.077641, -8.265947, -11.610744, -15.781031], abs=1e-6)
    marginal = [at + log_evidence(counts, expected, flat) for at, counts in zip(null, totals, strict=True)]
    assert marginal == pytest.approx([-7.028201, -11.947848, -15.471402, -19.964845], abs=1e-6)


def test_savvi_stops_where_its_page_says() -> None:
    """savvi's page on the multinomial: numpy seed 1, truth (.1, .3, .6), null (.1, .4, .5), alpha .05."""
    draws = np.random.RandomState(1).multinomial(1, [0.1, 0.3, 0.6], size=1000)
    expected = (0.1, 0.4, 0.5)
    p_values = (exp(-log_evidence(list(counts), expected, prior(expected))) for counts in np.cumsum(draws, axis=0))
    n, p = next((n, p) for n, p in enumerate(p_values, 1) if p <= 0.05)
    assert n == 402
    assert p == pytest.approx(0.04845591105969517, rel=1e-9)


def test_the_closed_form_is_the_product_of_predictions() -> None:
    hits = np.random.default_rng(2).random(400) < 0.1
    path = paths(0.2, 0.1, 1, 400, seed=2)[0]
    on_candidate = int(hits.sum())
    assert log_evidence((on_candidate, 400 - on_candidate), (0.2, 0.8), prior((0.2, 0.8))) == pytest.approx(path[-1])


def test_nothing_seen_is_no_evidence_and_a_mean_is_one() -> None:
    assert log_evidence((0, 0), (0.2, 0.8), prior((0.2, 0.8))) == pytest.approx(0)
    # E is a likelihood ratio: over all outcomes of the null its mean is 1.
    mean = sum(
        comb(30, k) * 0.3**k * 0.7 ** (30 - k) * exp(log_evidence((k, 30 - k), (0.3, 0.7), prior((0.3, 0.7))))
        for k in range(31)
    )
    assert mean == pytest.approx(1)


@pytest.mark.parametrize("share", [0.0005, 0.05, 0.2, 0.5])
def test_looking_after_every_unit_raises_few_false_alarms(share: float) -> None:
    alpha, runs = 0.05, 600
    alarmed = int((paths(share, share, runs, 5000, seed=3).max(axis=1) >= log(1 / alpha)).sum())
    # At most alpha by Ville; three standard errors above it are granted to chance.
    assert alarmed <= runs * alpha + 3 * (runs * alpha * (1 - alpha)) ** 0.5


@pytest.mark.parametrize(
    ("share", "truth", "units"),
    [(0.2, 0.1, 800), (0.2, 0.0, 120), (0.05, 0.0, 500), (0.5, 0.45, 6000), (0.05, 0.2, 250)],
)
def test_a_wrong_proportion_is_found(share: float, truth: float, units: int) -> None:
    found = paths(share, truth, 200, units, seed=4).max(axis=1) >= log(1000)
    assert found.mean() > 0.95


def test_large_counts_keep_their_digits() -> None:
    assert abs(log_evidence((2_000_000, 8_000_000), (0.2, 0.8), prior((0.2, 0.8)))) < 20
    assert log_evidence((1_980_000, 8_020_000), (0.2, 0.8), prior((0.2, 0.8))) > log(1000)
