"""A text file on its way to texts by id: its format, and what was found in it so far."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePath

from huidu.core.errors import InvalidError
from huidu.core.formats.keys import Asked
from huidu.core.formats.lines import Line, lines_of
from huidu.core.testset import Problem, SetError, id_fault, shown


class Format(StrEnum):
    """How texts are written.

    trn: `text (id)`, NIST's; txt: line N of one file pairs with line N of the other; tsv and csv: columns; jsonl: an
    object on each line; kaldi: id, blank, text; stm: segments by time; ctm: words by time.
    """

    TRN = "trn"
    TXT = "txt"
    TSV = "tsv"
    CSV = "csv"
    JSONL = "jsonl"
    KALDI = "kaldi"
    STM = "stm"
    CTM = "ctm"


_SURROGATE = re.compile("[\ud800-\udfff]")
_BY_SUFFIX = {".ndjson": Format.JSONL, ".json": Format.JSONL}


def format_of(name: str) -> Format:
    """The format that a file's name tells. Raises `InvalidError` where it tells none."""
    path = PurePath(name)
    suffix = path.suffix.lower()
    if path.name == "text":
        return Format.KALDI
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix]
    if suffix.removeprefix(".") not in set(Format):
        raise InvalidError(f"{shown(name)}: the suffix tells no format; accepted: --format {', '.join(Format)}")
    return Format(suffix.removeprefix("."))


@dataclass(slots=True)
class Reading:
    """A file on its way to texts by id. With `heard` it is a recogniser's, where no text at all is an answer."""

    name: str
    content: bytes
    heard: bool = False
    asked: Asked = field(default_factory=Asked)
    problems: list[Problem] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    text_column: str | None = None
    _first: dict[str, int] = field(default_factory=dict)

    def lines(self) -> list[Line]:
        """The good lines; the others are problems."""
        return lines_of(self.name, self.content, self.problems)

    def peeked(self) -> list[Line]:
        """The good lines, before the file is read for good."""
        return lines_of(self.name, self.content, [])

    def refuse(self, line: int, what: str) -> None:
        self.problems.append(Problem(f"{self.name}:{line}", what))

    def add(self, line: int, key: str, text: str | None) -> None:
        """A text (None where there is none) with its id, if nothing is wrong with them."""
        fault = id_fault(key) or _text_fault(text)
        if fault is not None:
            self.refuse(line, fault)
        elif key in self._first:
            self.refuse(line, f"id '{shown(key)}' stands in line {self._first[key]} already; accepted: once")
        else:
            self._first[key] = line
            if text is not None:
                self.texts[key] = text

    def finish(self) -> None:
        """Raises `SetError` with everything that is wrong with the file."""
        if self.problems:
            raise SetError(self.name, sorted(self.problems, key=_line_of))


def _line_of(problem: Problem) -> int:
    line = problem.where.rpartition(":")[2]
    return int(line) if line.isdecimal() else 0


def _text_fault(text: str | None) -> str | None:
    if text is None:
        return None
    if "\0" in text:
        return "the text holds a control character (U+0000, NUL); accepted: plain text"
    if _SURROGATE.search(text):
        return "the text holds half of a surrogate pair; accepted: plain text"
    return None
