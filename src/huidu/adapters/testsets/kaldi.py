"""Kaldi's data folders: wav.scp, text, and utt2spk where there is one."""

from pathlib import Path

from huidu.adapters.testsets.found import Draft, Found, lines, quoted
from huidu.core.formats.nist import kaldi_line
from huidu.core.testset import shown

_AUDIO, _TEXT, _SPEAKER, _SEGMENTS = "wav.scp", "text", "utt2spk", "segments"


def is_kaldi(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (_AUDIO, _TEXT))


def read_kaldi(folder: Path, found: Found) -> None:
    """Paths in wav.scp are relative to the folder. Commands in it are refused, and never run."""
    if (folder / _SEGMENTS).exists():
        found.refuse(folder / _SEGMENTS, "segments are not accepted; accepted: one audio file for each utterance")
    audio, texts = _table(folder / _AUDIO, found), _table(folder / _TEXT, found)
    _same_ids(folder / _AUDIO, audio, folder / _TEXT, texts, found)
    speakers: dict[str, tuple[str, str]] = {}
    if (folder / _SPEAKER).exists():
        speakers = _table(folder / _SPEAKER, found)
        _same_ids(folder / _AUDIO, audio, folder / _SPEAKER, speakers, found)
    for name, (where, source) in audio.items():
        if "|" in source:
            found.refuse(where, f"{shown(name)} is a command ({shown(source)}), which is not run; accepted: a path")
        elif not source:
            found.refuse(where, f"{shown(name)} names no audio; accepted: a path relative to {quoted(folder)}")
        elif name in texts:
            speaker = speakers.get(name, ("", ""))[1]
            found.drafts.append(Draft(where, name, folder / source, texts[name][1], speaker))


def _table(path: Path, found: Found) -> dict[str, tuple[str, str]]:
    """By id: where the line stands, and what follows the id."""
    table: dict[str, tuple[str, str]] = {}
    for number, line in lines(path, found):
        name, rest = kaldi_line(line)
        where = f"{path}:{number}"
        if name in table:
            found.refuse(where, f"the id {shown(name)} stands twice; accepted: each id once")
        else:
            table[name] = (where, rest)
    return table


def _same_ids(
    first: Path, left: dict[str, tuple[str, str]], second: Path, right: dict[str, tuple[str, str]], found: Found
) -> None:
    for ids, others, other in ((left, right, second), (right, left, first)):
        for name, (where, _) in ids.items():
            if name not in others:
                found.refuse(where, f"{shown(name)} is not in {other.name}; accepted: the same ids in both")
