"""NIST's reference files: trn and stm. Audio is found by name, beside them or in `audio/` or `wav/`."""

import math
import re
from pathlib import Path

from huidu.adapters.testsets.found import Draft, Found, audio_by_name, audio_of, lines
from huidu.core.testset import shown

_COMMENT = ";;"
_TRN = re.compile(r"(.*)\(([^()]+)\)\s*")
_STM = re.compile(r"\s*(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)(?:\s+<[^<>\s]*>)?(?:\s+(.*))?")
_NOT_SCORED = "IGNORE_TIME_SEGMENT_IN_SCORING"


def _audio(path: Path) -> dict[str, list[Path]]:
    return audio_by_name([path.parent, path.parent / "audio", path.parent / "wav"])


def read_trn(path: Path, found: Found) -> None:
    """`text (speaker-utterance)`: what stands in brackets is the id, and its part before the first - the speaker."""
    named = _audio(path)
    for number, line in lines(path, found):
        if line.startswith(_COMMENT):
            continue
        where, parts = f"{path}:{number}", _TRN.fullmatch(line)
        if parts is None:
            found.refuse(where, "the line ends without an id; accepted: text (speaker-utterance)")
            continue
        name = parts[2].strip()
        speaker, hyphen, _ = name.partition("-")
        if audio := audio_of(name, named, where, found):
            found.drafts.append(Draft(where, name, audio, parts[1].strip(), speaker if hyphen else ""))


def read_stm(path: Path, found: Found) -> None:
    """`file channel speaker start end <labels> text`, one segment for each file: audio is recognised whole."""
    named = _audio(path)
    segments: dict[str, list[tuple[str, re.Match[str]]]] = {}
    for number, line in lines(path, found):
        if line.startswith(_COMMENT):
            continue
        if parts := _STM.fullmatch(line):
            segments.setdefault(parts[1], []).append((f"{path}:{number}", parts))
        else:
            found.refuse(f"{path}:{number}", "too few fields; accepted: file channel speaker start end <labels> text")
    for name, those in segments.items():
        where, parts = those[0]
        if len(those) > 1:
            found.refuse(
                where,
                f"the file {shown(name)} has {len(those)} segments, and audio is recognised whole; accepted: one "
                "segment for each file (cut the audio)",
            )
        elif (draft := _segment(where, parts, named, found)) is not None:
            found.drafts.append(draft)


def _segment(where: str, parts: re.Match[str], named: dict[str, list[Path]], found: Found) -> Draft | None:
    name, _, speaker, begin, end, text = parts.groups(default="")
    try:
        span = (float(begin), float(end))
    except ValueError:
        span = (math.nan, math.nan)
    if not 0 <= span[0] < span[1] < math.inf:
        found.refuse(where, f"read the times {shown(begin)} and {shown(end)}; accepted: seconds, the begin first")
        return None
    if text.strip().upper() == _NOT_SCORED:
        found.refuse(where, f"the file {shown(name)} is not to be scored ({_NOT_SCORED}); accepted: a reference")
        return None
    audio = audio_of(name, named, where, found)
    return Draft(where, name, audio, text.strip(), speaker, span=span) if audio else None
