import pytest
from hypothesis import given
from hypothesis import strategies as st

from huidu.core.formats.lines import lines_of, text_of
from huidu.core.testset import Problem

CHINESE = "请拨打一零零八六\n您好，请讲\n"
ENGLISH = "utt1 hello world\nutt2 good morning\n"


def fault(content: bytes) -> str:
    found: list[Problem] = []
    assert lines_of("f", content, found) == []
    (only,) = found
    assert only.where == "f"
    return only.what


@pytest.mark.parametrize("text", [CHINESE, ENGLISH, CHINESE + ENGLISH, "hi", "臺灣請撥打電話給我們\n"])
def test_text_in_another_encoding_is_named_with_the_way_out(text: str) -> None:
    for encoding in ("utf-16", "utf-32"):
        assert f"is {encoding.upper()} text; accepted: UTF-8 (iconv -f {encoding.upper()} " in fault(
            text.encode(encoding)
        )
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        assert "is UTF-16 text" in fault(mark + text.encode(encoding))
        assert f"is {encoding.replace('-l', 'l').replace('-b', 'b').upper()} text" in fault(text.encode(encoding))


@pytest.mark.parametrize("text", [CHINESE, CHINESE + ENGLISH, "臺灣請撥打電話給我們\n", "嗯，三点半。"])
def test_gbk_is_named(text: str) -> None:
    assert "iconv -f GB18030 -t UTF-8 f > NEW" in fault(text.encode("gb18030"))


def test_big5_is_named() -> None:
    assert "is BIG5 text" in fault("請撥打一零零八六\n您好，請講，我們聽得見\n".encode("big5"))


def test_other_bytes_are_named_by_their_lines() -> None:
    found: list[Problem] = []
    assert lines_of("f", "café société\nplain\nélan\n".encode("latin-1"), found) == [(2, "plain")]
    assert [str(each) for each in found] == [
        "f:1: byte 3 (0xe9) is not UTF-8; accepted: UTF-8 text",
        "f:3: byte 19 (0xe9) is not UTF-8; accepted: UTF-8 text",
    ]


@pytest.mark.parametrize(
    "content",
    [b"RIFF\x24\0\0\0WAVEfmt hello", b"PK\3\4rest", b"\x89PNG\r\n", bytes(range(256)) * 4, b"\0\1\2\3" * 9, b"\0" * 9],
)
def test_what_is_no_text_is_named_once(content: bytes) -> None:
    assert "is a binary file; accepted: UTF-8 text" in fault(content)


def test_line_ends_are_lf_or_crlf_or_both_and_never_cr() -> None:
    found: list[Problem] = []
    assert lines_of("f", b"\xef\xbb\xbfa\r\nb\nc\r\n\nd", found) == [(1, "a"), (2, "b"), (3, "c"), (4, ""), (5, "d")]
    assert found == []
    assert "end in CR alone; accepted: lines that end in LF or CRLF" in fault(b"a\rb\rc\r")
    assert lines_of("f", b"a\rb\nc\n", found) == [(2, "c")]
    assert "carriage return inside the line" in str(found[0])


def test_a_nul_in_a_line_is_a_fault_of_that_line() -> None:
    found: list[Problem] = []
    assert lines_of("f", b"first line\nsecond\0 line\nthe third line\n", found) == [
        (1, "first line"),
        (3, "the third line"),
    ]
    assert str(found[0]) == "f:2: the line holds a control character (U+0000, NUL); accepted: plain text"


@given(st.text(st.characters(exclude_characters="\0\r\ufeff", exclude_categories=["Cs"])))
def test_any_utf_8_text_is_read_as_it_is(text: str) -> None:
    found: list[Problem] = []
    content = text.encode()
    read = lines_of("f", content, found)
    if not found:
        assert [line for _, line in read] == text.removesuffix("\n").split("\n") or not text
        assert text_of("f", content, found) == text
    else:
        # The head of an archive or a song, and lines of control characters, may begin a text, but nobody's.
        assert "binary" in str(found[0])


@given(st.binary(max_size=80))
def test_any_bytes_give_lines_or_a_fault_in_one_line(content: bytes) -> None:
    found: list[Problem] = []
    lines_of("f", content, found)
    assert all(str(each).isprintable() and "accepted" in str(each) for each in found)
