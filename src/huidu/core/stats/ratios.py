"""Ratios of sums (bad requests per request, character errors per character) over clusters of like things.

Requests of one user are alike, so standard errors come from sums by cluster: random groups of users (Wolter
2007, Introduction to Variance Estimation, 2.2) or speakers. A ratio is linearised: its residuals are
e_g = y_g - R x_g (Wolter 2007, 6.2; Cochran 1977, Sampling Techniques, 6.4).
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from huidu.core.stats.special import student_above, student_quantile

LEAST_CLUSTERS = 2


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio of sums: its value, its variance, the clusters that had any size, and its denominator."""

    value: float
    variance: float
    clusters: int
    size: float


def ratio(amounts: ArrayLike, sizes: ArrayLike) -> Ratio | None:
    """The sum of `amounts` over the sum of `sizes`, both of shape (clusters,); clusters without size are left out.

    The variance is G/(G-1) sum e_g^2 / (sum x_g)^2. None with fewer than two clusters.
    """
    y, x = np.asarray(amounts, dtype=float), np.asarray(sizes, dtype=float)
    y, x = y[x > 0], x[x > 0]
    clusters = len(x)
    if clusters < LEAST_CLUSTERS:
        return None
    size = float(x.sum())
    value = float(y.sum()) / size
    residuals = y - value * x
    variance = clusters / (clusters - 1) * float(residuals @ residuals) / size**2
    return Ratio(value, variance, clusters, size)


@dataclass(frozen=True, slots=True)
class MeanDifference:
    """An estimated difference with its variance and Student's degrees of freedom.

    Of two arms, `ours` and `theirs` are the parts of the variance of the candidate and the stable version. Were the
    candidate as bad as a margin allows, its part would be `dispersion` times its rate, stable's `rate` plus the
    margin: bad things that are more frequent spread more, as counts do (McCullagh and Nelder 1989, Generalized
    Linear Models, 6.2). Certifying supposes that, as does the score test of Farrington and Manning (1990),
    Statistics in Medicine 9.
    """

    estimate: float
    ours: float
    theirs: float
    df: float
    dispersion: float = 0.0
    rate: float = 0.0

    @property
    def standard_error(self) -> float:
        return sqrt(self.ours + self.theirs)

    def worse(self, margin: float, level: float) -> bool:
        """Whether the difference is proven to exceed `margin`: one-sided t test."""
        return student_above((self.estimate - margin) / self.standard_error, self.df) <= level

    def within(self, margin: float, level: float) -> bool:
        """Whether the difference is proven to stay under `margin`: one-sided t test, spread as at the margin."""
        ours = max(self.ours, self.dispersion * (self.rate + margin))
        return student_above((margin - self.estimate) / sqrt(ours + self.theirs), self.df) <= level

    def interval(self, level: float) -> tuple[float, float]:
        """Two-sided bounds that miss the difference with probability `level`."""
        half = student_quantile(level / 2, self.df) * self.standard_error
        return self.estimate - half, self.estimate + half


def difference(candidate: Ratio | None, stable: Ratio | None) -> MeanDifference | None:
    """Candidate less stable, for two independent arms; None when one of them has too few clusters.

    An arm's variance counts at least what the other arm's spread would give at its size: a small arm whose few
    clusters agree by chance, or that missed the rare bad ones, must prove nothing. Degrees of freedom by
    Welch (1947), Biometrika 34, and Satterthwaite (1946), Biometrics Bulletin 2, equation 17.
    """
    if candidate is None or stable is None:
        return None
    if candidate.variance == stable.variance == 0:
        ours, theirs = _smoothed(candidate), _smoothed(stable)
    else:
        ours = max(candidate.variance, stable.variance * stable.size / candidate.size)
        theirs = max(stable.variance, candidate.variance * candidate.size / stable.size)
    df = (ours + theirs) ** 2 / (ours**2 / (candidate.clusters - 1) + theirs**2 / (stable.clusters - 1))
    dispersion = max(_dispersion(candidate), _dispersion(stable) * stable.size / candidate.size)
    return MeanDifference(candidate.value - stable.value, ours, theirs, df, dispersion, stable.value)


def _dispersion(arm: Ratio) -> float:
    return arm.variance / arm.value if arm.value > 0 else 0.0


def _smoothed(arm: Ratio) -> float:
    """The variance of an arm whose clusters all agree: that of a share of its clusters after one more hit and miss.

    Agresti and Caffo (2000), The American Statistician 54. A total failure on one side and none on the other
    must be provable, and nothing wrong on both sides must not certify by itself.
    """
    share = (min(1.0, arm.value) * arm.clusters + 1) / (arm.clusters + 2)
    return share * (1 - share) / arm.clusters
