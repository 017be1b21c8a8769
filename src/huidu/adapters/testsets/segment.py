"""Segments of recordings, cut into files of their own: what is heard, listed and played is the segment only.

The files are WAV, which every service reads, and lie in a folder that goes with this process: no recording is kept.
"""

import hashlib
import tempfile
import threading
from functools import cache
from pathlib import Path

import soundfile

from huidu.core.errors import InvalidError


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="huidu-segments-")


def cut(audio: Path, begin: float, end: float) -> Path:
    """The samples from `begin` up to `end` (seconds) as a WAV file; the same file for the same samples.

    Raises `InvalidError` where there is no sample between.
    """
    key = hashlib.sha256(f"{audio.absolute()}\0{audio.stat().st_mtime_ns}\0{begin!r}\0{end!r}".encode()).hexdigest()
    made = Path(_folder().name) / f"{key[:32]}.wav"
    if made.exists():
        return made
    try:
        with audio.open("rb", buffering=0) as file, soundfile.SoundFile(file.fileno(), closefd=False) as sound:
            first, last = round(begin * sound.samplerate), round(end * sound.samplerate)
            sound.seek(min(first, sound.frames))
            samples, rate_hz = sound.read(max(last - first, 0), dtype="int16"), sound.samplerate
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise InvalidError("cannot be read as audio; accepted: WAV, FLAC, OGG, Opus or MP3") from error
    if not len(samples):
        raise InvalidError("holds no samples between; accepted: at least one")
    # Whoever clears away old temporary files may have taken the folder.
    made.parent.mkdir(parents=True, exist_ok=True)
    aside = made.with_suffix(f".{threading.get_ident()}")
    soundfile.write(aside, samples, rate_hz, "PCM_16", format="WAV")
    aside.rename(made)
    return made
