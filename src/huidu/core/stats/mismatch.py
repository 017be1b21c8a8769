"""The sequential test for a sample ratio mismatch: whether units fall on the versions in the asked proportions.

Lindon and Malek (2022), Anytime-Valid Inference for Multinomial Count Data (arXiv 2011.03567). Under the null each
unit falls into cell i with probability theta_i; the alternative spreads its probabilities by a Dirichlet prior.
"""

from collections.abc import Sequence
from math import lgamma, log

CONCENTRATION = 100.0


def prior(expected: Sequence[float], concentration: float = CONCENTRATION) -> list[float]:
    """Dirichlet parameters around the expected proportions: a prior as firm as `concentration` units."""
    return [concentration * share for share in expected]


def log_evidence(counts: Sequence[int], expected: Sequence[float], parameters: Sequence[float]) -> float:
    """The log of E = [B(a + n) / B(a)] / prod theta^n, B being the multivariate beta function (equation 7).

    `counts` n by cell, `expected` proportions theta above 0, which sum to 1, `parameters` a of the Dirichlet prior.
    Under the null the chance that E ever reaches 1/alpha, looked at after every unit, is at most alpha (Ville);
    so 1/E at any look, and the smallest over all looks, is a p-value.
    """
    seen = [parameter + count for parameter, count in zip(parameters, counts, strict=True)]
    null = sum(count * log(share) for count, share in zip(counts, expected, strict=True))
    return _log_beta(seen) - _log_beta(parameters) - null


def _log_beta(parameters: Sequence[float]) -> float:
    """The log of the multivariate beta function: prod Gamma(a) / Gamma(sum a)."""
    return sum(lgamma(parameter) for parameter in parameters) - lgamma(sum(parameters))
