"""Sets with named fields: TSV with a header, and JSON lines, NeMo's manifests among them."""

import json
from pathlib import Path
from typing import Any

from huidu.adapters.testsets.found import Draft, Found, lines
from huidu.core.testset import shown

_NEEDED = ("id", "audio", "text")
_KNOWN = (*_NEEDED, "speaker", "category")


def read_tsv(path: Path, found: Found) -> None:
    """Tab-separated, nothing quoted; columns in any order, `speaker` and `category` may be missing."""
    header: list[str] | None = None
    for number, line in lines(path, found):
        where, fields = f"{path}:{number}", line.split("\t")
        if header is None:
            header = [name.strip() for name in fields]
            if not _usable(header, where, found):
                return
        elif len(fields) != len(header):
            found.refuse(where, f"read {len(fields)} fields; accepted: {len(header)} ({shown(' '.join(header))})")
        else:
            row = dict(zip(header, fields, strict=True))
            if not row["audio"]:
                found.refuse(where, "no audio is named; accepted: a path relative to the set")
                continue
            audio = path.parent / row["audio"]
            speaker, category = row.get("speaker", ""), row.get("category", "")
            found.drafts.append(Draft(where, row["id"], audio, row["text"], speaker, category))


def _usable(header: list[str], where: str, found: Found) -> bool:
    missing = [name for name in _NEEDED if name not in header]
    twice = sorted({name for name in header if header.count(name) > 1})
    if missing:
        found.refuse(
            where,
            f"no column {', '.join(missing)}; accepted: a TSV file with the header {' '.join(_KNOWN)} (or JSON "
            "lines, .trn, .stm, a Kaldi folder, a folder of audio and .txt, a history database)",
        )
    if twice:
        found.refuse(where, f"column {shown(', '.join(twice))} stands twice; accepted: each once")
    if unknown := [name for name in header if name not in _KNOWN]:
        found.warn(where, f"column {shown(', '.join(unknown))} is not read; read are {', '.join(_KNOWN)}")
    return not missing and not twice


def read_jsonl(path: Path, found: Found) -> None:
    """One object on each line, with the keys of the TSV; of NeMo's manifests `audio_filepath` and `text`."""
    for number, line in lines(path, found):
        where = f"{path}:{number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            said = error.msg if isinstance(error, json.JSONDecodeError) else "it cannot be read"
            found.refuse(where, f"no JSON ({said}); accepted: one object on each line")
            continue
        if isinstance(row, dict):
            _object(path, where, row, found)
        else:
            found.refuse(where, f"read a JSON {type(row).__name__}; accepted: one object on each line")


def _object(path: Path, where: str, row: dict[str, Any], found: Found) -> None:
    audio = row.get("audio", row.get("audio_filepath"))
    if not isinstance(audio, str) or not audio:
        found.refuse(where, "no audio is named; accepted: audio (or audio_filepath) as text")
        return
    if row.get("offset"):
        found.refuse(where, "an offset into the audio is given; accepted: whole files")
        return
    # NeMo's manifests name no utterances.
    name, text = _label(row.get("id", Path(audio).stem)), row.get("text")
    speaker, category = (_label(row.get(key) if row.get(key) is not None else "") for key in ("speaker", "category"))
    if name is None or not isinstance(text, str) or speaker is None or category is None:
        given = {"id": name, "text": text, "speaker": speaker, "category": category}
        wrong = ", ".join(key for key, value in given.items() if not isinstance(value, str))
        found.refuse(where, f"{wrong} is missing or no text; accepted: {' '.join(_KNOWN)} as text")
        return
    found.drafts.append(Draft(where, name, path.parent / audio, text, speaker, category))


def _label(value: object) -> str | None:
    """Text or a whole number as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return str(value)
