"""The difference of two versions' error rates on one test set, with an interval over speakers.

Both versions recognised the same audio. What one speaker says is recognised alike well or badly, so the errors are
counted by cluster (speaker), and speakers, not utterances, are what the interval takes as drawn at random.
The difference D = (sum b_s - sum a_s) / sum n_s of candidate b less baseline a over reference tokens n is a ratio
estimator (Cochran 1977, Sampling Techniques, 6.3): long utterances count for what they hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf, log, sqrt
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from huidu.core.errors import InvalidError
from huidu.core.stats.special import student_quantile

Integers = NDArray[np.int64]
Answer = Literal["worse", "not_worse", "undecided"]

_NEVER_UTTERANCES = 1e9


@dataclass(frozen=True, slots=True)
class PairedInterval:
    """Candidate less baseline in errors per reference token, from `low` to `high` at `confidence` (two-sided).

    `clusters` are those that had any tokens or errors. `standard_error` is the jackknife's; it is 0 where all
    clusters show one difference, and infinite where there are too few clusters to tell.
    """

    difference: float
    low: float
    high: float
    confidence: float
    clusters: int
    standard_error: float


def paired_interval(
    reference: ArrayLike, baseline: ArrayLike, candidate: ArrayLike, confidence: float = 0.95
) -> PairedInterval:
    """The difference and its interval, from tokens and both versions' errors, all of shape (clusters,).

    The variance is the delete-one-cluster jackknife's, taken around the estimate,
        v = (S-1)/S sum_s (D_(s) - D)^2,  D_(s) - D = -(d_s - D n_s) / (N - n_s),  d_s = b_s - a_s,  N = sum n_s
    (Efron and Stein 1981, The Annals of Statistics 9; Shao and Tu 1995, The Jackknife and Bootstrap, 2.1 and 6.3),
    and the interval reaches t sqrt(v) to both sides, with Student's t at `degrees_of_freedom`: S-1 for speakers of
    one size, fewer where some have much more of the tokens. Where a few speakers carry most of the difference, the
    truth lies above the interval more often than below: tests/bench/intervals.py shows how often.

    It never reaches less far than `unseen_difference`, which is what a set without any difference leaves
    open: a set on which nothing differs is no proof that nothing will, and one that shows a single difference must
    not prove more than one that shows none.

    A cluster without reference tokens counts if a version put out anything there, and is dropped if not. With one
    cluster, or with all tokens in one, nothing is known about others: the interval is (-inf, inf).
    Raises InvalidError on shapes that differ, negative counts, no reference token at all, or a confidence outside
    (0, 1).
    """
    if not 0 < confidence < 1:
        raise InvalidError(f"confidence {confidence}; accepted: between 0 and 1")
    n, a, b = _counted(reference, baseline, candidate)
    total, clusters = int(n.sum()), len(n)
    difference = int((b - a).sum()) / total
    if n.max() == total:
        return PairedInterval(difference, -inf, inf, confidence, clusters, inf)
    left_out = (b - a - difference * n) / (total - n)
    error = sqrt((clusters - 1) / clusters * float(left_out @ left_out))
    half = student_quantile((1 - confidence) / 2, degrees_of_freedom(n)) * error
    half = max(half, unseen_difference(n, confidence))
    return PairedInterval(difference, difference - half, difference + half, confidence, clusters, error)


def degrees_of_freedom(reference: ArrayLike) -> float:
    """Of the jackknife's variance over two or more clusters of so many tokens, none of which has all of them.

    Bell and McCaffrey (2002), Survey Methodology 28, with the working model that a cluster's difference spreads
    in proportion to its size, as it does when speakers differ and not only their sentences: v = e' W e with
    W = diag 1/(N - n_s)^2 and residuals e = (I - p 1') u, p = n/N, var u = diag n^2. Then, by Satterthwaite,
        df = (tr C W)^2 / tr C W C W,  C_st = n_s^2 [s = t] - p_s n_t^2 - p_t n_s^2 + p_s p_t sum n^2 = cov(e_s, e_t).
    Between 1 and S-1, which it is where all clusters are alike.
    """
    n = np.asarray(reference, dtype=float)
    n = n / n.sum()
    if n.max() > 0.99:
        return 1.0  # which it is to four digits, while the sums below would cancel
    weight, variance = 1 / (1 - n) ** 2, n * n
    whole = float(variance.sum())
    # tr C W C W = sum_st w_s w_t C_st^2, whose off-diagonal part is made of products of sums.
    pp, px, xx = (float(weight @ product) for product in (n * n, n * variance, variance * variance))
    shared = n * n * whole - 2 * n * variance
    diagonal = variance + shared
    squares = 2 * xx * pp + 2 * px**2 + (whole * pp) ** 2 - 4 * whole * px * pp
    squares += float((weight * weight) @ (diagonal**2 - shared**2))
    return float(weight @ diagonal) ** 2 / squares


def unseen_difference(reference: ArrayLike, confidence: float = 0.95) -> float:
    """The highest mean rate of new errors that seeing none in any cluster does not exclude.

    Speakers differ, so let their rates be exponential with mean m, and errors at a rate Poisson. No error among
    n_s tokens then has the probability 1 / (1 + n_s m), and m is where
        prod_s 1 / (1 + n_s m) = (1 - confidence) / 2.
    Over many small clusters that is log(2 / (1 - confidence)) / N, the rule of three (Hanley and Lippman-Hand
    1983, JAMA 249) for two sides: 3.7 / N at 95 %; over few large ones it is more, 10.6 / N for two alike.
    """
    n = np.asarray(reference, dtype=float)
    target = log(2 / (1 - confidence))
    # The log is concave in m: from below, Newton's method climbs to the root and never passes it.
    rate, before = target / float(n.sum()), 0.0
    while rate - before > 1e-12 * rate:
        before = rate
        rate += (target - float(np.log1p(n * rate).sum())) / float((n / (1 + n * rate)).sum())
    return rate


def cluster_sums(speakers: Sequence[str | None], *counts: ArrayLike) -> tuple[Integers, ...]:
    """Counts by utterance, each of shape (utterances,), summed by speaker, each of shape (clusters,).

    An utterance without a speaker (None or empty) is a cluster of its own: nothing says whom it is like.
    Clusters are in the order of their first utterance.
    Raises InvalidError where there are not as many counts as speakers.
    """
    clusters: dict[str | int, int] = {}
    index = [clusters.setdefault(speaker or place, len(clusters)) for place, speaker in enumerate(speakers)]
    sums = []
    for count in counts:
        amounts = np.asarray(count, dtype=np.int64)
        if amounts.shape != (len(index),):
            raise InvalidError(f"counts of shape {amounts.shape}; accepted: one for each of {len(index)} utterances")
        by_cluster = np.zeros(len(clusters), dtype=np.int64)
        np.add.at(by_cluster, index, amounts)
        sums.append(by_cluster)
    return tuple(sums)


def verdict(interval: PairedInterval, fail_above: float, at_most: float | None) -> Answer:
    """Whether the candidate is proven worse by more than `fail_above`, or proven worse by less than `at_most`.

    An interval that lies between the two proves both; it is called worse, because that stops a release.
    Without `at_most` nothing is ever called not worse.
    """
    if interval.low > fail_above:
        return "worse"
    if at_most is not None and interval.high < at_most:
        return "not_worse"
    return "undecided"


def more_utterances(interval: PairedInterval, utterances: int, fail_above: float, at_most: float | None) -> int | None:
    """About how many more utterances of the same kind, from as many more speakers, would bring a verdict.

    The present estimate is taken as the truth and the width as falling with 1/sqrt(utterances), or with
    1/utterances where no cluster differs from the others and the width is that of `unseen_difference`. 0 when
    decided; None when more of the same would not decide: the estimate is neither above `fail_above` nor below
    `at_most`, or so near to it that it would take a billion, or one speaker was all there is.
    """
    if verdict(interval, fail_above, at_most) != "undecided":
        return 0
    half = (interval.high - interval.low) / 2
    room = max(interval.difference - fail_above, -inf if at_most is None else at_most - interval.difference)
    if room <= 0 or half == inf:
        return None
    narrower = half / room
    more = utterances * ((narrower * narrower if interval.standard_error > 0 else narrower) - 1)
    return max(1, ceil(more)) if more < _NEVER_UTTERANCES else None


def resampled_differences(
    reference: ArrayLike, baseline: ArrayLike, candidate: ArrayLike, resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """The difference in each of `resamples` sets of as many clusters drawn with replacement, to take percentiles of.

    The percentile bootstrap over speakers (Efron and Tibshirani 1993, An Introduction to the Bootstrap, 13.3; Bisani
    and Ney 2004, ICASSP, with utterances in place of speakers). With few speakers its intervals are too narrow;
    `paired_interval` is the one to decide by. Resamples that drew no reference token are left out.
    Raises InvalidError as `paired_interval` does.
    """
    n, a, b = _counted(reference, baseline, candidate)
    times = rng.multinomial(len(n), np.full(len(n), 1 / len(n)), size=resamples).astype(float)
    tokens, differences = (times @ np.column_stack((n, b - a))).T
    drawn_any = tokens > 0
    found: NDArray[np.float64] = differences[drawn_any] / tokens[drawn_any]
    return found


def _counted(reference: ArrayLike, baseline: ArrayLike, candidate: ArrayLike) -> tuple[Integers, Integers, Integers]:
    """The three arrays without the clusters that hold nothing at all."""
    n, a, b = (np.asarray(counts, dtype=np.int64) for counts in (reference, baseline, candidate))
    if n.ndim != 1 or not n.shape == a.shape == b.shape:
        raise InvalidError(f"counts of shapes {n.shape}, {a.shape}, {b.shape}; accepted: one number for each cluster")
    if min(n.min(initial=0), a.min(initial=0), b.min(initial=0)) < 0:
        raise InvalidError("a negative count; accepted: 0 or more")
    if n.sum() == 0:
        raise InvalidError("no reference tokens in any cluster; accepted: at least one")
    kept = (n > 0) | (a > 0) | (b > 0)
    return n[kept], a[kept], b[kept]
