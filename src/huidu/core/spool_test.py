from hypothesis import given
from hypothesis import strategies as st

from huidu.core.spool import (
    ALIGN_BYTES,
    HEAD_BYTES,
    Head,
    Slot,
    by_version,
    decode_head,
    encode_head,
    encode_row,
    is_spool,
    scan,
)

payloads = st.lists(st.text(max_size=200).map(str.encode), max_size=12)
SIZE = 32 * 1024


def spool_of(rows: list[bytes], first: int = 1) -> bytes:
    """A whole spool with these rows, one behind the other."""
    written = b"".join(encode_row(number, row) for number, row in enumerate(rows, first))
    head = Head("v1", first, first + len(rows) - 1, len(written))
    return (encode_head(head) + written).ljust(SIZE, b"\0")


def rows_in(content: bytes) -> list[tuple[int, bytes]]:
    return [(slot.number, slot.payload) for slot in scan(content).slots]


@given(payloads, st.integers(1, 2**40))
def test_what_was_written_is_found(rows: list[bytes], first: int) -> None:
    content = spool_of(rows, first)
    assert rows_in(content) == list(enumerate(rows, first))
    assert scan(content).damaged == 0
    assert all(slot.offset % ALIGN_BYTES == 0 for slot in scan(content).slots)


@given(payloads, st.integers(0, SIZE))
def test_what_is_cut_off_leaves_a_beginning_and_the_rest_is_counted(rows: list[bytes], length: int) -> None:
    content = spool_of(rows)[:length]
    found = scan(content)
    assert rows_in(content) == list(enumerate(rows, 1))[: len(found.slots)]
    if length >= HEAD_BYTES:
        assert len(found.slots) + found.damaged == len(rows)


@given(payloads, st.lists(st.tuples(st.integers(0, SIZE - 1), st.integers(1, 255)), min_size=1, max_size=5))
def test_bytes_that_change_take_rows_away_and_never_make_others(
    rows: list[bytes], changes: list[tuple[int, int]]
) -> None:
    changed = bytearray(spool_of(rows))
    for place, by in changes:
        changed[place] ^= by
    written = list(enumerate(rows, 1))
    found = scan(bytes(changed))
    assert [row for row in written if row in rows_in(bytes(changed))] == rows_in(bytes(changed))
    if decode_head(bytes(changed)) is not None:
        assert len(found.slots) + found.damaged >= len(rows)


@given(payloads, st.binary(max_size=2000))
def test_garbage_in_the_middle_costs_the_rows_beneath_it_only(rows: list[bytes], garbage: bytes) -> None:
    content = bytearray(spool_of(rows))
    slots = scan(bytes(content)).slots
    at = slots[len(slots) // 2].offset if slots else HEAD_BYTES
    content[at : at + len(garbage)] = garbage
    kept = [slot for slot in slots if slot.offset + slot.size <= at or slot.offset >= at + len(garbage)]
    assert set(kept) <= set(scan(bytes(content)).slots) <= set(slots)


def test_a_text_cannot_pass_for_a_row() -> None:
    inner = encode_row(7, "偽".encode()).decode("latin-1")
    content = bytearray(spool_of([("x" * 64 * 3 + inner).encode()]))
    content[HEAD_BYTES] ^= 1
    assert scan(bytes(content)) == scan(b"") or scan(bytes(content)).slots == ()


@given(st.binary(max_size=SIZE))
def test_something_else_holds_nothing(content: bytes) -> None:
    assert scan(content).slots == ()
    assert decode_head(content) is None or is_spool(content)


@given(st.text("abcXYZ019._-", max_size=64), st.integers(1, 2**60), st.floats(0, 4e9) | st.none())
def test_a_head_is_read_as_it_was_written(version: str, first: int, lost_at: float | None) -> None:
    head = Head(version, first, first + 4, 4096, 3, lost_at)
    assert decode_head(encode_head(head)) == head
    assert (len(encode_head(head)), head.waiting_rows, Head(version).waiting_rows) == (HEAD_BYTES, 5, 0)


def test_a_row_that_was_replayed_and_not_yet_wiped_is_no_loss() -> None:
    content = encode_head(Head("v1", 3, 3)) + b"".join(encode_row(number, b"x") for number in (1, 2, 3))
    assert [slot.number for slot in scan(content).slots] == [1, 2, 3]
    assert scan(content).damaged == 0
    assert Slot(1, HEAD_BYTES, ALIGN_BYTES, b"x") in scan(content).slots


def test_several_spools_of_a_version_are_told_as_one() -> None:
    heads = [Head("v2", 5, 9, 640, 1, 7.0), Head("v1"), Head("v2", 1, 2, 128, 2, 3.0)]
    assert by_version(heads) == {"v1": Head("v1"), "v2": Head("v2", 1, 7, 768, 3, 7.0)}
