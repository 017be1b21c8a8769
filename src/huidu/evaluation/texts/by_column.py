"""Formats of rows with named fields: TSV, CSV, JSON lines."""

from collections.abc import Iterable

from huidu.core.formats.keys import (
    Asked,
    Columns,
    audio_named,
    columns_of,
    id_from_audio,
    is_known,
    is_name_like,
    label,
    listed,
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
from huidu.core.testset import Problem, shown
from huidu.evaluation.texts.reading import Reading

_TWO = 2


def read_jsonl(reading: Reading) -> None:
    records = json_records(reading.name, reading.lines(), reading.problems)
    if records:
        _take(reading, names_of(records), records)


def read_csv(reading: Reading) -> None:
    rows = csv_rows(reading.name, text_of(reading.name, reading.content, reading.problems), reading.problems)
    if rows:
        _table(reading, rows[0][1], rows)


def read_tsv(reading: Reading) -> None:
    rows = list(tsv_rows(reading.lines()))
    if not rows:
        return
    first = rows[0][1]
    if _is_header(first, reading.asked):
        _table(reading, first, rows)
    elif _seems_header(first, rows) or any(name is not None for name in (reading.asked.id, reading.asked.text)):
        reading.refuse(
            rows[0][0],
            f"which of its columns ({listed(first)}) are id and text cannot be told; accepted: id and text, "
            "--id-column NAME --text-column NAME, or, where this is no header, --format kaldi",
        )
    else:
        _bare(reading, rows)


def _bare(reading: Reading, rows: list[Row]) -> None:
    """Id, tab, text, without a header."""
    for number, fields in rows:
        if len(fields) == _TWO:
            reading.add(number, fields[0], fields[1])
        elif len(fields) == 1:
            reading.refuse(number, f"no tab in '{shown(fields[0])}'; accepted: id, tab, text")
        else:
            reading.refuse(number, f"{len(fields)} fields and no header that names them; accepted: id, tab, text")


def _is_header(first: list[str], asked: Asked) -> bool:
    names = [name.strip() for name in first]
    found = _columns(names, asked, heard=False)
    return bool(found.text and (found.id or found.audio))


def _seems_header(first: list[str], rows: list[Row]) -> bool:
    """Whether a first line without the known names is yet a header: one name is known, there are more than two, or
    no other line's id is a word without a digit as the first one's is."""
    if len(first) < _TWO or not all(map(is_name_like, first)):
        return False
    others = [fields[0] for _, fields in rows[1:]]
    unlike = bool(others) and not _has_digit(first[0]) and all(map(_has_digit, others))
    return len(first) > _TWO or any(map(is_known, first)) or unlike


def _has_digit(text: str) -> bool:
    return any(char.isdigit() for char in text)


def _table(reading: Reading, first: list[str], rows: list[Row]) -> None:
    header = [name.strip() for name in first]
    if (fault := header_fault(header)) is not None:
        reading.refuse(rows[0][0], fault)
        return
    _take(reading, header, table_records(reading.name, header, rows[1:], reading.problems))


def _take(reading: Reading, names: list[str], records: Iterable[Record]) -> None:
    columns = _columns(names, reading.asked, reading.heard)
    if (fault := missing_columns(names, columns, ("id", "text"))) is not None:
        reading.problems.append(Problem(reading.name, fault))
        return
    reading.names, reading.text_column = names, columns.text[0]
    if len(columns.text) > 1:
        others = ", ".join(map(shown, columns.text[1:]))
        reading.remarks.append(
            f"{reading.name}: the text is {shown(columns.text[0])}, not {others} (--text-column says otherwise)"
        )
    for record in records:
        _record(reading, columns, record)


def _columns(names: list[str], asked: Asked, heard: bool) -> Columns:
    """Two recognisers may be compared: a file of nothing but what was heard can be the reference."""
    said = columns_of(names, asked, heard)
    return said if said.text else columns_of(names, asked, heard=True)


def _record(reading: Reading, columns: Columns, record: Record) -> None:
    key = _key(columns, record)
    text = record.get(columns.text)
    if key is None:
        reading.refuse(record.line, "the id is missing or no text; accepted: a text or a whole number")
    elif text is None and not reading.heard:
        reading.refuse(record.line, "the text is missing; accepted: what was said, empty where nothing was")
    elif text is not None and not isinstance(text, str):
        reading.refuse(record.line, f"the text is a JSON {type(text).__name__}; accepted: a text")
    else:
        reading.add(record.line, key, text)


def _key(columns: Columns, record: Record) -> str | None:
    if any(name in record.values for name in columns.id):
        return label(record.get(columns.id))
    audio, begin = audio_named(record.get(columns.audio)), seconds(record.get(columns.offset))
    return None if audio is None or begin is None else id_from_audio(audio, begin)
