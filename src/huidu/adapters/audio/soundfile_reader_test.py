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
from huidu.core.errors import InvalidError

TONE = (0.5 * np.sin(np.arange(16_000) / 10)).astype(np.float32)
ENCODINGS = [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", None), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None)]


def encoded(
    samples: NDArray[np.float32], kind: str = "WAV", subtype: str | None = "PCM_16", rate_hz: int = 16_000
) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format=kind, subtype=subtype)
    return file.getvalue()


def refusal(content: bytes) -> str:
    with pytest.raises(InvalidError) as caught:
        SoundfileReader().read(io.BytesIO(content), "upload.wav")
    assert "\n" not in str(caught.value)
    assert "0x" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("kind", "subtype"), ENCODINGS)
def test_every_accepted_format_is_read(kind: str, subtype: str | None) -> None:
    audio = SoundfileReader().read(io.BytesIO(encoded(TONE, kind, subtype)), "")
    assert (audio.sample_rate_hz, audio.samples.dtype.name, audio.samples.ndim) == (16_000, "float32", 1)
    assert audio.seconds == pytest.approx(1.0, abs=0.05)


def test_samples_are_those_of_the_file_at_its_own_rate() -> None:
    audio = SoundfileReader().read(io.BytesIO(encoded(TONE, "WAV", "FLOAT", 8_000)), "")
    assert audio.sample_rate_hz == 8_000
    np.testing.assert_array_equal(audio.samples, TONE)


def test_channels_are_averaged() -> None:
    stereo = np.stack([TONE, np.zeros_like(TONE)], axis=1)
    audio = SoundfileReader().read(io.BytesIO(encoded(stereo, "WAV", "FLOAT")), "")
    np.testing.assert_allclose(audio.samples, TONE / 2)


def test_audio_longer_than_a_block_is_read_whole() -> None:
    long = np.tile(TONE, 40)
    audio = SoundfileReader().read(io.BytesIO(encoded(long, "WAV", "FLOAT")), "")
    np.testing.assert_array_equal(audio.samples, long)


def test_a_wav_whose_encoder_did_not_know_the_size_is_read() -> None:
    content = bytearray(encoded(TONE))
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"
    assert len(SoundfileReader().read(io.BytesIO(bytes(content)), "").samples) == len(TONE)


def test_empty_content_is_refused() -> None:
    assert refusal(b"") == "the audio is empty (0 bytes); accepted: WAV, FLAC, OGG, Opus or MP3"


@pytest.mark.parametrize("content", [b"just text, nothing to hear", b"\x00" * 5000, b"RIFF", b"OggS", b"fLaC", b"ID3"])
def test_what_is_not_audio_is_refused(content: bytes) -> None:
    refusal(content)


@pytest.mark.parametrize(("kind", "subtype"), ENCODINGS[:-1])
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


def test_audio_that_is_too_long_is_refused() -> None:
    with pytest.raises(InvalidError, match="longer than the accepted 10 seconds"):
        SoundfileReader(max_seconds=10).read(io.BytesIO(encoded(np.tile(TONE, 11))), "")


@given(st.binary(max_size=2000))
def test_random_bytes_are_audio_or_refused(content: bytes) -> None:
    with suppress(InvalidError):
        SoundfileReader().read(io.BytesIO(content), "")


@given(at=st.integers(0, 60), value=st.binary(min_size=1, max_size=8))
def test_a_wav_with_a_damaged_header_is_audio_or_refused(at: int, value: bytes) -> None:
    content = bytearray(encoded(TONE[:800]))
    content[at : at + len(value)] = value
    with suppress(InvalidError):
        SoundfileReader().read(io.BytesIO(bytes(content)), "")


def test_a_header_that_promises_endless_audio_costs_no_memory() -> None:
    content = bytearray(encoded(TONE, "FLAC", None))
    # The last 36 bits of STREAMINFO's middle are the number of samples (RFC 9639, 8.2).
    content[21] |= 0x0F
    content[22:26] = struct.pack(">I", 0xFFFF_FFFF)
    with suppress(InvalidError):
        assert len(SoundfileReader().read(io.BytesIO(bytes(content)), "").samples) <= len(TONE)
