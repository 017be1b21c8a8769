"""Sets with named fields: TSV and CSV with a header, and JSON lines, the manifests of other tools among them."""

from collections.abc import Sequence
from pathlib import Path

from huidu.adapters.testsets.found import Draft, Found, lines, quoted
from huidu.core.errors import InvalidError
from huidu.core.formats.keys import (
    Columns,
    audio_named,
    columns_of,
    id_from_audio,
    label,
    listed,
    refuse_unknown,
    seconds,
)
from huidu.core.formats.lines import text_of
from huidu.core.formats.records import (
    Record,
    Row,
    csv_rows,
    header_fault,
    json_records,
    missing_columns,
    names_of,
    table_records,
    tsv_rows,
)
from huidu.core.testset import shown

_READ = ("id", "audio", "text", "speaker", "category", "offset", "duration")
# Common Voice names its recordings as they are called in here.
_CLIPS = "clips"


def read_tsv(path: Path, found: Found) -> None:
    """Tab-separated, nothing quoted; columns in any order."""
    _read_table(path, list(tsv_rows(lines(path, found))), found)


def read_csv(path: Path, found: Found) -> None:
    """Comma-separated (RFC 4180); columns in any order."""
    name = quoted(path)
    _read_table(path, csv_rows(name, text_of(name, path.read_bytes(), found.problems), found.problems), found)


def read_jsonl(path: Path, found: Found) -> None:
    """One object on each line, with the same names as the columns of a table."""
    records = json_records(quoted(path), lines(path, found), found.problems)
    names = names_of(records)
    if records and (columns := _columns(path, 0, names, found)):
        _take(path, columns, records, found)


def _read_table(path: Path, rows: Sequence[Row], found: Found) -> None:
    if not rows:
        return
    line, first = rows[0]
    header = [name.strip() for name in first]
    if (fault := header_fault(header)) is not None:
        found.refuse(f"{path}:{line}", fault)
        return
    columns = _columns(path, line, header, found)
    if columns is None:
        return
    if unknown := [name for name in header if name not in columns.read]:
        found.warn(f"{path}:{line}", f"column {listed(unknown)} is not read; read are {', '.join(_READ)}")
    _take(path, columns, table_records(quoted(path), header, rows[1:], found.problems), found)


def _columns(path: Path, line: int, names: Sequence[str], found: Found) -> Columns | None:
    """What the columns mean; None, with the problem named, where that cannot be told."""
    where = f"{path}:{line}" if line else path
    try:
        refuse_unknown(found.asked, {quoted(path.name): names})
    except InvalidError as error:
        found.refuse(where, str(error))
        return None
    columns = columns_of(names, found.asked)
    if (fault := missing_columns(names, columns, ("id", "audio", "text"))) is not None:
        found.refuse(where, f"{fault} (or JSON lines, .csv, .trn, .stm, a Kaldi folder, a folder of audio and .txt)")
        return None
    return columns


def _take(path: Path, columns: Columns, records: Sequence[Record], found: Found) -> None:
    for record in records:
        if (draft := _draft(path, columns, record, found)) is not None:
            found.drafts.append(draft)


def _draft(path: Path, columns: Columns, record: Record, found: Found) -> Draft | None:
    where = f"{path}:{record.line}"
    audio = audio_named(record.get(columns.audio))
    if audio is None:
        found.refuse(where, f"no audio is named; accepted: {columns.audio[0]} as a path relative to the set")
        return None
    offset, duration = (record.get(names) for names in (columns.offset, columns.duration))
    begin, length = seconds(offset), seconds(duration)
    if begin is None or length is None:
        read = f"offset {shown(str(offset))} and duration {shown(str(duration))}"
        found.refuse(where, f"read {read}; accepted: seconds, 0 or more")
        return None
    named = any(name in record.values for name in columns.id)
    fields = {
        "id": label(record.get(columns.id)) if named else id_from_audio(audio, begin),
        "text": record.get(columns.text),
        "speaker": _optional(record, columns.speaker),
        "category": _optional(record, columns.category),
    }
    texts = [value for value in fields.values() if isinstance(value, str)]
    if len(texts) < len(fields):
        wrong = ", ".join(name for name, value in fields.items() if not isinstance(value, str))
        found.refuse(where, f"{wrong} is missing or no text; accepted: id, text, speaker and category as text")
        return None
    name, text, speaker, category = texts
    return Draft(where, name, _place(path.parent, audio), text, speaker, category, segment=(begin, length))


def _optional(record: Record, names: tuple[str, ...]) -> str | None:
    value = record.get(names)
    return "" if value is None else label(value)


def _place(folder: Path, audio: str) -> Path:
    """Where the audio lies: relative to the set, or where Common Voice keeps it."""
    beside, clip = folder / audio, folder / _CLIPS / audio
    try:
        return clip if not beside.exists() and clip.exists() else beside
    except (OSError, ValueError):  # too long, or with characters that no path can hold
        return beside
