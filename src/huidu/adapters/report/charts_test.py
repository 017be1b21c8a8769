"""Charts put every mark where its number says."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huidu.adapters.report.charts import Scale, difference_charts, latency_chart, rate_charts, ticks
from huidu.adapters.report.sample_test import document

NUMBERS = st.floats(-1e6, 1e6)


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_a_scale_keeps_order_and_stays_inside(low: float, high: float, one: float, other: float) -> None:
    scale = Scale(low, high)
    assert 0 <= scale.at(one) <= 100
    assert (one <= other) <= (scale.at(one) <= scale.at(other))


@given(low=NUMBERS, span=st.floats(1e-6, 1e6))
def test_ticks_are_few_even_and_within(low: float, span: float) -> None:
    found = ticks(low, low + span)
    assert 1 <= len(found) <= 8
    assert all(low - span * 1e-3 <= tick <= low + span * 1.001 for tick in found)
    steps = [after - before for before, after in pairwise(found)]
    assert not steps or max(steps) == pytest.approx(min(steps), rel=1e-3)


def test_an_interval_and_both_lines_stand_in_the_order_of_their_numbers() -> None:
    result = document(30, ("v1", "v2"))
    for chart, metric in zip(difference_charts(result), ("cer", "numerals"), strict=True):
        numbers = result["comparisons"][0]["metrics"][metric]
        overall = chart.strips[0]
        lines = {style: at for at, style in chart.lines}
        places = {"fail_above": lines["fail"], "at_most": lines["most"]}
        places |= {"low": overall.start, "high": overall.end, "difference": overall.dot or 0.0}
        by_place = sorted(places, key=lambda name: places[name])
        assert [numbers[name] for name in by_place] == sorted(numbers[name] for name in places)
        assert overall.style == numbers["verdict"]


def test_rates_of_all_categories_and_versions_are_drawn_to_one_scale() -> None:
    result = document(30, ("v1", "v2"))
    chart = rate_charts(result, result["set"]["categories"])[0]
    bars = [strip for strip in chart.strips if strip.style != "heading"]
    rates = [
        v["categories"][name]["cer"]["rate"]
        for name in result["set"]["categories"]
        for v in result["versions"].values()
    ]
    widths = [bar.end - bar.start for bar in bars]
    assert [width / max(widths) for width in widths] == pytest.approx([rate / max(rates) for rate in rates], abs=2e-3)


def test_nothing_to_draw_is_no_chart() -> None:
    assert latency_chart([{"name": "v1", "latency_ms": None}]) is None
    assert difference_charts({}) == []
    assert rate_charts({}, ["digits"]) == []
    zero = latency_chart([{"name": "v1", "latency_ms": {"p50": 0, "p95": 0}}])
    assert zero is not None
    assert zero.strips[0].start == zero.strips[0].end
