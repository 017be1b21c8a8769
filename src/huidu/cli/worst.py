"""The worst utterances and the missed numbers, for people: aligned lines as wide as the terminal."""

import shutil
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Annotated, Any

import typer

from huidu.core.errors import InvalidError
from huidu.core.text.shown import Rows, aligned_rows, visible

ShowOption = Annotated[
    int, typer.Option("--show", metavar="N", help="Add the N worst utterances, aligned, and the missed numerals.")
]

_COLUMNS = 80
_LEAST_COLUMNS = 20
_LABEL = "REF "
# So many lines on end without an error are left out: a recording of an hour has thousands.
_DULL = 3
_NAMED = 3
_PAIRS = 20


def check_show(most: int) -> None:
    """Raises `InvalidError`."""
    if most < 0:
        raise InvalidError(f"--show {most}; accepted: 0 (none) or more")


def columns() -> int:
    """The width of the terminal; 80 where the output is none."""
    if not sys.stdout.isatty():
        return _COLUMNS
    return max(shutil.get_terminal_size((_COLUMNS, 0)).columns, _LEAST_COLUMNS)


def worst_text(worst: Sequence[dict[str, Any]], pairs: Sequence[dict[str, Any]], across: int) -> list[str]:
    """What `worst` and `missed_pairs` (evaluation/worst.py) found as lines, the aligned ones of at most that width."""
    if not worst:
        return ["no utterance has an error"]
    lines = ["worst utterances, by errors in normalised mixed tokens:"]
    for one in worst:
        lines += ["", *_utterance(one, across)]
    if pairs:
        lines += ["", "missed numerals, said -> heard, the most frequent first:"]
        lines += [f"{pair['count']:5d}x {_pair(pair)}  in {_names(pair['utterances'])}" for pair in pairs[:_PAIRS]]
    if len(pairs) > _PAIRS:
        lines.append(f"       and {len(pairs) - _PAIRS} more; --json holds all")
    return lines


def _utterance(one: dict[str, Any], across: int) -> Iterator[str]:
    counts = one["counts"]
    kinds = {"S": counts["substitutions"], "D": counts["deletions"], "I": counts["insertions"]}
    errors = sum(kinds.values())
    yield (
        f"{visible(one['id'])}: {errors} error{'' if errors == 1 else 's'} in {counts['reference']} tokens "
        f"({', '.join(f'{mark} {number}' for mark, number in kinds.items())}){_why(one)}"
    )
    yield from _lines(one, across)
    for miss in one["missed_numerals"]:
        yield f"missed numeral: {_pair(miss)}"


def _why(one: dict[str, Any]) -> str:
    if one["missing"]:
        error = one.get("error")
        return f"; missing: {visible(error)}" if error else "; missing: there is no hypothesis"
    return "" if one["hypothesis"].strip() else "; heard nothing"


def _lines(one: dict[str, Any], across: int) -> Iterator[str]:
    rows = aligned_rows(map(tuple, one["alignment"]), across - len(_LABEL))
    for faulty, run in groupby(rows, lambda row: bool(row.marks.strip())):
        listed = list(run)
        if not faulty and len(listed) >= _DULL:
            yield f"    ... {len(listed)} lines without an error"
            continue
        for row in listed:
            yield from _three(row, one["missing"])


def _three(row: Rows, missing: bool) -> Iterator[str]:
    yield f"REF {row.reference}".rstrip()
    if not missing:
        yield f"HYP {row.hypothesis}".rstrip()
        yield from [f"    {row.marks}".rstrip()] if row.marks.strip() else []


def _pair(pair: dict[str, Any]) -> str:
    heard = pair["heard"]
    return f"{_number(pair['said'])} -> {_number(heard) if heard else 'no number'}"


def _number(number: dict[str, Any]) -> str:
    """The reading, and the text where it is another."""
    text, reading = visible(number["text"]), visible(" ".join(number["reading"]))
    return reading if text == reading else f"{reading} ({text})"


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(visible, names[:_NAMED])) + more
