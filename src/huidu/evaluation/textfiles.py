"""Texts by id, as `huidu score` reads them: trn, tsv, or one on each line. Pure: takes what a file holds."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from huidu.core.testset import Problem, SetError, id_fault, shown

_TRN = re.compile(r"(?P<text>.*)\((?P<id>[^()\s]+)\)\s*", re.DOTALL)


class Format(StrEnum):
    """trn: `text (id)`, NIST's; txt: line N of one file pairs with line N of the other; tsv: id, tab, text."""

    TRN = "trn"
    TXT = "txt"
    TSV = "tsv"


@dataclass(frozen=True, slots=True)
class Paired:
    """References with their hypotheses (None where there is none), and the ids that only the hypotheses have."""

    ids: tuple[str, ...]
    references: tuple[str, ...]
    hypotheses: tuple[str | None, ...]
    unmatched: tuple[str, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(name for name, text in zip(self.ids, self.hypotheses, strict=True) if text is None)


def paired(references: dict[str, str], hypotheses: dict[str, str]) -> Paired:
    """Pairs texts by their ids, in the order of the references."""
    return Paired(
        tuple(references),
        tuple(references.values()),
        tuple(hypotheses.get(name) for name in references),
        tuple(name for name in hypotheses if name not in references),
    )


def texts(name: str, content: bytes, form: Format) -> dict[str, str]:
    """The texts of a file called `name`, by id (for txt the number of the line).

    Raises `SetError` that names every line that is no good: not UTF-8, without id, with an id that stood before.
    """
    problems: list[Problem] = []
    found: dict[str, str] = {}
    first: dict[str, int] = {}
    header: list[str] | None = None
    for number, line in _lines(name, content, problems):
        if form is Format.TSV and number == 1 and {"id", "text"} <= set(columns := line.split("\t")):
            header = columns
            continue
        read = _read(line, number, form, header)
        where = f"{name}:{number}"
        if read is None:
            continue
        if isinstance(read, str):
            problems.append(Problem(where, read))
            continue
        key, text = read
        if (fault := id_fault(key)) is not None:
            problems.append(Problem(where, fault))
        elif key in found:
            problems.append(Problem(where, f"id '{shown(key)}' stands in line {first[key]} already; accepted: once"))
        else:
            found[key], first[key] = text, number
    if problems:
        raise SetError(name, problems)
    return found


def _lines(name: str, content: bytes, problems: list[Problem]) -> Iterator[tuple[int, str]]:
    rows = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    # What ends the last line begins no other.
    if rows[-1] == b"":
        rows.pop()
    for number, row in enumerate(rows, start=1):
        try:
            yield number, row.removesuffix(b"\r").decode()
        except UnicodeDecodeError as error:
            problems.append(
                Problem(f"{name}:{number}", f"byte {error.start + 1} of the line is not UTF-8; accepted: UTF-8 text")
            )


def _read(line: str, number: int, form: Format, header: list[str] | None) -> tuple[str, str] | str | None:
    """Id and text of a line, what is wrong with it, or None for a line that holds nothing.

    A table may have more columns than these two: then its header says which are meant.
    """
    match form:
        case Format.TXT:
            return str(number), line
        case Format.TSV:
            if not line.strip():
                return None
            if header is not None:
                fields = line.split("\t", len(header) - 1)
                if len(fields) == len(header):
                    return fields[header.index("id")], fields[header.index("text")]
                return f"{len(fields)} fields in '{shown(line)}'; accepted: {len(header)}, as its header has"
            name, tab, text = line.partition("\t")
            return (name, text) if tab else f"no tab in '{shown(line)}'; accepted: id, tab, text"
        case Format.TRN:
            if not line.strip() or line.startswith(";;"):
                return None
            read = _TRN.fullmatch(line)
            return (read["id"], read["text"].rstrip()) if read else f"no id in '{shown(line)}'; accepted: text (id)"
