import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huidu.core.errors import InvalidError
from huidu.core.testset import SetError
from huidu.evaluation.textfiles import Format, Paired, paired, texts

BOM = b"\xef\xbb\xbf"
FOUND = {"s_1": "你好 world", "s_2": "", "s_3": "a (b) c"}
FILES = {
    Format.TRN: "你好 world (s_1)\n(s_2)\na (b) c (s_3)\n",
    Format.TSV: "id\ttext\ns_1\t你好 world\ns_2\t\ns_3\ta (b) c\n",
}
IDS = st.text("abc_-.0123你", min_size=1, max_size=8)
LINES = st.text(st.characters(exclude_characters="\0\n\r\ufeff", exclude_categories=["Cs"]), max_size=15)


def problems(content: bytes, form: Format) -> list[str]:
    with pytest.raises(SetError) as caught:
        texts("f", content, form)
    assert "accepted" in str(caught.value)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("form", FILES)
@pytest.mark.parametrize("begin", [b"", BOM])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_texts_come_by_id_however_lines_end(form: Format, begin: bytes, end: str, last: bool) -> None:
    content = begin + FILES[form].replace("\n", end).encode()
    assert texts("f", content if last else content.removesuffix(end.encode()), form) == FOUND


def test_empty_lines_and_comments_hold_nothing_but_in_txt_every_line_counts() -> None:
    assert texts("f", b"\n  \n;; a comment\na (x)\n\n", Format.TRN) == {"x": "a"}
    assert texts("f", b"\nx\ta\n \n", Format.TSV) == {"x": "a"}
    assert texts("f", b"a\n\nb\n", Format.TXT) == {"1": "a", "2": "", "3": "b"}
    assert texts("f", b"\n\n", Format.TXT) == {"1": "", "2": ""}


@given(st.dictionaries(IDS, LINES, min_size=1, max_size=6))
def test_what_was_written_is_read(found: dict[str, str]) -> None:
    tsv = "".join(f"{name}\t{text}\n" for name, text in {"id": "text", **found}.items())
    if not any("\t" in text for text in found.values()):
        assert texts("f", tsv.encode(), Format.TSV) == found
    # A text's own blanks and ;; at the begin of a line mean something else in trn.
    trn = "".join(f"-{text} ({name})\n" for name, text in found.items())
    assert texts("f", trn.encode(), Format.TRN) == {name: f"-{text}".rstrip() for name, text in found.items()}
    txt = "".join(f"{text}\n" for text in found.values())
    assert list(texts("f", txt.encode(), Format.TXT).values()) == list(found.values())


def test_markup_belongs_to_the_text_and_further_columns_need_names() -> None:
    trn = "<noise> {a / b} [laughter] (%uh) c (x)\n"
    assert texts("f", trn.encode(), Format.TRN) == {"x": "<noise> {a / b} [laughter] (%uh) c"}
    # Other columns would be scored as words.
    assert problems(b"1904\ta.wav\thello\n", Format.TSV) == [
        "f:1: 3 fields and no header that names them; accepted: id, tab, text"
    ]


def test_every_bad_line_is_named() -> None:
    assert problems(b"a (x)\nno id\nb (x)\n\xff (y)\nc ()\n", Format.TRN) == [
        "f:2: no id in 'no id'; accepted: text (id)",
        "f:3: id 'x' stands in line 1 already; accepted: once",
        "f:4: byte 18 (0xff) is not UTF-8; accepted: UTF-8 text",
        "f:5: no id in 'c ()'; accepted: text (id)",
    ]
    found = problems(b"x\ta\nx\tb\nno tab\n\ta\n" + b"y" * 300 + b"\ta\na\0b\tc\n" + "a".encode("utf-16"), Format.TSV)
    assert [line.split(":")[1] for line in found] == ["2", "3", "4", "5", "6", "7"]
    assert problems(b"good\n\xc3\n", Format.TXT) == ["f:2: byte 5 (0xc3) is not UTF-8; accepted: UTF-8 text"]


@pytest.mark.parametrize(
    ("content", "form"), [(b"", form) for form in Format] + [(b";;\n", Format.TRN), (b"id\ttext\n", Format.TSV)]
)
def test_a_file_may_hold_no_text(content: bytes, form: Format) -> None:
    assert texts("f", content, form) == {}


@pytest.mark.parametrize("form", Format)
@settings(deadline=None, max_examples=300)
@given(content=st.binary(max_size=60) | st.lists(st.sampled_from([b"a", b"(", b")", b"\t", b"\n", b"\r", b"\xff", b" ",
    b"\0", b";;", BOM, "你".encode(), b"\xed\xa0\x80"]), max_size=30).map(b"".join))  # fmt: skip
def test_any_bytes_are_read_or_refused(form: Format, content: bytes) -> None:
    try:
        found = texts("f", content, form)
    except InvalidError:
        return
    assert not any("\n" in text for text in found.values())


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("unit", [" ", "(", "(a) ", ")", "\t", "a"])
def test_a_long_line_takes_time_by_its_length_only(form: Format, unit: str) -> None:
    started = time.process_time()
    problem = None
    try:
        texts("f", (unit * 100_000 + "x").encode(), form)
    except InvalidError as error:
        problem = error
    assert problem is None or len(str(problem)) < 1000
    # Milliseconds; a square of the length would take half a minute.
    assert time.process_time() - started < 5


@given(st.dictionaries(IDS, LINES, max_size=6), st.dictionaries(IDS, LINES, max_size=6))
def test_pairs_are_those_of_the_references(references: dict[str, str], hypotheses: dict[str, str]) -> None:
    found = paired(references, hypotheses)
    assert dict(zip(found.ids, found.references, strict=True)) == references
    for name, text in zip(found.ids, found.hypotheses, strict=True):
        assert text == hypotheses.get(name)
    assert set(found.missing) == references.keys() - hypotheses.keys()
    assert set(found.unmatched) == hypotheses.keys() - references.keys()


def test_an_empty_hypothesis_is_not_missing() -> None:
    assert paired({"a": "x", "b": "y"}, {"a": "", "c": "z"}) == Paired(("a", "b"), ("x", "y"), ("", None), ("c",))
    assert paired({"a": "x"}, {"a": ""}).missing == ()


def test_a_table_of_more_columns_is_read_by_its_header() -> None:
    table = b"id\taudio\ttext\tspeaker\nu1\ta.wav\thello world\tx\n"
    assert texts("f", table, Format.TSV) == {"u1": "hello world"}
    assert problems(table + b"u2\tb.wav\n", Format.TSV) == ["f:3: read 2 fields; accepted: 4 (id audio text speaker)"]
