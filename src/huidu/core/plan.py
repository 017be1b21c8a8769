"""A release plan and its guards: frozen values that refuse nonsense when they are born.

Shares are integer basis points (500 = 5 %), durations seconds, differences fractions (0.005 = 0.5 pp).
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from huidu.core.errors import InvalidError

FULL_BP = 10_000
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_CENTURY_SECONDS = 100 * 365 * 86_400
_UNIT_BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def duration_seconds(text: str) -> float:
    """`30s 10m 1h 7d` in seconds, at most a century. Raises `InvalidError`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text.strip())
    if not found:
        raise InvalidError(f"read duration '{text}'; accepted: a number and s, m, h or d, such as 30s or 15m")
    seconds = float(found[1]) * _UNIT_SECONDS[found[2]]
    # A time so far away is none that any clock or calendar can tell.
    if seconds > _CENTURY_SECONDS:
        raise InvalidError(f"read duration '{text}'; accepted: at most 36500d")
    return seconds


def share_bp(text: str) -> int:
    """`5%` or `0.5%` in basis points; at most two decimals. Raises `InvalidError`."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,2})?)\s*%", text.strip())
    value = round(float(found[1]) * 100) if found else -1
    if not 0 <= value <= FULL_BP:
        raise InvalidError(f"read share '{text}'; accepted: 0% to 100% with at most two decimals, such as 5% or 0.5%")
    return value


def size_bytes(text: str) -> int:
    """`500MB`, `2GB` in bytes (decimal). Raises `InvalidError`."""
    found = re.fullmatch(r"(\d{1,15}(?:\.\d+)?)\s*([KMGT]?B)", text.strip())
    if not found:
        raise InvalidError(f"read size '{text}'; accepted: a number and B, KB, MB, GB or TB, such as 500MB")
    return round(float(found[1]) * _UNIT_BYTES[found[2]])


def difference(text: str) -> float:
    """`+0.5pp` as a fraction (0.005). Raises `InvalidError`."""
    found = re.fullmatch(r"\+?(\d+(?:\.\d+)?)\s*pp", text.strip())
    if not found:
        raise InvalidError(f"read difference '{text}'; accepted: percentage points such as +0pp or +0.5pp")
    return float(found[1]) / 100


def ratio(text: str) -> float:
    """`1.2x` as a number of at least 1. Raises `InvalidError`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*x", text.strip())
    if not found or float(found[1]) < 1:
        raise InvalidError(f"read ratio '{text}'; accepted: 1x or more, such as 1.1x")
    return float(found[1])


def quantile(text: str) -> float:
    """`p95` as 0.95. Raises `InvalidError`."""
    found = re.fullmatch(r"p(\d{1,2}(?:\.\d)?)", text.strip())
    if not found or not 0 < float(found[1]) < 100:
        raise InvalidError(f"read quantile '{text}'; accepted: p1 to p99.9, such as p95")
    return float(found[1]) / 100


class Undecided(StrEnum):
    """What to do when the golden set cannot decide."""

    ASK = "ask"
    GO_ON = "go_on"


@dataclass(frozen=True, slots=True)
class Golden:
    """A test set with known text, recognised by both versions before any user meets the candidate."""

    set: str
    undecided: Undecided = Undecided.ASK

    @property
    def name(self) -> str:
        return "golden"


# Without them a stage would go on although hardly anybody met the candidate.
LEAST_RECOGNITIONS, LEAST_UNITS = 100, 3
DEFAULT_HOLDBACK_BP = 500


@dataclass(frozen=True, slots=True)
class Share:
    """Part of the users for some time. A share of 100 % is the bake, which ends in promotion.

    The stage goes on when each side has at least `at_least` compared recognitions of at least `units` users; in the
    bake that is asked of the candidate's side alone, and of a share of 0 % nothing. In the bake `holdback_bp` of the
    users stay on the former stable version, so that there is something to compare with.
    """

    share_bp: int
    for_seconds: float
    at_least: int = LEAST_RECOGNITIONS
    units: int = LEAST_UNITS
    holdback_bp: int = 0

    def __post_init__(self) -> None:
        if self.holdback_bp and self.share_bp != FULL_BP:
            raise InvalidError(
                f"a holdback stands beside a share of {self.share_bp / 100:g}%; accepted: beside 100% only"
            )
        if not 0 <= self.holdback_bp < FULL_BP:
            raise InvalidError(f"read holdback {self.holdback_bp / 100:g}%; accepted: 0% to less than 100%")

    @property
    def name(self) -> str:
        return "bake" if self.share_bp == FULL_BP else f"share:{self.share_bp}"

    @property
    def candidate_share(self) -> float:
        """The part of the users that the candidate serves, 0 to 1."""
        return min(self.share_bp, FULL_BP - self.holdback_bp) / FULL_BP


