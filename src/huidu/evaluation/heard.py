"""What a version heard, kept by the audio's hash: nothing is recognised twice, and a run goes on where it stopped.

A file for each fingerprint, a line of JSON for each recording, with the time at which it was kept. Lines are only
appended, each in one write, so two runs may share a file; a line that was cut off when the machine went down is left
out.
"""

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from huidu.core.errors import UnavailableError
from huidu.files import write_aside


@dataclass(frozen=True, slots=True)
class Heard:
    """The text of one recording, or why there is none (`error`, one line). `latency_ms` is the whole request's."""

    text: str | None
    latency_ms: float | None
    error: str | None = None


class HeardFile:
    """The recognitions of one fingerprint in a folder. Failures are not kept: they may not happen again."""

    def __init__(self, folder: Path, fingerprint: str):
        self._path = folder / f"{fingerprint}.jsonl"

    def read(self) -> dict[str, Heard]:
        """By the audio's SHA-256; of several lines on one recording the last."""
        if not self._path.exists():
            return {}
        found = {}
        for line in self._path.read_bytes().splitlines(keepends=True):
            if not line.endswith(b"\n"):
                continue
            try:
                values = json.loads(line)
                audio_sha256 = str(values.pop("audio_sha256"))
                values.pop("time", None)
                found[audio_sha256] = Heard(**values)
            except (ValueError, TypeError, KeyError, AttributeError):
                # What a machine that went down left behind is recognised again.
                continue
        return found

    def add(self, audio_sha256: str, heard: Heard) -> None:
        if heard.error is not None:
            return
        self._path.parent.parent.mkdir(0o700, parents=True, exist_ok=True)
        self._path.parent.mkdir(0o700, exist_ok=True)
        kept = {"audio_sha256": audio_sha256, **asdict(heard), "time": round(time.time())}
        line = json.dumps(kept, ensure_ascii=False) + "\n"
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            os.write(descriptor, ("\n" * torn + line).encode("utf-8", "surrogatepass"))
        finally:
            os.close(descriptor)


def forget(folder: Path, before: float) -> int:
    """Deletes what was kept before a time in epoch seconds, from all files of a folder; how many lines that were.

    Lines without a time are as old as their file's last change. What another run keeps at this moment may be lost, and
    is recognised again. Raises `UnavailableError`.
    """
    try:
        return sum(_forget(path, before) for path in sorted(folder.glob("*.jsonl")))
    except OSError as error:
        raise UnavailableError(f"what was heard in {folder} cannot be deleted: {error.strerror}") from error


def _forget(path: Path, before: float) -> int:
    changed = path.stat().st_mtime
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if _time(line, changed) >= before]
    if len(kept) == len(lines):
        return 0
    if not kept:
        path.unlink()
        return len(lines)
    write_aside(path, b"".join(kept))
    os.utime(path, (changed, changed))
    return len(lines) - len(kept)


def _time(line: bytes, otherwise: float) -> float:
    try:
        return float(json.loads(line)["time"])
    except (ValueError, TypeError, KeyError):
        return otherwise
