from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huidu.core import backlog
from huidu.core.backlog import KEPT_HAPPENINGS, Backlog
from huidu.core.evidence import Kind, Row, crash_row
from huidu.core.plan import DEFAULT_PLAN, Rules
from huidu.core.record import Happening, Outcome, Record
from huidu.core.release import Fleet, begin

RELEASE = begin(7, "v2", "v1", DEFAULT_PLAN, Rules(), 5.0)


def crashed(number: int) -> Row:
    return crash_row("bake", "v2", f"v2:{number}", float(number))


steps = st.lists(
    st.builds(
        Record,
        release=st.sampled_from([None, RELEASE]),
        outcome=st.sampled_from([None, Outcome("rolled_back", "bake", None, "why")]),
        happenings=st.lists(st.integers(0, 9).map(lambda at: Happening(7, float(at), "look", {}))).map(tuple),
        evidence=st.lists(st.integers(0, 9).map(crashed), max_size=3).map(tuple),
        late=st.lists(st.integers(0, 9).map(lambda number: (6, crashed(number))), max_size=3).map(tuple),
        checkpoint=st.sampled_from([None, {"read": 1}, {"read": 2}]),
    ),
    min_size=1,
    max_size=8,
)


@given(steps)
def test_steps_that_wait_add_up_and_the_newest_state_stands(found: list[Record]) -> None:
    waits = Backlog()
    assert not waits
    for number, record in enumerate(found):
        waits.add(Fleet("v1", fence=number), record)
    fleet, whole = waits.whole()
    assert fleet.fence == len(found) - 1
    assert whole.evidence == tuple(row for record in found for row in record.evidence)
    assert whole.late == tuple(row for record in found for row in record.late)
    assert whole.happenings == tuple(each for record in found for each in record.happenings)
    assert whole.checkpoint == next((each.checkpoint for each in reversed(found) if each.checkpoint), None)
    ended = [record.outcome for record in found if record.release is not None and record.outcome is not None]
    assert whole.outcome == (ended[-1] if ended else None)
    assert waits.rows == len(whole.evidence) + len(whole.late)


def test_what_happens_again_and_again_is_kept_up_to_a_bound() -> None:
    waits = Backlog()
    for number in range(5000):
        kind = "pause_asked" if number in (3, 4000) else "look"
        waits.add(Fleet("v1"), Record(happenings=(Happening(1, float(number), kind, {}),)))
        assert len(waits.whole()[1].happenings) <= 2 * KEPT_HAPPENINGS + 2
    found = waits.whole()[1].happenings
    assert [each.time for each in found if each.kind == "pause_asked"] == [3.0, 4000.0]
    assert found[-2].time == 4999.0
    kept = sum(each.kind == "look" for each in found)
    assert (found[-1].kind, found[-1].payload) == ("left_out", {"count": 4998 - kept})


def test_it_is_full_by_what_its_rows_hold_and_not_by_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "FULL_COUNTS", 1000)
    counts: dict[str, Any] = {"new_units": ["u"] * 1000, "peers": {}, "marks": [], "groups": {}}
    waits = Backlog()
    waits.add(Fleet("v1"), Record(RELEASE, evidence=(crashed(1),)))
    assert not waits.full
    waits.add(Fleet("v1"), Record(RELEASE, evidence=(Row("bake", Kind.SECOND, "1", 1.0, {"v2": counts}),)))
    assert waits.full
    with pytest.raises(ValueError, match="nothing waits"):
        Backlog().whole()
