"""NIST's reference files: trn and stm. Audio is found by name, beside them or in `audio/` or `wav/`."""

from pathlib import Path

from huidu.adapters.testsets.found import Draft, Found, audio_by_name, audio_of, lines
from huidu.core.formats.nist import NOT_SCORED, Segment, is_remark, stm_line, trn_line
from huidu.core.testset import shown


def _audio(path: Path) -> dict[str, list[Path]]:
    return audio_by_name([path.parent, path.parent / "audio", path.parent / "wav"])


def read_trn(path: Path, found: Found) -> None:
    """`text (speaker-utterance)`: what stands in brackets is the id, and its part before the first - the speaker."""
    named = _audio(path)
    for number, line in lines(path, found):
        if is_remark(line):
            continue
        where, read = f"{path}:{number}", trn_line(line)
        if isinstance(read, str):
            found.refuse(where, read)
            continue
        name, text = read
        speaker, hyphen, _ = name.partition("-")
        if audio := audio_of(name, named, where, found):
            found.drafts.append(Draft(where, name, audio, text.strip(), speaker if hyphen else ""))


def read_stm(path: Path, found: Found) -> None:
    """`file channel speaker start end <labels> text`, one segment for each file: audio is recognised whole."""
    named = _audio(path)
    segments: dict[str, list[tuple[str, Segment]]] = {}
    for number, line in lines(path, found):
        if is_remark(line):
            continue
        read = stm_line(line)
        if isinstance(read, str):
            found.refuse(f"{path}:{number}", read)
        else:
            segments.setdefault(read.file, []).append((f"{path}:{number}", read))
    for name, those in segments.items():
        where, segment = those[0]
        if len(those) > 1:
            found.refuse(
                where,
                f"the file {shown(name)} has {len(those)} segments, and audio is recognised whole; accepted: one "
                "segment for each file (cut the audio)",
            )
        elif not segment.scored:
            found.refuse(where, f"the file {shown(name)} is not to be scored ({NOT_SCORED}); accepted: a reference")
        elif audio := audio_of(name, named, where, found):
            span = (segment.begin, segment.end)
            found.drafts.append(Draft(where, name, audio, segment.text, segment.speaker, span=span))
