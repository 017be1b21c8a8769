"""What a manager reads first: one sentence for each candidate, the measures behind it, and what was tested."""

from dataclasses import dataclass
from typing import Any

from huidu.adapters.report.messages import MESSAGES
from huidu.adapters.report.shown import ABSENT, count, decimal, moment, number, percent, points, rows, shown, table
from huidu.adapters.report.words import NOTHING, Words, joined, label, plain, say

VERDICTS = ("worse", "not_worse", "undecided")


@dataclass(frozen=True, slots=True)
class MeasureRow:
    """One measure of a comparison, as a row of the table under the sentence."""

    name: Words
    baseline: str
    candidate: str
    difference: str
    interval: str
    confidence: str
    verdict: str
    verdict_words: Words
    limits: Words


@dataclass(frozen=True, slots=True)
class Conclusion:
    """One candidate's verdict in words; `verdict` is one of `VERDICTS` or empty where there was nothing to judge."""

    verdict: str
    verdict_words: Words
    sentence: Words
    need: Words
    details: Words
    baseline: Words
    version: Words
    measures: list[MeasureRow]


def conclusions(result: dict[str, Any]) -> list[Conclusion]:
    """One for each comparison; without any, one for each version that only says its rates."""
    compared = [_conclusion(comparison) for comparison in rows(result, "comparisons")]
    return compared or [_alone(version) for version in rows(result, "versions")]


def facts(result: dict[str, Any]) -> list[tuple[Words, Words]]:
    """What was tested with what, as pairs of a label and a value."""
    tested = table(result, "set")
    seconds = number(tested.get("audio_seconds"))
    minutes = plain(ABSENT) if seconds is None else say("fact.minutes.value", n=decimal(seconds / 60, 1))
    found: list[tuple[str, Words]] = [
        ("set", plain(tested.get("name") or ABSENT)),
        ("version", plain(tested.get("version") or ABSENT)),
        ("utterances", plain(count(tested.get("utterances")))),
        ("speakers", plain(count(tested.get("speakers")))),
        ("minutes", minutes),
        ("created", plain(created(result))),
        ("normaliser", plain(result.get("normaliser") or ABSENT)),
        ("weights", label("weights", shown(result.get("weights")) or ABSENT)),
    ]
    return [(say(f"fact.{name}"), value) for name, value in found]


def created(result: dict[str, Any]) -> str:
    """When the evaluation was made, as `2026-11-22 13:20 UTC`."""
    when = moment(result.get("created"))
    return ABSENT if when is None else f"{when:%Y-%m-%d %H:%M} UTC"


def change(metric: str, numbers: dict[str, Any], version: object, baseline: object) -> Words:
    """`v2 gets numbers wrong 44.3 points more often than v1 (between 41.2 and 47.0)`, without a stop."""
    difference = number(numbers.get("difference"))
    if difference is None:
        return say("change.unknown", version=version, baseline=baseline)
    places = decimals(numbers)
    does = say(f"does.{metric}") if f"does.{metric}" in MESSAGES else say("does.other", name=metric)
    rounded = round(difference * 100, places)
    kind = "more" if rounded > 0 else "less" if rounded < 0 else "same"
    size = points(abs(difference), places, signed=False)
    between = _between(numbers, kind, places)
    return say(f"change.{kind}", version=version, baseline=baseline, does=does, points=size, between=between)


def decimals(numbers: dict[str, Any]) -> int:
    """Decimals of percentage points: two where the whole interval is within one point of zero, else one."""
    ends = [abs(end) for name in ("difference", "low", "high") if (end := number(numbers.get(name))) is not None]
    return 2 if ends and max(ends) < 0.01 else 1


def interval(numbers: dict[str, Any], places: int) -> str:
    """The interval of a difference in points, `+41.2 … +47.0`."""
    low, high = number(numbers.get("low")), number(numbers.get("high"))
    return ABSENT if low is None or high is None else f"{points(low, places)} … {points(high, places)}"


def confidence(numbers: dict[str, Any]) -> str:
    """The confidence of an interval as `95 %`, the field's habit where the document does not say."""
    found = number(numbers.get("confidence"))
    return f"{(0.95 if found is None else found) * 100:g} %"


