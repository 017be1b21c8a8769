"""The incomplete beta function and what follows from it: binomial terms, Student's t, quantiles.

Everything goes through the saddle-point form of Loader (2000), Fast and Accurate Computation of Binomial
Probabilities, because differences of log-gammas lose eight digits at a million observations.
"""

from collections.abc import Callable
from math import exp, inf, lgamma, log, log1p, pi, sqrt

_HALF_LOG_2PI = 0.5 * log(2 * pi)
_STEPS = 100_000
_TINY = 1e-300


def stirling_error(z: float) -> float:
    """log Gamma(z) less Stirling's (z - 1/2) log z - z + log(2 pi)/2, for z > 0 (Loader 2000, section 3)."""
    if z < 10:
        return lgamma(z) - (z - 0.5) * log(z) + z - _HALF_LOG_2PI
    w = 1 / (z * z)
    tail = 1 / 1260 - w * (1 / 1680 - w * (1 / 1188 - w * 691 / 360360))
    return (1 / 12 - w * (1 / 360 - w * tail)) / z


def deviance(x: float, mean: float) -> float:
    """x log(x/mean) + mean - x without cancellation, for x >= 0 and mean > 0 (Loader 2000, equation 5)."""
    if x == 0:
        return mean
    if abs(x - mean) >= 0.1 * (x + mean):
        return x * log(x / mean) + mean - x
    v = (x - mean) / (x + mean)
    total, power = (x - mean) * v, 2 * x * v
    for j in range(1, _STEPS):
        power *= v * v
        larger = total + power / (2 * j + 1)
        if larger == total:
            break
        total = larger
    return total


def log_binomial(k: int, n: int, p: float) -> float:
    """Log probability of k hits in n draws, for 0 < p < 1 (Loader 2000, equation 3)."""
    if k == 0:
        return n * log1p(-p)
    if k == n:
        return n * log(p)
    shape = stirling_error(n) - stirling_error(k) - stirling_error(n - k)
    fit = deviance(k, n * p) + deviance(n - k, n * (1 - p))
    return shape - fit + 0.5 * log(n / (2 * pi * k * (n - k)))


def _density(a: float, b: float, x: float, y: float) -> float:
    """x^a y^b / B(a, b) with y = 1 - x: the beta density times x y."""
    n = a + b
    if n * x == 0 or n * y == 0:
        return 0.0
    shape = stirling_error(n) - stirling_error(a) - stirling_error(b)
    return exp(shape - deviance(a, n * x) - deviance(b, n * y)) * sqrt(a / n * b / (2 * pi))


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's method.

    DLMF 8.17.22; Press et al. (2007), Numerical Recipes, 6.4. Converges fast for x < (a+1)/(a+b+2).
    """
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / _away(1 + even * d)
        c = _away(1 + even / c)
        value *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1 / _away(1 + odd * d)
        c = _away(1 + odd / c)
        value *= d * c
        if abs(d * c - 1) < 1e-15:
            return value
    raise ArithmeticError(f"the incomplete beta function did not converge at a={a}, b={b}, x={x}")


def _away(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def _beta_below(a: float, b: float, x: float, y: float) -> float:
    if x <= 0:
        return 0.0
    if y <= 0:
        return 1.0
    if x < (a + 1) / (a + b + 2):
        return _density(a, b, x, y) * _fraction(a, b, x) / a
    return 1 - _density(a, b, x, y) * _fraction(b, a, y) / b


def beta_below(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b) for a, b > 0 and 0 <= x <= 1."""
    return _beta_below(a, b, x, 1 - x)


def student_above(t: float, df: float) -> float:
    """P(T > t) for Student's t with df > 0 degrees of freedom (DLMF 8.17.5 with x = df/(df + t^2))."""
    square = t * t
    if square == inf:
        return 0.0 if t > 0 else 1.0
    tail = 0.5 * _beta_below(df / 2, 0.5, df / (df + square), square / (df + square))
    return tail if t >= 0 else 1 - tail


def student_quantile(p: float, df: float) -> float:
    """The t that is exceeded with probability p, 0 < p < 1."""
    if p == 0.5:
        return 0.0
    if p > 0.5:
        return -student_quantile(1 - p, df)

    def tail(t: float) -> tuple[float, float]:
        square = t * t
        weight = _density(df / 2, 0.5, df / (df + square), square / (df + square)) / t if t else 0.0
        return student_above(t, df), -weight

    high = 1.0
    while student_above(high, df) > p:
        high *= 2
    return _solve(tail, p, 0.0, high, high / 2)


def beta_quantile(p: float, a: float, b: float) -> float:
    """The x below which a beta variable with a, b > 0 falls with probability p, 0 < p < 1."""

    def below(x: float) -> tuple[float, float]:
        return beta_below(a, b, x), _density(a, b, x, 1 - x) / (x * (1 - x)) if 0 < x < 1 else 0.0

    return _solve(below, p, 0.0, 1.0, a / (a + b))


def _solve(
    function: Callable[[float], tuple[float, float]], target: float, low: float, high: float, point: float
) -> float:
    """Where a monotone positive function takes the value `target` between `low` >= 0 and `high`, from `point` on.

    Newton's method on both logarithms, in which a tail is near straight; whenever a step leaves the bracket it
    is halved instead, so that it cannot fail. `function` gives value and slope.
    """
    rises = function(high)[0] > function(low)[0]
    for _ in range(1200):  # halving alone reaches the smallest double in so many steps
        value, slope = function(point)
        if value == target:
            break
        if (value < target) == rises:
            low = point
        else:
            high = point
        power = (log(target) - log(value)) * value / (slope * point) if value > 0 and slope else inf
        following = point * exp(power) if abs(power) < 100 else inf
        if low < following < high:
            converged = abs(power) <= 1e-14
        else:
            following = (low + high) / 2
            converged = following in (low, high)
        point = following
        if converged:
            break
    return point
