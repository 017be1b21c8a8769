"""What every history must keep, whatever stands behind it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from huidu.core.errors import InvalidError, NotFoundError
from huidu.ports import History, Recognition
from huidu.wire import make_history

ROW = Recognition(
    created_time=1_795_334_422.123,
    filename="call.wav",
    raw_text="请拨打一零零八六",
    version="v1",
    fingerprint="f" * 64,
    request_id="r-1",
    attempt=1,
    answered=True,
    purpose="live",
    engine="echo",
    device="cpu",
    audio_seconds=2.0,
    decode_ms=10.0,
    audio_sha256="a" * 64,
    release_id=3,
    rule="share",
    unit="0123456789abcdef",
    user_key="0123456789abcdef",
    options={"prompt": "客服"},
)


@pytest.fixture(params=["sqlite"])
def history(tmp_path: Path) -> History:
    return make_history(tmp_path / "data")


def test_what_was_added_is_found_unchanged(history: History) -> None:
    row_id = history.add(ROW)
    assert history.get(row_id) == replace(ROW, id=row_id)


def test_an_unknown_row_is_not_found(history: History) -> None:
    with pytest.raises(NotFoundError, match="no recognition 7"):
        history.get(7)
    with pytest.raises(NotFoundError):
        history.correct(7, "text", "anna", 1.0)


def test_the_same_attempt_again_replaces_its_row(history: History) -> None:
    first = history.add(ROW)
    again = history.add(replace(ROW, raw_text="你好", audio_sha256="b" * 64))
    assert again == first
    assert history.get(first).raw_text == "你好"
    assert len(history.page(10, None, None, None)) == 1


def test_a_replaced_row_keeps_its_correction_while_the_audio_is_the_same(history: History) -> None:
    row_id = history.add(ROW)
    history.correct(row_id, "reference", "anna", 5.0)
    history.add(replace(ROW, raw_text="again"))
    assert history.get(row_id).corrected_text == "reference"
    history.add(replace(ROW, audio_sha256="b" * 64))
    assert history.get(row_id).corrected_text is None


def test_an_answered_attempt_unanswers_the_others(history: History) -> None:
    first = history.add(ROW)
    second = history.add(replace(ROW, attempt=2, version="v2"))
    other = history.add(replace(ROW, request_id="r-2"))
    assert [history.get(row_id).answered for row_id in (first, second, other)] == [False, True, True]


def test_an_early_attempt_that_ends_late_does_not_take_the_answer_away(history: History) -> None:
    second = history.add(replace(ROW, attempt=2))
    first = history.add(ROW)
    assert (history.get(first).answered, history.get(second).answered) == (False, True)


def test_a_failed_attempt_leaves_the_answer_to_the_others(history: History) -> None:
    first = history.add(ROW)
    history.add(replace(ROW, attempt=2, answered=False, status="error"))
    assert history.get(first).answered


def test_pages_are_newest_first_and_filtered(history: History) -> None:
    for number in range(6):
        purpose = "golden" if number == 5 else "live"
        changed = replace(ROW, request_id=f"r-{number}", created_time=100.0 + number, version=f"v{number % 2}")
        history.add(replace(changed, purpose=purpose))
    assert [row.created_time for row in history.page(2, None, None, None)] == [105.0, 104.0]
    assert [row.created_time for row in history.page(9, 103.0, None, None)] == [102.0, 101.0, 100.0]
    assert [row.created_time for row in history.page(9, None, "v1", None)] == [105.0, 103.0, 101.0]
    assert [row.created_time for row in history.page(9, None, None, "golden")] == [105.0]


def test_a_correction_is_kept_with_its_author_and_time(history: History) -> None:
    row_id = history.add(ROW)
    row = history.correct(row_id, "请拨打一零零八六", "anna", 1_795_334_500.5)
    assert row == history.get(row_id)
    assert (row.corrected_text, row.corrected_by, row.corrected_at) == (ROW.raw_text, "anna", 1_795_334_500.5)
    assert history.correct(row_id, "", "bo", 1_795_334_501.0).corrected_text == ""


def test_corrections_are_those_that_users_saw_in_the_release(history: History) -> None:
    kept = history.add(ROW)
    skipped = [
        replace(ROW, request_id="r-2", release_id=4),
        replace(ROW, request_id="r-3", answered=False),
        replace(ROW, request_id="r-4", purpose="golden", answered=False),
    ]
    for row_id in [kept, *(history.add(row) for row in skipped)]:
        history.correct(row_id, "reference", "anna", 10.0)
    history.add(replace(ROW, request_id="r-5"))
    assert [row.id for row in history.corrections(3, ())] == [kept]


def test_corrections_come_in_the_order_of_correcting_and_without_the_known(history: History) -> None:
    ids = [history.add(replace(ROW, request_id=f"r-{number}")) for number in range(4)]
    for at, row_id in enumerate(reversed(ids)):
        history.correct(row_id, "reference", "anna", 10.0 + at)
    assert [row.id for row in history.corrections(3, {ids[1]})] == [ids[3], ids[2], ids[0]]


def test_corrections_hold_with_thousands_of_rows_and_of_known_ids(history: History) -> None:
    ids = [
        history.add(replace(ROW, request_id=f"r-{number}", corrected_text="x", corrected_at=9.0))
        for number in range(1100)
    ]
    assert [row.id for row in history.corrections(3, range(100_000, 140_000))] == ids
    assert history.corrections(3, ids) == []


def test_several_rows_are_stored_in_their_order_or_none_is(history: History) -> None:
    rows = [replace(ROW, request_id=f"r-{number}") for number in range(3)]
    stored = history.add_all(rows)
    assert [history.get(row_id).request_id for row_id in stored] == ["r-0", "r-1", "r-2"]
    with pytest.raises(InvalidError, match="does not take such a row"):
        history.add_all([replace(ROW, request_id="r-9"), replace(ROW, raw_text="\ud800")])
    assert len(history.page(10, None, None, None)) == 3


@pytest.mark.parametrize("wrong", [{"filename": None}, {"attempt": 2**70}, {"created_time": "x"}])
def test_a_row_that_no_table_takes_is_refused_for_what_it_holds(history: History, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidError, match="does not take such a row"):
        history.add(replace(ROW, **wrong))


def test_what_comes_late_twice_changes_nothing(history: History) -> None:
    [row_id] = history.add_all([ROW], late=True)
    history.correct(row_id, "reference", "anna", 5.0)
    assert history.add_all([replace(ROW, raw_text="other", audio_sha256="b" * 64)], late=True) == [row_id]
    assert history.get(row_id).raw_text == ROW.raw_text
    assert history.get(row_id).corrected_text == "reference"


def test_what_comes_late_takes_nothing_from_a_later_recognition_of_its_attempt(history: History) -> None:
    later = replace(ROW, created_time=ROW.created_time + 5, raw_text="later", audio_sha256="b" * 64)
    row_id = history.add(later)
    history.add_all([ROW], late=True)
    assert history.get(row_id) == replace(later, id=row_id)
    history.add_all([replace(later, created_time=ROW.created_time + 9, raw_text="latest")], late=True)
    assert history.get(row_id).raw_text == "latest"


def test_what_comes_late_takes_no_answer_from_a_later_attempt(history: History) -> None:
    second = history.add(replace(ROW, attempt=2))
    [first] = history.add_all([ROW], late=True)
    assert (history.get(first).answered, history.get(second).answered) == (False, True)
    [third] = history.add_all([replace(ROW, attempt=3)], late=True)
    assert (history.get(second).answered, history.get(third).answered) == (False, True)