Stage = Golden | Share


@dataclass(frozen=True, slots=True)
class Plan:
    """The stages of a release in order: a golden set first, then rising shares that end at 100 %."""

    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        shares = [stage for stage in self.stages if isinstance(stage, Share)]
        if not shares or shares[-1].share_bp != FULL_BP:
            last = f"{shares[-1].share_bp / 100:g}%" if shares else "no share"
            raise InvalidError(f"the plan ends at {last}; accepted: a last stage with share 100% (the bake)")
        for lower, upper in pairwise(shares):
            if upper.share_bp <= lower.share_bp:
                raise InvalidError(
                    f"share {upper.share_bp / 100:g}% follows {lower.share_bp / 100:g}%; accepted: shares that rise"
                )
        self._refuse_putting_back(shares)
        if not any(0 < share.share_bp < FULL_BP for share in shares):
            raise InvalidError("the plan compares at no share; accepted: a share between 0% and 100% before the bake")
        if any(isinstance(stage, Golden) for stage in self.stages[1:]):
            raise InvalidError("a golden stage stands behind another stage; accepted: one, before the shares")

    def _refuse_putting_back(self, shares: list[Share]) -> None:
        before_bp = shares[-2].share_bp if len(shares) > 1 else 0
        holdback_bp = shares[-1].holdback_bp
        if before_bp + holdback_bp > FULL_BP:
            raise InvalidError(
                f"a holdback of {holdback_bp / 100:g}% follows a share of {before_bp / 100:g}%; accepted: at most "
                f"{(FULL_BP - before_bp) / 100:g}%, so that nobody is put back"
            )


def usual_holdback_bp(last_share_bp: int) -> int:
    """The holdback of a plan that names none: 5 %, or half of what the last share before the bake leaves."""
    return min(DEFAULT_HOLDBACK_BP, (FULL_BP - last_share_bp) // 2)


class Answer(StrEnum):
    """What a proven loss is answered with: back to the stable version, or no step until a person says so."""

    ROLLBACK = "rollback"
    HOLD = "hold"


class Measure(StrEnum):
    """How a guard's two numbers are read."""

    DIFFERENCE = "difference"
    RATIO = "ratio"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class Guard:
    """One signal with its two numbers (design section 8).

    `fail_above` must be proven exceeded to roll back, `at_most` must be proven kept to certify. A guard with
    `at_most` None is never needed for promotion. Units follow `measure`: a fraction, a ratio, or a count.
    """

    name: str
    measure: Measure
    fail_above: float
    at_most: float | None
    quantile: float | None = None
    answer: Answer = Answer.ROLLBACK

    def __post_init__(self) -> None:
        if self.at_most is not None and self.at_most <= self.fail_above:
            raise InvalidError(f"guard {self.name}: at_most is not above fail_above; accepted: at_most > fail_above")


DEFAULT_GUARDS = (
    Guard("errors", Measure.DIFFERENCE, 0.0, 0.005),
    Guard("crashes", Measure.COUNT, 0.0, None),
    Guard("rejects", Measure.DIFFERENCE, 0.0, None, answer=Answer.HOLD),
    Guard("empty", Measure.DIFFERENCE, 0.0, None),
    Guard("latency", Measure.RATIO, 1.1, 1.2, quantile=0.95),
    Guard("cer", Measure.DIFFERENCE, 0.0, 0.003),
    Guard("numerals", Measure.DIFFERENCE, 0.0, 0.005),
)

DEFAULT_PLAN = Plan(
    (
        Share(500, 1800.0, at_least=500),
        Share(2000, 3600.0),
        Share(5000, 7200.0),
        Share(FULL_BP, 86400.0, holdback_bp=DEFAULT_HOLDBACK_BP),
    )
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides about a release: guards and the two error probabilities.

    `alpha` bounds the chance that a candidate no worse than `fail_above` is ever rolled back by a verdict,
    `beta` the chance that one worse than `at_most` is ever promoted by one.
    """

    guards: tuple[Guard, ...] = DEFAULT_GUARDS
    alpha: float = 0.01
    beta: float = 0.05

    def __post_init__(self) -> None:
        for name, value in (("alpha", self.alpha), ("beta", self.beta)):
            if not 0 < value < 0.5:
                raise InvalidError(f"{name} is {value}; accepted: between 0 and 0.5")

    def guard(self, name: str) -> Guard | None:
        return next((guard for guard in self.guards if guard.name == name), None)
