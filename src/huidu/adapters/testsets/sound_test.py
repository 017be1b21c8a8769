import hashlib
import io
import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from huidu.adapters.testsets.sound import seconds_of, sha256_of
from huidu.core.errors import InvalidError

RATE_HZ = 16_000
SOUND = np.random.default_rng(4).uniform(-0.3, 0.3, 3 * RATE_HZ).astype(np.float32)
FORMATS = [("wav", "WAV", "PCM_16"), ("flac", "FLAC", None), ("ogg", "OGG", "VORBIS"), ("opus", "OGG", "OPUS")]
FORMATS += [("mp3", "MP3", None)]


def encoded(kind: str, subtype: str | None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, SOUND, RATE_HZ, format=kind, subtype=subtype)
    return file.getvalue()


@pytest.mark.parametrize(("suffix", "kind", "subtype"), FORMATS)
def test_durations_are_those_of_the_samples(suffix: str, kind: str, subtype: str | None, tmp_path: Path) -> None:
    file = tmp_path / f"a.{suffix}"
    file.write_bytes(encoded(kind, subtype))
    assert seconds_of(file) == pytest.approx(len(soundfile.read(file)[0]) / RATE_HZ)
    assert seconds_of(file) == pytest.approx(3, abs=0.1)
    assert sha256_of(file) == hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize("part", [0.02, 0.5, 0.9, 0.99])
@pytest.mark.parametrize(("suffix", "kind", "subtype"), FORMATS)
def test_what_is_cut_short_is_found(suffix: str, kind: str, subtype: str | None, part: float, tmp_path: Path) -> None:
    content = encoded(kind, subtype)
    file = tmp_path / f"a.{suffix}"
    file.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(InvalidError, match=r"cut short|cannot be read"):
        seconds_of(file)


def test_the_content_counts_and_not_the_extension(tmp_path: Path) -> None:
    for name in ("a.raw", "a.opus", "a"):
        (tmp_path / name).write_bytes(encoded("WAV", "PCM_16"))
        assert seconds_of(tmp_path / name) == 3


def test_a_wav_whose_encoder_did_not_know_the_size_is_read(tmp_path: Path) -> None:
    content = bytearray(encoded("WAV", "PCM_16"))
    at = content.index(b"data")
    content[at + 4 : at + 8] = b"\xff\xff\xff\xff"
    (tmp_path / "a.wav").write_bytes(content)
    assert seconds_of(tmp_path / "a.wav") == pytest.approx(3)


def test_what_is_no_audio_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_bytes(b"this is no audio at all " * 100)
    soundfile.write(tmp_path / "no samples.wav", SOUND[:0], RATE_HZ)
    soundfile.write(tmp_path / "other.au", SOUND, RATE_HZ)
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "folder.wav").mkdir()
    for name, said in {
        "none.wav": "does not exist",
        "empty.wav": "is empty",
        "text.wav": "cannot be read as audio",
        "no samples.wav": "no samples",
        "other.au": "is AU; accepted: WAV",
        "pipe.wav": "is no file",
        "folder.wav": "is no file",
        "x" * 300: "cannot be opened",
        "a\0b": "is no path",
    }.items():
        with pytest.raises(InvalidError, match=said) as caught:
            seconds_of(tmp_path / name)
        assert "\n" not in str(caught.value)


@given(st.binary(max_size=300), st.sampled_from([b"", b"RIFF....WAVE", b"OggS", b"fLaC", b"ID3", b"\xff\xfb"]))
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_bytes_never_raise_anything_else(tmp_path: Path, content: bytes, head: bytes) -> None:
    file = tmp_path / "a"
    file.write_bytes(head + content)
    with suppress(InvalidError):
        assert seconds_of(file) > 0
