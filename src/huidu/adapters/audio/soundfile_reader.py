"""Reads uploaded audio with libsndfile."""

from typing import BinaryIO

import numpy as np
import soundfile

from huidu.core.errors import InvalidError
from huidu.ports import Audio, Samples

ACCEPTED = "WAV, FLAC, OGG, Opus or MP3"
# What libsndfile calls these: it opens two dozen other formats, some of which match almost any bytes.
_FORMATS = frozenset({"WAV", "WAVEX", "RF64", "W64", "FLAC", "OGG", "MP3"})
_BLOCK_FRAMES = 1 << 18
_MIN_RATE_HZ, _MAX_RATE_HZ = 4_000, 384_000
# Data sizes from here on are what encoders write that stream and do not know the size yet.
_UNKNOWN_SIZE = 0x7FFF_0000
_OGG_PAGE_BYTES = 27 + 255 + 255 * 255


class SoundfileReader:
    """`ports.AudioReader`: channels are averaged, the sample rate stays that of the file.

    Audio longer than `max_seconds` is refused: a small compressed file can hold days of silence.
    """

    def __init__(self, max_seconds: float = 4 * 3600) -> None:
        self._max_seconds = max_seconds

    def read(self, file: BinaryIO, filename: str) -> Audio:
        """Raises `InvalidError` for what is empty, corrupt, cut short, too long or not audio."""
        size_bytes = file.seek(0, 2)
        file.seek(0)
        if size_bytes == 0:
            raise InvalidError(f"the audio is empty (0 bytes); accepted: {ACCEPTED}")
        _refuse_cut_wav(file, size_bytes)
        _refuse_cut_ogg(file, size_bytes)
        try:
            with soundfile.SoundFile(file) as sound:
                return self._decode(sound)
        except (soundfile.SoundFileError, RuntimeError, ValueError) as error:
            raise InvalidError(f"the audio cannot be decoded: {_reason(error)}; accepted: {ACCEPTED}") from error

    def _decode(self, sound: soundfile.SoundFile) -> Audio:
        rate_hz = int(sound.samplerate)
        if sound.format not in _FORMATS:
            raise InvalidError(f"the audio is {sound.format}; accepted: {ACCEPTED}")
        if not _MIN_RATE_HZ <= rate_hz <= _MAX_RATE_HZ:
            raise InvalidError(f"the audio has {rate_hz} samples a second; accepted: {_MIN_RATE_HZ} to {_MAX_RATE_HZ}")
        blocks: list[Samples] = []
        frames = 0
        # By blocks: a header may promise any number of frames.
        while len(block := sound.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)):
            blocks.append(block[:, 0] if block.shape[1] == 1 else block.mean(axis=1, dtype=np.float32))
            frames += len(block)
            if frames > self._max_seconds * rate_hz:
                raise InvalidError(f"the audio is longer than the accepted {self._max_seconds:g} seconds")
        if frames == 0:
            raise InvalidError(f"the audio holds no samples; accepted: {ACCEPTED}")
        samples = np.concatenate(blocks) if len(blocks) > 1 else np.ascontiguousarray(blocks[0])
        if not np.isfinite(samples).all():
            raise InvalidError("the audio holds values that are not numbers; accepted: finite samples")
        return Audio(samples=samples, sample_rate_hz=rate_hz)


def _refuse_cut_wav(file: BinaryIO, size_bytes: int) -> None:
    """Refuses a WAV file that ends before its data does, which libsndfile would read as if it were whole."""
    head = file.read(12)
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        while len(chunk := file.read(8)) == 8:
            length, here = int.from_bytes(chunk[4:], "little"), file.tell()
            if chunk[:4] == b"data":
                if here + length > size_bytes and length < _UNKNOWN_SIZE:
                    raise InvalidError(
                        f"the audio is cut short: {length} bytes of samples promised, {size_bytes - here} there"
                    )
                break
            file.seek(here + length + length % 2)
    file.seek(0)


def _refuse_cut_ogg(file: BinaryIO, size_bytes: int) -> None:
    """Refuses an Ogg file that ends within a page (RFC 3533, 6), where libsndfile would read what is left."""
    if file.read(4) == b"OggS":
        file.seek(max(0, size_bytes - _OGG_PAGE_BYTES))
        tail = file.read()
        page = tail[tail.rfind(b"OggS") :]
        lengths = page[27 : 27 + page[26]] if len(page) > 26 else b""
        if len(page) < 27 or len(lengths) < page[26] or len(page) < 27 + len(lengths) + sum(lengths):
            raise InvalidError("the audio is cut short: its last Ogg page is not complete")
    file.seek(0)


def _reason(error: Exception) -> str:
    """What libsndfile said, in one line and without the address of the file object."""
    said = getattr(error, "error_string", None) or str(error)
    if "regular file" in said:  # its words for an MP3 stream without a single frame
        return "no audio in it"
    return " ".join(said.split()).removeprefix("Error : ").rstrip(".")
