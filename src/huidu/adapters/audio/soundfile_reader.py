"""Reads uploaded audio with libsndfile, block by block."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
import soundfile

from huidu.adapters.audio.decimating import Decimator
from huidu.adapters.audio.mixing import Mixer
from huidu.adapters.audio.wav_head import mended
from huidu.core.errors import InvalidError, TooLargeError
from huidu.ports import Samples

ACCEPTED = "WAV, FLAC, OGG, Opus or MP3"
# What libsndfile calls these: it opens two dozen other formats, some of which match almost any bytes.
_FORMATS = frozenset({"WAV", "WAVEX", "RF64", "W64", "FLAC", "OGG", "MP3"})
_MIN_RATE_HZ, _MAX_RATE_HZ = 4_000, 384_000
_MAX_CHANNELS = 64
# Rates above the first are brought down, to the second or a little more: engines would hold each sample for nothing.
_KEPT_RATE_HZ, _SPEECH_RATE_HZ = 48_000, 16_000
# No file has so many frames: what libsndfile says where it does not know.
_UNKNOWN_FRAMES = 1 << 60
_OGG_PAGE_BYTES = 27 + 255 + 255 * 255
# The flag of a page with which a stream begins; several that begin together are one recording.
_BEGINS = 2
MAX_SECONDS = 6 * 3600.0
# Stereo of that length at 96 kHz.
_MAX_SAMPLES = int(MAX_SECONDS) * 2 * 96_000


class SoundfileReader:
    """`ports.AudioReader`: channels become one, the sample rate stays that of the file up to 48 kHz.

    Audio of more than `max_seconds`, or `max_samples` over all its channels, is refused: a small compressed file can
    hold days of silence, or hours of it at 384 kHz.
    """

    def __init__(self, max_seconds: float = MAX_SECONDS, max_samples: int = _MAX_SAMPLES) -> None:
        self._max_seconds = max_seconds
        self._max_samples = max_samples

    @contextmanager
    def open(self, file: BinaryIO, filename: str) -> Iterator["SoundfileSource"]:
        """Raises `InvalidError` for what is empty, corrupt, cut short or not audio; `TooLargeError`."""
        size_bytes = file.seek(0, 2)
        if size_bytes == 0:
            raise InvalidError(f"the audio is empty (0 bytes); accepted: {ACCEPTED}")
        _refuse_cut_ogg(file, size_bytes)
        _refuse_chained_ogg(file)
        file = mended(file, size_bytes)
        file.seek(0)
        try:
            sound = _Forward(file)
        except (soundfile.SoundFileError, RuntimeError, ValueError) as error:
            raise _undecodable(error) from error
        with sound:
            yield SoundfileSource(sound, self._max_seconds, self._max_samples)


class _Forward(soundfile.SoundFile):  # type: ignore[misc]
    """Read once from start to end. soundfile seeks after each block to where it is already, which fails in FLAC of
    unknown length (from a pipe), unless it takes the file for one in which nobody can."""

    def seekable(self) -> bool:
        return False


class SoundfileSource:
    """`ports.AudioSource`."""

    def __init__(self, sound: soundfile.SoundFile, max_seconds: float, max_samples: int) -> None:
        self._sound = sound
        rate_hz = int(sound.samplerate)
        if sound.format not in _FORMATS:
            raise InvalidError(f"the audio is {sound.format}; accepted: {ACCEPTED}")
        if not _MIN_RATE_HZ <= rate_hz <= _MAX_RATE_HZ:
            raise InvalidError(f"the audio has {rate_hz} samples a second; accepted: {_MIN_RATE_HZ} to {_MAX_RATE_HZ}")
        if sound.channels > _MAX_CHANNELS:
            raise InvalidError(f"the audio has {sound.channels} channels; accepted: at most {_MAX_CHANNELS}")
        self._max_seconds, self._max_samples = max_seconds, max_samples
        self._factor = 1 if rate_hz <= _KEPT_RATE_HZ else rate_hz // _SPEECH_RATE_HZ
        self.sample_rate_hz = round(rate_hz / self._factor)
        known = 0 <= sound.frames < _UNKNOWN_FRAMES
        self.seconds = sound.frames / rate_hz if known else None
        # That of MP3 without an index is a guess.
        if known and sound.format != "MP3":
            self._refuse_too_many(sound.frames)

    def blocks(self) -> Iterator[Samples]:
        mixer = Mixer(self._sound.channels)
        if self._factor == 1:
            yield from (mixer.mix(block) for block in self._read())
            return
        decimator = Decimator(self._factor)
        for block in self._read():
            yield decimator.feed(mixer.mix(block))
        yield decimator.rest()

    def _read(self) -> Iterator[Samples]:
        """Blocks of half a second, of shape (n, channels), until there are no more: a head may promise any number."""
        frames = 0
        while len(block := self._next()):
            frames += len(block)
            self._refuse_too_many(frames)
            if not np.isfinite(block).all():
                raise InvalidError("the audio holds values that are not numbers; accepted: finite samples")
            yield block
        if frames == 0:
            raise InvalidError(f"the audio holds no samples; accepted: {ACCEPTED}")

    def _next(self) -> Samples:
        try:
            block: Samples = self._sound.read(self._sound.samplerate // 2, dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, RuntimeError, ValueError) as error:
            raise _undecodable(error) from error
        return block

    def _refuse_too_many(self, frames: int) -> None:
        if frames > self._max_seconds * self._sound.samplerate:
            raise TooLargeError(f"the audio is longer than the accepted {self._max_seconds:g} seconds")
        if frames * self._sound.channels > self._max_samples:
            raise TooLargeError(
                f"the audio holds more samples than the accepted {self._max_samples} over all channels; accepted: "
                "shorter files, fewer channels or a lower sample rate"
            )


def _refuse_cut_ogg(file: BinaryIO, size_bytes: int) -> None:
    """Refuses an Ogg file that ends within a page (RFC 3533, 6), where libsndfile would read what is left."""
    file.seek(0)
    if file.read(4) == b"OggS":
        file.seek(max(0, size_bytes - _OGG_PAGE_BYTES))
        tail = file.read()
        page = tail[tail.rfind(b"OggS") :]
        lengths = page[27 : 27 + page[26]] if len(page) > 26 else b""
        if len(page) < 27 or len(lengths) < page[26] or len(page) < 27 + len(lengths) + sum(lengths):
            raise InvalidError("the audio is cut short: its last Ogg page is not complete")


def _refuse_chained_ogg(file: BinaryIO) -> None:
    """Refuses Ogg files in which one recording follows another (RFC 3533, 4), of which libsndfile reads the first."""
    file.seek(0)
    begun = False
    while (head := file.read(27))[:4] == b"OggS" and len(head) == 27:
        if head[5] & _BEGINS and begun:
            raise InvalidError(
                "the audio is several recordings in one Ogg file, one after the other; accepted: each as a file, or "
                "converted into one"
            )
        begun = begun or not head[5] & _BEGINS
        file.seek(sum(file.read(head[26])), 1)


def _undecodable(error: Exception) -> InvalidError:
    return InvalidError(f"the audio cannot be decoded: {_reason(error)}; accepted: {ACCEPTED}")


def _reason(error: Exception) -> str:
    """What libsndfile said, in one line and without the address of the file object."""
    said = getattr(error, "error_string", None) or str(error)
    if "regular file" in said:  # its words for an MP3 stream without a single frame
        return "no audio in it"
    return " ".join(said.split()).removeprefix("Error : ").rstrip(".")
