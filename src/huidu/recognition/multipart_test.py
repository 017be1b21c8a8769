import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_multipart.multipart import parse_options_header

from huidu.recognition.multipart import with_plain_filename


def filename(disposition: bytes) -> str:
    return parse_options_header(with_plain_filename(disposition))[1][b"filename"].decode()


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (b"filename*=utf-8''%E9%80%9A%E8%AF%9D.wav", "通话.wav"),
        (b"filename*=UTF-8'zh'%e9%80%9a.wav", "通.wav"),
        (b"FileName* = \"utf-8''a%20b.wav\"", "a b.wav"),
        (b"filename*=gb18030''%cd%a8.wav", "通.wav"),
        (b"filename*=iso-8859-1''%e9.wav", "é.wav"),
        (b"filename*=unheard-of''a.wav", "a.wav"),
        (b"filename*=utf-8''%ff.wav", "\ufffd.wav"),
        (b"filename*=utf-8''a%22b%5Cc.wav", 'a"b\\c.wav'),
        (b"filename*=utf-8''", ""),
        (b"filename=\"plain.wav\"; filename*=utf-8''other.wav", "plain.wav"),
    ],
)
def test_a_file_is_known_by_its_extended_name_alone(written: bytes, name: str) -> None:
    assert filename(b'form-data; name="audio"; ' + written) == name


@pytest.mark.parametrize("plain", [b'form-data; name="language"', b"", b'form-data; name="a"; filename="b"'])
def test_what_has_no_extended_name_alone_stays_as_it_is(plain: bytes) -> None:
    assert with_plain_filename(plain) == plain


@given(st.binary(max_size=80))
def test_whatever_stands_there_nothing_breaks(rest: bytes) -> None:
    with_plain_filename(b"form-data; name=audio; filename*=" + rest)