def _between(numbers: dict[str, Any], kind: str, places: int) -> Words:
    low, high = number(numbers.get("low")), number(numbers.get("high"))
    if low is None or high is None:
        return say("between.unknown")
    if (kind == "more" and low >= 0) or (kind == "less" and high <= 0):
        ends = sorted((abs(low), abs(high)))
        return say("between", low=points(ends[0], places, signed=False), high=points(ends[1], places, signed=False))
    return say("between.signed", low=points(low, places), high=points(high, places))


def _conclusion(comparison: dict[str, Any]) -> Conclusion:
    version, baseline = comparison.get("version"), comparison.get("baseline")
    verdict = str(comparison.get("verdict")) if comparison.get("verdict") in VERDICTS else ""
    metrics = table(comparison, "metrics")
    telling = _telling(metrics, verdict)
    what = change(telling, table(metrics, telling), version, baseline)
    return Conclusion(
        verdict=verdict,
        verdict_words=say(f"verdict.{verdict}") if verdict else NOTHING,
        sentence=say("sentence", what=what, so=say(f"so.{verdict}")) if verdict else what,
        need=_need(metrics) if verdict == "undecided" else NOTHING,
        details=_details(comparison),
        baseline=plain(baseline),
        version=plain(version),
        measures=[_measure(name, table(metrics, name)) for name in metrics],
    )


def _telling(metrics: dict[str, Any], verdict: str) -> str:
    """The measure that the sentence names: of those with the overall verdict, the one that moved most.

    An undecided one is told by how much worse it may still be.
    """
    same = [name for name in metrics if table(metrics, name).get("verdict") == verdict] or list(metrics)

    def weight(name: str) -> float:
        numbers = table(metrics, name)
        difference = number(numbers.get("difference")) or 0.0
        if verdict == "undecided":
            high = number(numbers.get("high"))
            return difference if high is None else high
        return difference if verdict == "worse" else abs(difference)

    return max(same, key=weight, default="")


def _need(metrics: dict[str, Any]) -> Words:
    open_still = [table(metrics, name) for name in metrics if table(metrics, name).get("verdict") == "undecided"]
    needed = [number(numbers.get("more_utterances")) for numbers in open_still]
    known = [n for n in needed if n]
    if not needed or len(known) < len(needed):
        return say("need.unknown")
    return say("need.some", n=count(max(known)))


def _details(comparison: dict[str, Any]) -> Words:
    counted = {kind: comparison.get(f"utterances_{kind}") for kind in ("worse", "better", "equal")}
    known = all(number(value) is not None for value in counted.values())
    balance = say("balance", **{kind: count(value) for kind, value in counted.items()}) if known else NOTHING
    return Words(balance.zh + worst_category(comparison).zh, f"{balance.en} {worst_category(comparison).en}".strip())


def worst_category(comparison: dict[str, Any]) -> Words:
    """`Worst category: digits, wrong numbers +44.3 points.`; nothing where none lost."""
    worst = table(comparison, "worst_category")
    difference = number(worst.get("difference"))
    if difference is None or round(difference, 3) <= 0:
        return NOTHING
    metric = label("metric", shown(worst.get("metric")))
    return say("worst", name=worst.get("name"), metric=metric, points=points(difference))


def _measure(name: str, numbers: dict[str, Any]) -> MeasureRow:
    verdict = str(numbers.get("verdict")) if numbers.get("verdict") in VERDICTS else ""
    places = decimals(numbers)
    fail_above, at_most = (points(numbers.get(line), places) for line in ("fail_above", "at_most"))
    known = ABSENT not in (fail_above, at_most)
    return MeasureRow(
        name=label("metric", name),
        baseline=percent(numbers.get("baseline")),
        candidate=percent(numbers.get("candidate")),
        difference=points(numbers.get("difference"), places),
        interval=interval(numbers, places),
        confidence=confidence(numbers),
        verdict=verdict,
        verdict_words=say(f"verdict.{verdict}") if verdict else plain(ABSENT),
        limits=say("limits.both", fail_above=fail_above, at_most=at_most) if known else plain(ABSENT),
    )


def _alone(version: dict[str, Any]) -> Conclusion:
    normalised = table(version, "normalised")
    found = [("cer", table(normalised, "cer").get("rate")), ("numerals", table(version, "numerals").get("rate"))]
    rates = [say("alone.rate", metric=say(f"metric.{name}"), rate=percent(rate)) for name, rate in found]
    sentence = say("alone", version=version.get("name"), rates=joined(rates, "comma"))
    return Conclusion("", NOTHING, sentence, NOTHING, NOTHING, NOTHING, plain(version.get("name")), [])
