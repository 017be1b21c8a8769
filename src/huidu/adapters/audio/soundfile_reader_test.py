import io
import struct
from contextlib import suppress

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from huidu.adapters.audio.soundfile_reader import SoundfileReader
from huidu.core.errors import InvalidError, TooLargeError
from huidu.ports import Audio

TONE = (0.5 * np.sin(np.arange(16_000) / 10)).astype(np.float32)
ENCODINGS = [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", None), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None)]


def encoded(
    samples: NDArray[np.float32], kind: str = "WAV", subtype: str | None = "PCM_16", rate_hz: int = 16_000
) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format=kind, subtype=subtype)
    return file.getvalue()


def read(content: bytes, reader: SoundfileReader = SoundfileReader()) -> Audio:
    """A whole file at once."""
    with reader.open(io.BytesIO(content), "upload.wav") as source:
        return Audio(np.concatenate(list(source.blocks())), source.sample_rate_hz)


def refusal(content: bytes) -> str:
    with pytest.raises(InvalidError) as caught:
        read(content)
    assert "\n" not in str(caught.value)
    assert "0x" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("kind", "subtype"), ENCODINGS)
def test_every_accepted_format_is_read(kind: str, subtype: str | None) -> None:
    audio = read(encoded(TONE, kind, subtype))
    assert (audio.sample_rate_hz, audio.samples.dtype.name, audio.samples.ndim) == (16_000, "float32", 1)
    assert audio.seconds == pytest.approx(1.0, abs=0.05)


def test_samples_are_those_of_the_file_at_its_own_rate() -> None:
    audio = read(encoded(TONE, "WAV", "FLOAT", 8_000))
    assert audio.sample_rate_hz == 8_000
    np.testing.assert_array_equal(audio.samples, TONE)


def test_channels_are_averaged() -> None:
    stereo = np.stack([TONE, TONE / 2], axis=1)
    audio = read(encoded(stereo, "WAV", "FLOAT"))
    np.testing.assert_allclose(audio.samples, TONE * 0.75, rtol=1e-6)


def test_audio_longer_than_a_block_is_read_whole() -> None:
    long = np.tile(TONE, 40)
    audio = read(encoded(long, "WAV", "FLOAT"))
    np.testing.assert_array_equal(audio.samples, long)


def test_a_wav_whose_encoder_did_not_know_the_size_is_read() -> None:
    content = bytearray(encoded(TONE))
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"
    assert len(read(bytes(content)).samples) == len(TONE)


def test_empty_content_is_refused() -> None:
    assert refusal(b"") == "the audio is empty (0 bytes); accepted: WAV, FLAC, OGG, Opus or MP3"


@pytest.mark.parametrize("content", [b"just text, nothing to hear", b"\x00" * 5000, b"RIFF", b"OggS", b"fLaC", b"ID3"])
def test_what_is_not_audio_is_refused(content: bytes) -> None:
    refusal(content)


@pytest.mark.parametrize(("kind", "subtype"), ENCODINGS[2:-1])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_file_that_is_cut_short_is_refused(kind: str, subtype: str | None, kept: float) -> None:
    whole = encoded(np.tile(TONE, 4), kind, subtype)
    refusal(whole[: int(len(whole) * kept)])


def test_a_file_without_samples_is_refused() -> None:
    assert refusal(encoded(TONE[:0])).startswith("the audio holds no samples")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_numbers_are_refused(value: float) -> None:
    broken = TONE.copy()
    broken[100] = value
    assert "not numbers" in refusal(encoded(broken, "WAV", "FLOAT"))


def test_another_format_of_libsndfile_is_refused_by_name() -> None:
    assert refusal(encoded(TONE, "AIFF")) == "the audio is AIFF; accepted: WAV, FLAC, OGG, Opus or MP3"


def test_a_senseless_sample_rate_is_refused() -> None:
    assert "1000 samples a second" in refusal(encoded(TONE, rate_hz=1000))


