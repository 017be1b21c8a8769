"""Two files of texts, paired, as `huidu score` reads them. Pure: takes what the files hold."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath

from huidu.core.errors import InvalidError
from huidu.core.formats.keys import Asked, refuse_unknown
from huidu.core.testset import shown
from huidu.evaluation.texts.by_column import read_csv, read_jsonl, read_tsv
from huidu.evaluation.texts.by_line import read_kaldi, read_trn, read_txt
from huidu.evaluation.texts.by_time import read_by_segments, read_ctm, read_stm, read_two_ctm
from huidu.evaluation.texts.line_ids import Lines, told, told_by_ids
from huidu.evaluation.texts.reading import Format, Reading, format_of

__all__ = ["Format", "Paired", "Source", "paired", "read_pair", "texts"]

_READERS: dict[Format, Callable[[Reading], None]] = {
    Format.TXT: read_txt,
    Format.TRN: read_trn,
    Format.KALDI: read_kaldi,
    Format.TSV: read_tsv,
    Format.CSV: read_csv,
    Format.JSONL: read_jsonl,
    Format.STM: read_stm,
    Format.CTM: read_ctm,
}
# Two files at once, where what one says depends on the other.
_PAIR_READERS: dict[tuple[Format, Format], Callable[[Reading, Reading], None]] = {
    (Format.STM, Format.CTM): read_by_segments,
    (Format.CTM, Format.CTM): read_two_ctm,
}


@dataclass(frozen=True, slots=True)
class Source:
    """A file's name and what it holds."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Paired:
    """References with their hypotheses (None where there is none), and the ids that only the hypotheses have.

    `remarks` say what was read otherwise than one might think.
    """

    ids: tuple[str, ...]
    references: tuple[str, ...]
    hypotheses: tuple[str | None, ...]
    unmatched: tuple[str, ...]
    remarks: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(name for name, text in zip(self.ids, self.hypotheses, strict=True) if text is None)


def paired(references: dict[str, str], hypotheses: dict[str, str], remarks: tuple[str, ...] = ()) -> Paired:
    """Pairs texts by their ids, in the order of the references."""
    return Paired(
        tuple(references),
        tuple(references.values()),
        tuple(hypotheses.get(name) for name in references),
        tuple(name for name in hypotheses if name not in references),
        remarks,
    )


def texts(name: str, content: bytes, form: Format, heard: bool = False, asked: Asked | None = None) -> dict[str, str]:
    """The texts of a file called `name`, by id (for txt the number of the line).

    With `heard` the file is a recogniser's: `pred_text` is read before `text`, and an id whose text is null has none.
    Raises `SetError` that names every line that is no good: not UTF-8, without id, with an id that stood before.
    """
    reading = Reading(name, content, heard, asked or Asked())
    _READERS[form](reading)
    reading.finish()
    return reading.texts


def read_pair(reference: Source, hypothesis: Source, form: Format | None, asked: Asked | None = None) -> Paired:
    """The texts of two files, paired by id; each in the format that its name tells, or both in `form`.

    Raises `SetError` for a file with bad lines, and `InvalidError` for two files that do not belong together.
    """
    asked = asked or Asked()
    left = Reading(reference.name, reference.content, False, asked)
    right = Reading(hypothesis.name, hypothesis.content, True, asked)
    forms = (form, form) if form else _forms(left, right)
    if (together := _PAIR_READERS.get(forms)) is not None:
        together(left, right)
    else:
        _READERS[forms[0]](left)
        _READERS[forms[1]](right)
    _refuse_columns(left, right)
    left.finish()
    right.finish()
    _refuse(left, right, forms)
    return paired(left.texts, right.texts, (*left.remarks, *right.remarks, *_said_twice(left, right)))


def _forms(left: Reading, right: Reading) -> tuple[Format, Format]:
    """What the names tell; and of files of lines, whether those begin with ids."""
    forms = (format_of(left.name), format_of(right.name))
    if Format.TXT not in forms or Format.STM in forms or Format.CTM in forms:
        return forms
    if forms == (Format.TXT, Format.TXT):
        with_ids = told(left.name, left.peeked(), right.name, right.peeked()) is Lines.WITH_IDS
        both = (Format.KALDI, Format.KALDI) if with_ids else forms
        if with_ids:
            left.remarks.append(
                f"{left.name} and {right.name} are read as id and text (--format txt compares line by line)"
            )
        return both
    lines, other = (left, right) if forms[0] is Format.TXT else (right, left)
    ids = _ids(other, forms[1] if lines is left else forms[0])
    chosen = Format.KALDI if told_by_ids(lines.peeked(), ids) is Lines.WITH_IDS else Format.TXT
    return (chosen, forms[1]) if lines is left else (forms[0], chosen)


def _ids(reading: Reading, form: Format) -> set[str]:
    """The ids of a file that is read for good later, with all that is wrong with it."""
    peek = Reading(reading.name, reading.content, reading.heard, reading.asked)
    _READERS[form](peek)
    return set(peek.texts)


def _refuse_columns(left: Reading, right: Reading) -> None:
    named = {each.name: each.names for each in (left, right) if each.names}
    if not left.problems and not right.problems:
        refuse_unknown(Asked(left.asked.id, left.asked.text), named)


def _refuse(left: Reading, right: Reading, forms: tuple[Format, Format]) -> None:
    """Refuses what nobody means: nothing said, lines that do not pair, two files of different utterances."""
    if not left.texts:
        raise InvalidError(f"{left.name} holds no text; accepted: at least one line")
    if forms == (Format.TXT, Format.TXT) and len(left.texts) != len(right.texts):
        raise InvalidError(
            f"{left.name} has {len(left.texts)} lines and {right.name} {len(right.texts)}: which belong together "
            "cannot be told; accepted: as many lines in both, or ids"
        )
    if right.texts and not left.texts.keys() & right.texts.keys():
        mine, theirs = shown(next(iter(left.texts))), shown(next(iter(right.texts)))
        raise InvalidError(
            f"{left.name} and {right.name} share no id (the first are '{mine}' and '{theirs}'); accepted: the same "
            "ids in both"
        )


def _said_twice(left: Reading, right: Reading) -> list[str]:
    """One file on both sides is meant where it holds what was heard too; else it is a slip that looks perfect."""
    same = left.text_column is not None and left.text_column == right.text_column
    if same and left.content == right.content and PurePath(left.name) == PurePath(right.name):
        return [f"{left.name} is compared with itself by {shown(left.text_column or '')}: it holds no pred_text"]
    return []
