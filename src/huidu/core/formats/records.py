"""Rows with named fields, whatever they were written in: JSON lines, CSV, TSV."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from huidu.core.formats.keys import ID, SAID, Columns, listed
from huidu.core.formats.lines import Line
from huidu.core.testset import Problem, shown

Row = tuple[int, list[str]]

# RFC 4180: a field is quoted whole, with its quotes doubled, or not at all.
_FIELD = re.compile(r'(?:"(?P<quoted>[^"]*(?:""[^"]*)*)"|(?P<bare>[^",\r\n]*))(?P<end>,|\r?\n|\r|\Z)')
_NEWLINE = re.compile(r"\r?\n|\r")


@dataclass(frozen=True, slots=True)
class Record:
    """One row: where its line stands, and its fields by name."""

    line: int
    values: Mapping[str, Any]

    def get(self, names: Sequence[str]) -> Any:
        """The field of the first of these names that the row has, null or not; None where it has none of them."""
        return next((self.values[name] for name in names if name in self.values), None)


def names_of(records: Iterable[Record]) -> list[str]:
    """The names that any of the rows has, in their order."""
    return list(dict.fromkeys(name for record in records for name in record.values))


def json_records(name: str, lines: Iterable[Line], problems: list[Problem]) -> list[Record]:
    """One object on each line; empty lines hold nothing."""
    found = []
    for number, line in lines:
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            said = error.msg if isinstance(error, json.JSONDecodeError) else "it cannot be read"
            problems.append(Problem(f"{name}:{number}", f"no JSON ({said}); accepted: one object on each line"))
            continue
        if isinstance(row, dict):
            found.append(Record(number, row))
        else:
            kind = type(row).__name__
            problems.append(Problem(f"{name}:{number}", f"read a JSON {kind}; accepted: one object on each line"))
    return found


def tsv_rows(lines: Iterable[Line]) -> Iterator[Row]:
    """Tab-separated, nothing quoted; empty lines hold nothing."""
    return ((number, line.split("\t")) for number, line in lines if line.strip())


def csv_rows(name: str, text: str, problems: list[Problem]) -> list[Row]:
    """Comma-separated (RFC 4180), with the line on which each row begins; a row may go on over several lines."""
    rows: list[Row] = []
    fields: list[str] = []
    at, line, begun = 0, 1, 1
    while at < len(text):
        if (field := _FIELD.match(text, at)) is None:
            problems.append(
                Problem(
                    f"{name}:{begun}", 'a quote that is not closed, or stands inside a field; accepted: "a ""b"" c"'
                )
            )
            # What follows a quote that is open may be anything: nothing behind it is read.
            return rows
        quoted = field["quoted"]
        fields.append(field["bare"] if quoted is None else quoted.replace('""', '"'))
        line += len(_NEWLINE.findall(field[0]))
        at = field.end()
        if field["end"] != ",":
            rows.append((begun, fields))
            fields, begun = [], line
        elif at == len(text):
            rows.append((begun, [*fields, ""]))
    return [(number, fields) for number, fields in rows if len(fields) > 1 or fields[0].strip()]


def table_records(name: str, header: list[str], rows: Iterable[Row], problems: list[Problem]) -> list[Record]:
    """The rows by the names of a header; one with more or fewer fields is a problem."""
    found = []
    for number, fields in rows:
        if len(fields) == len(header):
            found.append(Record(number, dict(zip(header, fields, strict=True))))
        else:
            what = f"read {len(fields)} fields; accepted: {len(header)} ({shown(' '.join(header))})"
            problems.append(Problem(f"{name}:{number}", what))
    return found


def header_fault(header: Sequence[str]) -> str | None:
    """Why these cannot be the names of a table's columns."""
    twice = sorted({name for name in header if header.count(name) > 1})
    return f"column {shown(', '.join(twice))} stands twice; accepted: each once" if twice else None


def missing_columns(names: Sequence[str], columns: Columns, needed: Sequence[str]) -> str | None:
    """What of a file's columns cannot be told, with those that it has and the way to name them; None for nothing.

    `needed`: of `id`, `audio` and `text`; an id can be told from the audio.
    """
    have = {"id": columns.id or columns.audio, "audio": columns.audio, "text": columns.text}
    lost = [each for each in needed if not have[each]]
    if not lost:
        return None
    options = " ".join(f"--{each}-column NAME" for each in lost)
    return (
        f"no column {', '.join(lost)} among its columns ({listed(names)}); accepted: names such as "
        f"{', '.join(ID[:3])} and {', '.join(SAID[:4])}, or {options}"
    )
