import io
import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huidu.adapters.audio.soundfile_reader import SoundfileReader
from huidu.adapters.audio.soundfile_reader_test import TONE, encoded, read
from huidu.adapters.audio.wav_head import mended
from huidu.core.errors import InvalidError

WHOLE = encoded(TONE)
HEARD = read(WHOLE).samples


def chunk(name: bytes, content: bytes, size: int | None = None, padded: bool = True) -> bytes:
    pad = bytes(len(content) % 2) if padded else b""
    return name + struct.pack("<I", len(content) if size is None else size) + content + pad


def wav(*chunks: bytes, size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


FORM = chunk(b"fmt ", WHOLE[20:36])
SOUND = WHOLE[44:]
LIST = chunk(b"LIST", b"INFOISFT\x06\x00\x00\x00Lavf60")


def test_an_honest_file_is_read_as_it_is() -> None:
    for content in (WHOLE, wav(FORM, LIST, chunk(b"data", SOUND), LIST), encoded(TONE, "FLAC", None), b"RIFF", b""):
        file = io.BytesIO(content)
        assert mended(file, len(content)) is file


@pytest.mark.parametrize("size", [0, len(SOUND) + 44, len(SOUND) + 2, len(SOUND) + 1, 0x7FFF_F000, 0xFFFF_FFFF])
@pytest.mark.parametrize("riff", [None, 0, 36, 0xFFFF_FFFF])
def test_a_wrong_size_of_the_samples_is_read_to_the_end_of_the_file(size: int, riff: int | None) -> None:
    np.testing.assert_array_equal(read(wav(FORM, chunk(b"data", SOUND, size), size=riff)).samples, HEARD)
    np.testing.assert_array_equal(read(wav(FORM, LIST, chunk(b"data", SOUND, size), size=riff)).samples, HEARD)


def test_a_size_that_ends_amid_the_samples_is_no_end() -> None:
    np.testing.assert_array_equal(read(wav(FORM, chunk(b"data", SOUND, 1000))).samples, HEARD)


def test_chunks_behind_the_samples_are_not_heard() -> None:
    for tail in (LIST, chunk(b"id3 ", b"odd"), chunk(b"LIST", b"cut short", 500)):
        np.testing.assert_array_equal(read(wav(FORM, chunk(b"data", SOUND), tail)).samples, HEARD)


def test_a_chunk_of_odd_size_without_its_padding_byte_is_passed_over() -> None:
    odd = chunk(b"JUNK", b"odd", padded=False)
    np.testing.assert_array_equal(read(wav(FORM, odd, chunk(b"data", SOUND))).samples, HEARD)
    padded = chunk(b"JUNK", b"odd")
    np.testing.assert_array_equal(read(wav(FORM, padded, chunk(b"data", SOUND))).samples, HEARD)


def test_half_a_sample_at_the_end_is_none() -> None:
    np.testing.assert_array_equal(read(wav(FORM, chunk(b"data", SOUND[:-1], 0, padded=False))).samples, HEARD[:-1])


@pytest.mark.parametrize(
    "tail", [b"", LIST, LIST + chunk(b"id3 ", b"odd"), LIST + chunk(b"id3 ", b"odd", padded=False)]
)
def test_a_file_that_holds_no_samples_is_still_refused(tail: bytes) -> None:
    with pytest.raises(InvalidError, match="holds no samples"):
        read(wav(FORM, chunk(b"data", b""), tail))


@given(
    size=st.one_of(st.just(0), st.integers(len(SOUND), 0xFFFF_FFFF)),
    riff=st.integers(0, 0xFFFF_FFFF),
    before=st.lists(st.binary(max_size=31), max_size=3),
    padded=st.booleans(),
)
def test_no_lie_about_sizes_hides_or_adds_a_sample(size: int, riff: int, before: list[bytes], padded: bool) -> None:
    parts = [chunk(b"JUNK", one, padded=padded) for one in before]
    content = wav(*parts, FORM, *parts, chunk(b"data", SOUND, size), size=riff)
    np.testing.assert_array_equal(read(content).samples, HEARD)


@given(at=st.integers(0, 60), value=st.binary(min_size=1, max_size=8), kept=st.integers(0, len(WHOLE)))
def test_whatever_a_head_says_it_is_audio_or_refused(at: int, value: bytes, kept: int) -> None:
    content = bytearray(WHOLE[:kept])
    content[at : at + len(value)] = value
    with suppress(InvalidError), SoundfileReader().open(io.BytesIO(bytes(content)), "") as source:
        assert sum(len(block) for block in source.blocks()) <= 8 * len(content)
