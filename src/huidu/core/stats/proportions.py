"""Exact statements about shares of users, for any number of them.

A unit (a user) that met a bad item at least once is a hit. The exact ways count units and not items, because
items of one user are alike.
"""

from dataclasses import dataclass
from math import exp

from huidu.core.stats.special import beta_below, beta_quantile, log_binomial


def fisher_greater(k1: int, n1: int, k2: int, n2: int) -> float:
    """P(at least k1 of all k1 + k2 hits fall on the first sample), given both sizes: small when it has too many.

    The upper hypergeometric tail (Fisher 1935; Agresti 2013, Categorical Data Analysis, 3.5.1), its terms by
    Loader (2000), section 5. Exact under the hypothesis that the versions do the same to every user.
    """
    hits, total = k1 + k2, n1 + n2
    if k1 <= max(0, hits - n2) or hits == total:
        return 1.0
    p = hits / total
    above = k1 * total > hits * n1
    k = k1 if above else k1 - 1
    first = exp(log_binomial(k, n1, p) + log_binomial(hits - k, n2, p) - log_binomial(hits, total, p))
    term, tail = first, first
    while term > 1e-18 * tail:
        if above:
            term *= (n1 - k) * (hits - k) / ((k + 1) * (n2 - hits + k + 1))
            k += 1
        else:
            term *= k * (n2 - hits + k) / ((n1 - k + 1) * (hits - k + 1))
            k -= 1
        tail += term
    return min(1.0, tail if above else 1 - tail)


def binomial_greater(k: int, n: int, p: float) -> float:
    """P(X >= k) for a binomial X of n draws with probability p (Agresti 2013, 1.3.4)."""
    return 1.0 if k <= 0 else beta_below(k, n - k + 1, p)


def clopper_pearson(k: int, n: int, level: float) -> tuple[float, float]:
    """Lower and upper bound on a share after k hits among n, each wrong with probability at most `level`.

    Clopper and Pearson (1934), Biometrika 26, as beta quantiles. Without units nothing is excluded: (0, 1).
    """
    lower = beta_quantile(level, k, n - k + 1) if k > 0 else 0.0
    upper = 1 - beta_quantile(level, n - k, k + 1) if k < n else 1.0
    return lower, upper


@dataclass(frozen=True, slots=True)
class Hits:
    """So many of `units` were hit at least once; they had `items` items each on average (at least 1)."""

    hits: int
    units: int
    items: float = 1.0

    def item_rate(self, level: float) -> tuple[float, float]:
        """Lower and upper bound on the rate of bad items, each at `level`.

        A unit that was hit had between one bad item and nothing but bad ones, so the rate lies between the share
        of units hit, divided by the items of a unit, and that share. Taken for granted: who uses the service
        more does not fare worse for it.
        """
        lower, upper = clopper_pearson(self.hits, self.units, level)
        return lower / max(1.0, self.items), upper


def difference_bounds(candidate: Hits, stable: Hits, level: float) -> tuple[float, float]:
    """Lower and upper bound on candidate less stable in the rate of bad items, each wrong at most at `level`.

    Each needs a bound on both arms, and these share the level by halves (Bonferroni).
    """
    low, high = candidate.item_rate(level / 2)
    stable_low, stable_high = stable.item_rate(level / 2)
    return low - stable_high, high - stable_low


@dataclass(frozen=True, slots=True)
class ExactDifference:
    """What users who met something bad say about candidate less stable.

    `alike` says that both arms were met by the same kind of users for the same time, so that against a margin of
    zero Fisher's test holds; it is much sharper than the bounds.
    """

    candidate: Hits
    stable: Hits
    alike: bool = True

    def worse(self, margin: float, level: float) -> bool:
        """Whether the candidate is proven worse by more than `margin`."""
        if margin == 0 and self.alike:
            mine, other = self.candidate, self.stable
            return fisher_greater(mine.hits, mine.units, other.hits, other.units) <= level
        return difference_bounds(self.candidate, self.stable, level)[0] > margin

    def within(self, margin: float, level: float) -> bool:
        """Whether the candidate is proven worse by less than `margin`."""
        return difference_bounds(self.candidate, self.stable, level)[1] < margin

    def interval(self, level: float) -> tuple[float, float]:
        """Two-sided bounds on the difference that miss it with probability at most `level`."""
        return difference_bounds(self.candidate, self.stable, level / 2)
