"""Charts as positions: the template draws them as small SVG strips, one to a row of a table, in percent of its width.

So a chart needs no script, stays legible on a phone, and is a table of numbers for those who cannot see it.
"""

import math
from dataclasses import dataclass
from typing import Any

from huidu.adapters.report.shown import ABSENT, count, decimal, number, percent, points, rows, table
from huidu.adapters.report.summary import VERDICTS, decimals, interval
from huidu.adapters.report.words import NOTHING, Words, label, plain, say

METRICS = ("cer", "numerals", "hotwords")
# The outermost marks keep this far from the edges, in percent of the width, so that their labels are not cut off.
_MARGIN = 4.0


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps `low` to `high` on the width of a strip."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """The place of a value in percent of the width; what lies outside sits on the edge."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.0
        return round(_MARGIN + (100 - 2 * _MARGIN) * min(max(share, 0.0), 1.0), 2)


@dataclass(frozen=True, slots=True)
class Strip:
    """A row: a thick mark from `start` to `end`, a dot at `dot`, what it says, and how it is coloured."""

    label: Words
    value: str
    note: str
    start: float
    end: float
    dot: float | None
    style: str
    inner: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """Strips over one axis. `lines` are upright lines with a style; `ticks` are places with their labels."""

    title: Words
    note: Words
    strips: list[Strip]
    lines: list[tuple[float, str]]
    ticks: list[tuple[float, str]]


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers (1, 2, 2.5 or 5 times a power of ten apart) from low to high, at most about `about` + 2 of them."""
    span = high - low
    if not span > 0:
        return [low]
    raw = span / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((power * factor for factor in (1, 2, 2.5, 5) if power * factor >= raw), power * 10)
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 12) for index in range(first, math.floor(high / step + 1e-9) + 1)]


def difference_charts(result: dict[str, Any]) -> list[Chart]:
    """For each comparison and measure: the difference of all utterances and of each category, with its interval."""
    found = []
    for comparison in rows(result, "comparisons"):
        for metric in table(comparison, "metrics"):
            chart = _difference_chart(comparison, metric)
            if chart:
                found.append(chart)
    return found


def rate_charts(result: dict[str, Any], categories: list[str]) -> list[Chart]:
    """For each measure that categories have: its rate by category and version."""
    found = []
    for metric in METRICS:
        bars = [
            (name, version, index, number(rate))
            for name in categories
            for index, version in enumerate(rows(result, "versions"))
            if (rate := _category_rate(version, name, metric)) is not None
        ]
        known = [(name, version, index, rate) for name, version, index, rate in bars if rate is not None]
        if known:
            found.append(_rate_chart(metric, known))
    return found


def latency_chart(versions: list[dict[str, Any]]) -> Chart | None:
    """p50 and p95 of each version, None where no version has both."""
    known = []
    for index, version in enumerate(versions):
        latency = table(version, "latency_ms")
        middle, high = number(latency.get("p50")), number(latency.get("p95"))
        if middle is not None and high is not None:
            known.append((version, index, middle, high))
    if not known:
        return None
    top = max(high for *_, high in known)
    scale = Scale(0.0, top or 1.0)
    strips = [
        Strip(
            plain(version.get("name")), f"{decimal(middle, 1)} / {decimal(high, 1)}", "",
            scale.at(middle), scale.at(high), scale.at(0), _colour(index),
        )
        for version, index, middle, high in known
    ]  # fmt: skip
    marks = [(scale.at(tick), f"{tick:g}") for tick in ticks(0.0, top)]
    return Chart(say("chart.latency"), say("chart.latency.note"), strips, [], marks)


def _difference_chart(comparison: dict[str, Any], metric: str) -> Chart | None:
    overall = table(table(comparison, "metrics"), metric)
    parts = [(say("chart.overall"), overall, False)]
    inner = table(comparison, "categories")
    named = [(name, table(table(inner, name), metric)) for name in inner]
    named.sort(key=lambda part: -(number(part[1].get("difference")) or 0.0))
    parts += [(plain(name), numbers, True) for name, numbers in named]
    parts = [part for part in parts if number(part[1].get("difference")) is not None]
    if not parts:
        return None
    fail_above, at_most = number(overall.get("fail_above")), number(overall.get("at_most"))
    ends = [0.0, *(line for line in (fail_above, at_most) if line is not None)]
    for _, numbers, _ in parts:
        ends += [end for name in ("difference", "low", "high") if (end := number(numbers.get(name))) is not None]
    scale = Scale(min(ends), max(ends) if max(ends) > min(ends) else min(ends) + 0.01)
    places = min(decimals(numbers) for _, numbers, _ in parts)
    lines = [(0.0, "zero"), (fail_above, "fail"), (at_most, "most")]
    return Chart(
        title=say("chart.difference", metric=_titled(comparison, metric), baseline=comparison.get("baseline")),
        note=_difference_note(overall),
        strips=[_difference_strip(name, numbers, scale, places, inner) for name, numbers, inner in parts],
        lines=[(scale.at(value), style) for value, style in lines if value is not None],
        ticks=[(scale.at(tick), _tick(tick)) for tick in ticks(scale.low, scale.high)],
    )


def _titled(comparison: dict[str, Any], metric: str) -> Words:
    name = label("metric", metric)
    version = plain(comparison.get("version"))
    return Words(f"{version.zh} {name.zh}", f"{version.en}, {name.en}")


def _difference_note(numbers: dict[str, Any]) -> Words:
    limits = {name: points(numbers.get(name), decimals(numbers)) for name in ("fail_above", "at_most")}
    return say("chart.difference.note", **limits) if ABSENT not in limits.values() else NOTHING


def _difference_strip(name: Words, numbers: dict[str, Any], scale: Scale, places: int, inner: bool) -> Strip:
    difference = number(numbers.get("difference")) or 0.0
    low, high = number(numbers.get("low")), number(numbers.get("high"))
    verdict = str(numbers.get("verdict")) if numbers.get("verdict") in VERDICTS else "undecided"
    return Strip(
        label=name,
        value=points(difference, places),
        note=interval(numbers, places),
        start=scale.at(difference if low is None else low),
        end=scale.at(difference if high is None else high),
        dot=scale.at(difference),
        style=verdict,
        inner=inner,
    )


def _tick(value: float) -> str:
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{abs(value) * 100:g}"


def _category_rate(version: dict[str, Any], name: str, metric: str) -> float | None:
    """The rate of a category, None where it has nothing that could be wrong."""
    share = table(table(table(version, "categories"), name), metric)
    return number(share.get("rate")) if number(share.get("reference")) else None


def _rate_chart(metric: str, bars: list[tuple[str, dict[str, Any], int, float]]) -> Chart:
    top = max(rate for *_, rate in bars)
    scale = Scale(0.0, top or 0.01)
    strips, before = [], None
    for name, version, index, rate in bars:
        if name != before:
            utterances = table(table(version, "categories"), name).get("utterances")
            heading = say("chart.utterances", name=name, n=count(utterances)) if number(utterances) else plain(name)
            strips.append(Strip(heading, "", "", 0.0, 0.0, None, "heading"))
        before = name
        strips.append(
            Strip(
                plain(version.get("name")), percent(rate), "", scale.at(0), scale.at(rate), None, _colour(index), True
            )
        )
    marks = [(scale.at(tick), f"{tick * 100:g} %") for tick in ticks(0.0, scale.high, 4)]
    return Chart(say("chart.rates", metric=label("metric", metric)), plain(""), strips, [], marks)


def _colour(index: int) -> str:
    """Versions are told apart by name; the colour, of six, only helps."""
    return f"series{index % 6}"
