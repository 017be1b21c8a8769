from hypothesis import given
from hypothesis import strategies as st

from huidu.core.text.itn.offsets import Edit, Span, Written, replaced


@st.composite
def edited(draw: st.DrawFn) -> tuple[str, list[Edit]]:
    text = draw(st.text(max_size=30))
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=10)))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    return text, [Edit(start, end, draw(st.text(max_size=5))) for start, end in pairs]


@given(edited())
def test_spans_name_what_was_replaced_and_the_rest_is_equal(example: tuple[str, list[Edit]]) -> None:
    text, edits = example
    form = replaced(text, edits)
    assert [form.text[span.written_start : span.written_end] for span in form.spans] == [edit.text for edit in edits]
    assert [(span.spoken_start, span.spoken_end) for span in form.spans] == [(edit.start, edit.end) for edit in edits]
    spoken, written = 0, 0
    for span in (*form.spans, Span(len(text), len(text), len(form.text), len(form.text))):
        assert text[spoken : span.spoken_start] == form.text[written : span.written_start]
        spoken, written = span.spoken_end, span.written_end


@given(edited())
def test_offsets_never_fall_and_keep_both_ends(example: tuple[str, list[Edit]]) -> None:
    text, edits = example
    form = replaced(text, edits)
    for move, here, there in ((form.to_written, text, form.text), (form.to_spoken, form.text, text)):
        moved = [move(offset) for offset in range(len(here) + 1)]
        assert moved == sorted(moved)
        assert moved[-1] == len(there)
        assert moved[0] == 0 or (form.spans and form.spans[0].spoken_start == 0)


@given(edited())
def test_characters_outside_of_spans_go_to_themselves(example: tuple[str, list[Edit]]) -> None:
    text, edits = example
    form = replaced(text, edits)
    inside = {offset for edit in edits for offset in range(edit.start, edit.end)}
    for offset in set(range(len(text))) - inside:
        assert form.text[form.to_written(offset)] == text[offset]
        assert form.to_spoken(form.to_written(offset)) == offset


def test_inside_of_a_span_the_nearer_end_is_taken() -> None:
    form = Written("第10086页", (Span(1, 7, 1, 6),))
    assert [form.to_written(offset) for offset in range(9)] == [0, 1, 1, 1, 1, 6, 6, 6, 7]
    assert [form.to_spoken(offset) for offset in range(8)] == [0, 1, 1, 1, 7, 7, 7, 8]


@given(edited(), st.data())
def test_a_range_takes_touched_spans_whole(example: tuple[str, list[Edit]], data: st.DataObject) -> None:
    text, edits = example
    form = replaced(text, edits)
    start = data.draw(st.integers(0, len(form.text)))
    end = data.draw(st.integers(start, len(form.text)))
    spoken_start, spoken_end = form.spoken_range(start, end)
    for span in form.spans:
        if start < span.written_end and span.written_start < end:
            assert spoken_start <= span.spoken_start
            assert spoken_end >= span.spoken_end