@pytest.mark.parametrize(("kind", "subtype"), ENCODINGS)
def test_audio_that_is_too_long_is_refused_at_once_where_the_head_says_so(kind: str, subtype: str | None) -> None:
    content = io.BytesIO(encoded(np.tile(TONE, 11), kind, subtype))
    opened = SoundfileReader(max_seconds=10).open(content, "")
    if kind != "MP3":
        with pytest.raises(TooLargeError, match="longer than the accepted 10 seconds"):
            opened.__enter__()
        return
    with opened as source, pytest.raises(TooLargeError, match="longer than the accepted 10 seconds"):
        list(source.blocks())


def test_more_samples_than_can_be_worked_through_are_refused() -> None:
    stereo = encoded(np.stack([TONE, TONE], axis=1))
    assert len(read(stereo, SoundfileReader(max_samples=32_000)).samples) == 16_000
    with pytest.raises(TooLargeError, match="more samples than the accepted 31999 over all channels"):
        read(stereo, SoundfileReader(max_samples=31_999))


def test_a_file_is_read_in_blocks_of_half_a_second() -> None:
    with SoundfileReader().open(io.BytesIO(encoded(np.tile(TONE, 3))), "") as source:
        assert source.seconds == 3
        assert [len(block) for block in source.blocks()] == [8_000] * 6


@pytest.mark.parametrize("rate_hz", [88_200, 96_000, 192_000, 384_000])
def test_studio_rates_are_brought_down_and_stay_in_step(rate_hz: int) -> None:
    seconds = np.arange(rate_hz) / rate_hz
    low, high = np.sin(2 * np.pi * 440 * seconds), np.sin(2 * np.pi * 20_000 * seconds)
    audio = read(encoded((0.4 * low + 0.4 * high).astype(np.float32), "WAV", "FLOAT", rate_hz))
    assert 16_000 <= audio.sample_rate_hz < 24_000
    assert audio.seconds == pytest.approx(1.0, abs=2e-4)
    expected = 0.4 * np.sin(2 * np.pi * 440 * np.arange(len(audio.samples)) / audio.sample_rate_hz)
    np.testing.assert_allclose(audio.samples[200:-200], expected[200:-200], atol=2e-3)


def test_more_channels_than_anybody_records_are_refused() -> None:
    assert "65 channels" in refusal(encoded(np.zeros((100, 65), np.float32)))


def test_flac_from_a_pipe_whose_head_knows_no_length_is_read() -> None:
    content = bytearray(encoded(TONE, "FLAC", None))
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    with SoundfileReader().open(io.BytesIO(bytes(content)), "") as source:
        assert source.seconds is None
        assert sum(len(block) for block in source.blocks()) == len(TONE)


@given(st.binary(max_size=2000))
def test_random_bytes_are_audio_or_refused(content: bytes) -> None:
    with suppress(InvalidError):
        read(content)


@given(at=st.integers(0, 60), value=st.binary(min_size=1, max_size=8))
def test_a_wav_with_a_damaged_header_is_audio_or_refused(at: int, value: bytes) -> None:
    content = bytearray(encoded(TONE[:800]))
    content[at : at + len(value)] = value
    with suppress(InvalidError):
        read(bytes(content))


def test_a_header_that_promises_endless_audio_is_refused_at_once() -> None:
    content = bytearray(encoded(TONE, "FLAC", None))
    # The last 36 bits of STREAMINFO's middle are the number of samples (RFC 9639, 8.2).
    content[21] |= 0x0F
    content[22:26] = struct.pack(">I", 0xFFFF_FFFF)
    with pytest.raises(TooLargeError, match="longer than the accepted 21600 seconds"):
        read(bytes(content))


def test_an_ogg_file_of_several_recordings_is_refused_and_not_read_in_part() -> None:
    recordings = []
    for kind, subtype in (("OGG", "VORBIS"), ("OGG", "OPUS")):
        buffer = io.BytesIO()
        soundfile.write(buffer, np.zeros(16_000, np.float32), 16_000, format=kind, subtype=subtype)
        recordings.append(buffer.getvalue())
    chained = pytest.raises(InvalidError, match="several recordings in one Ogg file")
    with chained, SoundfileReader().open(io.BytesIO(b"".join(recordings)), "a.ogg"):
        pass
    for alone in recordings:
        with SoundfileReader().open(io.BytesIO(alone), "a.ogg") as source:
            assert sum(map(len, source.blocks())) == 16_000
