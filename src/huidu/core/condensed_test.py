import json
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from huidu.control.decide import View, remembered
from huidu.core.condensed import condensed_rows
from huidu.core.evidence import Kind, Row, blocks, crash_row, golden_row, text_row
from huidu.core.evidence_test import samples
from huidu.core.record import Watch
from huidu.core.release import Fleet

stages = st.sampled_from(["share:500", "share:2000"])
texts = st.builds(
    text_row,
    stages,
    st.sampled_from(["v1", "v2"]),
    st.integers(0, 30).map(lambda unit: f"{unit:016x}"),
    st.integers(0, 9).map(str),
    st.just("一零零八六"),
    st.sampled_from(["一零零八六", "一千零八十六"]),
    st.floats(100, 104),
)
crashes = st.builds(
    lambda stage, version, pid: crash_row(stage, version, f"{version}:{pid}", 101.0),
    stages,
    st.sampled_from(["v1", "v2"]),
    st.integers(1, 9),
)
goldens = st.builds(
    golden_row, st.integers(0, 9).map(str), st.just("s"), st.just("一"), st.just("一"), st.just("二"), st.just(99.0)
)


def of(rows: list[Row]) -> View:
    """As the store would give them back: each key once, and as JSON."""
    once = {(row.kind, row.key): row for row in rows}
    plain = [replace(row, payload=json.loads(json.dumps(row.payload))) for row in once.values()]
    return remembered(Fleet("v1"), Watch(), plain)


def plain(view: View) -> tuple[object, ...]:
    sums = {
        stage: (dict(found.versions), {when: count for when, count in found.arriving.items() if count})
        for stage, found in view.sums.items()
    }
    return sums, sorted(row.key for row in view.golden), view.known


@given(st.lists(samples, max_size=60), st.lists(texts | crashes | goldens, max_size=20))
@settings(max_examples=60)
def test_rows_made_of_sums_add_up_to_the_same_sums(seen: list[object], others: list[Row]) -> None:
    before = of([*blocks(seen, {}, 7, "@1"), *others])  # type: ignore[arg-type]
    kept = condensed_rows(before.sums, before.golden, before.known, 200.0)
    assert len({(row.kind, row.key) for row in kept}) == len(kept)
    after = of(list(kept))
    assert plain(after) == plain(before)
    # And those again: a store may be lost twice.
    assert plain(of(list(condensed_rows(after.sums, after.golden, after.known, 300.0)))) == plain(before)


def test_what_counts_once_is_known_also_where_its_row_is_lost() -> None:
    row = Row("share:500", Kind.BAD, "r1", 1.0, {"version": "v2", "unit": "ff", "peer": "p"})
    before = of([row])
    after = of(list(condensed_rows(before.sums, (), before.known, 2.0)))
    assert after.known == {(Kind.BAD, "r1")}
    assert plain(after) == plain(before)
