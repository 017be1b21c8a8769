"""Reads test sets of every accepted format, by what lies at the path."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from huidu.adapters.testsets.corrected import is_database, read_corrected
from huidu.adapters.testsets.folder import read_folder
from huidu.adapters.testsets.found import Draft, Found, quoted
from huidu.adapters.testsets.kaldi import is_kaldi, read_kaldi
from huidu.adapters.testsets.nist import read_stm, read_trn
from huidu.adapters.testsets.segment import cut
from huidu.adapters.testsets.sound import seconds_of, sha256_of
from huidu.adapters.testsets.tables import read_csv, read_jsonl, read_tsv
from huidu.core.errors import InvalidError
from huidu.core.formats.keys import Asked
from huidu.core.testset import SetError, TestSet, Utterance, id_fault, markup, shown, text_fault

_BY_SUFFIX: dict[str, Callable[[Path, Found], None]] = {
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".json": read_jsonl,
    ".csv": read_csv,
    ".trn": read_trn,
    ".stm": read_stm,
}
# How much of a file a segment may leave out before it is worth a word.
_EDGE_SECONDS = 1.0
_ROUNDED_SECONDS = 0.05


def read_test_set(path: Path, name: str | None = None, asked: Asked | None = None) -> TestSet:
    """The set at a path, named after it where no name is given; `asked` names columns that cannot be told.

    Raises `SetError` with every problem of a set, and `InvalidError` for what cannot be read at all.
    """
    found = Found(asked or Asked())
    try:
        _reader(path)(path, found)
        utterances = _checked(found)
    except OSError as error:
        at = error.filename or path
        raise InvalidError(f"{quoted(at)} cannot be read ({error.strerror}); accepted: a readable test set") from error
    if not found.drafts and not found.problems:
        remarks = "".join(f" ({warning.what})" for warning in found.warnings)
        found.refuse(path, f"the test set is empty{remarks}; accepted: at least one utterance")
    if found.problems:
        raise SetError(quoted(path), found.problems)
    whole = path.resolve()
    return TestSet(name or (whole.name if path.is_dir() else whole.stem), tuple(utterances), tuple(found.warnings))


def _reader(path: Path) -> Callable[[Path, Found], None]:
    if path.is_dir():
        return read_kaldi if is_kaldi(path) else read_folder
    if not path.is_file():
        raise InvalidError(f"{quoted(path)} does not exist; accepted: a test set (a file or a folder)")
    if is_database(path):
        return read_corrected
    return _BY_SUFFIX.get(path.suffix.lower(), read_tsv)


def _checked(found: Found) -> list[Utterance]:
    """The utterances that are good; what is wrong with the others is added to the problems."""
    first: dict[str, str] = {}
    utterances = []
    measure = cache(seconds_of)  # many segments may lie in one file
    for draft in found.drafts:
        if before := first.get(draft.id):
            found.refuse(
                draft.where, f"the id {shown(draft.id)} stands twice (first: {quoted(before)}); accepted: once"
            )
        first.setdefault(draft.id, draft.where)
        faults = (
            id_fault(draft.id),
            text_fault("text", draft.text),
            text_fault("speaker", draft.speaker),
            text_fault("category", draft.category),
        )
        for fault in filter(None, faults):
            found.refuse(draft.where, fault)
        if marks := markup(draft.text):
            found.warn(draft.where, f"the reference of {shown(draft.id)} holds markup: {shown(' '.join(marks))}")
        if utterance := _measured(draft, measure, found):
            utterances.append(utterance)
    return utterances


def _measured(draft: Draft, measure: Callable[[Path], float], found: Found) -> Utterance | None:
    try:
        audio, seconds = draft.audio, measure(draft.audio)
        if (span := _part(draft, seconds, found)) is not None:
            audio = cut(audio, *span)
            seconds = seconds_of(audio)
    except InvalidError as error:
        found.refuse(draft.where, f"the audio {quoted(draft.audio)} {error}")
        return None
    if draft.span and (draft.span[0] > _EDGE_SECONDS or draft.span[1] < seconds - _EDGE_SECONDS):
        begin, end = draft.span
        found.warn(draft.where, f"the segment is {begin:g} to {end:g} s, the file of {seconds:.1f} s is taken whole")
    return Utterance(
        draft.id, audio.absolute(), draft.text, draft.speaker, draft.category, sha256_of(audio), round(seconds, 6)
    )


def _part(draft: Draft, seconds: float, found: Found) -> tuple[float, float] | None:
    """Begin and end of what is to be heard of a file; None for all of it. Raises `InvalidError`."""
    begin, length = draft.segment
    if not begin and not length:
        return None
    if begin >= seconds:
        raise InvalidError(f"ends at {seconds:g} s, and the segment begins at {begin:g} s; accepted: offsets before")
    end = begin + length if length else seconds
    if end > seconds + _EDGE_SECONDS:
        if begin:
            raise InvalidError(f"ends at {seconds:g} s, and the segment at {end:g} s; accepted: segments within it")
        found.warn(draft.where, f"duration {length:g} is beyond the audio's {seconds:g} s: the file is taken whole")
    # Durations are rounded, and files have a few samples more than their manifests say.
    whole = not begin and end > seconds - _ROUNDED_SECONDS
    return None if whole else (begin, min(end, seconds))
