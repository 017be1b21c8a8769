"""Clips inside the page: each distinct audio once, as a data URI under its content hash, up to a total size."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from huidu.adapters.report.shown import shown

# What browsers play, by file name suffix.
MEDIA_TYPES = {
    ".opus": "audio/ogg",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".aac": "audio/aac",
    ".webm": "audio/webm",
}
REASONS = ("missing", "format", "budget")


@dataclass(slots=True)
class Clips:
    """`uris` by content hash; `keys` names the hash of an utterance (by its position), `absent` why it has none."""

    uris: dict[str, str] = field(default_factory=dict)
    keys: dict[int, str] = field(default_factory=dict)
    absent: dict[int, str] = field(default_factory=dict)
    size_bytes: int = 0

    def count_absent(self, reason: str) -> int:
        return sum(1 for why in self.absent.values() if why == reason)


def collect(utterances: Mapping[int, dict[str, Any]], order: Iterable[int], budget_bytes: int) -> Clips:
    """The clips of the utterances at `order`, first come first served, up to `budget_bytes` of audio in all.

    A file that is missing, cannot be read or that browsers do not play leaves its utterance without a clip.
    """
    clips = Clips()
    for position in order:
        if position not in clips.keys and position not in clips.absent:
            _add(clips, position, utterances[position], budget_bytes)
    return clips


def _add(clips: Clips, position: int, utterance: dict[str, Any], budget_bytes: int) -> None:
    named = shown(utterance.get("audio_sha256"))
    if named in clips.uris:
        clips.keys[position] = named
        return
    path = Path(str(utterance.get("audio") or ""))
    media_type = MEDIA_TYPES.get(path.suffix.lower())
    size = _size(path)
    if size is None:
        clips.absent[position] = "missing"
    elif media_type is None:
        clips.absent[position] = "format"
    elif clips.size_bytes + size > budget_bytes:
        clips.absent[position] = "budget"
    else:
        _embed(clips, position, path, media_type, named)


def _embed(clips: Clips, position: int, path: Path, media_type: str, named: str) -> None:
    try:
        content = path.read_bytes()
    except OSError:
        clips.absent[position] = "missing"
        return
    key = named or hashlib.sha256(content).hexdigest()
    clips.keys[position] = key
    if key not in clips.uris:
        clips.uris[key] = f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"
        clips.size_bytes += len(content)


def _size(path: Path) -> int | None:
    """Bytes of a file, None where there is none (or its name is none, such as one with a NUL)."""
    try:
        return path.stat().st_size if path.is_file() else None
    except (OSError, ValueError):
        return None
