"""What is known of an audio file without decoding it whole."""

import hashlib
import stat
from io import FileIO
from pathlib import Path

import soundfile

from huidu.core.errors import InvalidError

ACCEPTED = "WAV, FLAC, OGG, Opus or MP3"
# The formats that the recognition service reads: libsndfile opens others, some of which match almost any bytes.
_FORMATS = frozenset({"WAV", "WAVEX", "RF64", "W64", "FLAC", "OGG", "MP3"})
# Their heads promise a length: whether it is there shows at the end.
_PROMISING = frozenset({"FLAC", "MP3"})
# No writer puts so many parts before the sound; zeros would be read as parts without an end.
_MOST_CHUNKS = 1000
# Sizes from here on are what encoders write that stream and do not know the size yet.
_UNKNOWN_SIZE = 0x7FFF_0000
_OGG_HEAD_BYTES = 27
_OGG_PAGE_BYTES = _OGG_HEAD_BYTES + 255 + 255 * 255


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seconds_of(path: Path) -> float:
    """The duration in seconds. Raises `InvalidError` for what is missing, empty, cut short or no audio."""
    try:
        # Opening a pipe would wait for its other end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise InvalidError(f"is no file; accepted: {ACCEPTED}")
        with path.open("rb", buffering=0) as file:
            return _measured(file, path.stat().st_size)
    except FileNotFoundError:
        raise InvalidError("does not exist") from None
    except ValueError:
        raise InvalidError("is no path") from None
    except OSError as error:
        raise InvalidError(f"cannot be opened: {error.strerror}") from error


def _measured(file: FileIO, size_bytes: int) -> float:
    if size_bytes == 0:
        raise InvalidError(f"is empty (0 bytes); accepted: {ACCEPTED}")
    if _wav_is_cut(file, size_bytes) or _ogg_is_cut(file, size_bytes):
        raise InvalidError("is cut short: it ends before its audio does")
    file.seek(0)
    try:
        # By descriptor: by name, an extension such as .raw would count more than the content.
        with soundfile.SoundFile(file.fileno(), closefd=False) as sound:
            if sound.format not in _FORMATS:
                raise InvalidError(f"is {sound.format}; accepted: {ACCEPTED}")
            if not sound.frames:
                raise InvalidError("holds no samples; accepted: at least one")
            if sound.format in _PROMISING and not _reaches_end(sound):
                raise InvalidError("is cut short: it ends before its audio does")
            return float(sound.frames / sound.samplerate)
    except (soundfile.SoundFileError, RuntimeError) as error:
        said = " ".join(str(getattr(error, "error_string", "")).split()).rstrip(".") or "it is damaged or cut short"
        raise InvalidError(f"cannot be read as audio ({said}); accepted: {ACCEPTED}") from error


def _reaches_end(sound: soundfile.SoundFile) -> bool:
    sound.seek(sound.frames - 1)
    return len(sound.read(1)) > 0


def _wav_is_cut(file: FileIO, size_bytes: int) -> bool:
    """libsndfile reads the rest of a WAV file as if it were whole."""
    file.seek(0)
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return False
    for _ in range(_MOST_CHUNKS):
        chunk = file.read(8)
        if len(chunk) < 8:
            break
        end = file.tell() + int.from_bytes(chunk[4:], "little")
        if chunk[:4] == b"data":
            return size_bytes < end and end - file.tell() < _UNKNOWN_SIZE
        file.seek(end + end % 2)
    return False


def _ogg_is_cut(file: FileIO, size_bytes: int) -> bool:
    """Whether an Ogg file ends within a page (RFC 3533, 6): libsndfile passes over the half page."""
    file.seek(0)
    if file.read(4) != b"OggS":
        return False
    file.seek(max(0, size_bytes - _OGG_PAGE_BYTES))
    tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    lengths = page[_OGG_HEAD_BYTES:][: page[_OGG_HEAD_BYTES - 1]] if len(page) >= _OGG_HEAD_BYTES else b""
    missing = len(page) < _OGG_HEAD_BYTES or len(lengths) < page[_OGG_HEAD_BYTES - 1]
    return missing or len(page) < _OGG_HEAD_BYTES + len(lengths) + sum(lengths)
