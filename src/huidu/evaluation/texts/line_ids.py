"""Whether a file of lines, `.txt`, begins each line with an id, as Kaldi's `text` does.

Both files are asked, for a line may begin with any word by itself. Ids are told from words by their form, by standing
once, and by being in both files; what could be either is refused, with both ways out.
"""

import re
from collections.abc import Collection, Sequence
from enum import Enum
from itertools import pairwise

from huidu.core.errors import InvalidError
from huidu.core.formats.lines import Line
from huidu.core.formats.nist import kaldi_line

# utt1, BAC009S0002W0122, spk_b, 84-121123-0000, 8f03ab91; but not 5G, 3pm, 3.5, 10-20, iPhone, 2025-03-12.
_ID_LIKE = re.compile(
    r"(?=.*\d)[A-Za-z][!-~]*|[!-~]*_[!-~]*|\d+-\d+-\d{3,}|(?=.*\d)(?=.*[A-Za-z])[0-9A-Za-z-]{8,}", re.ASCII
)
_NUMBER = re.compile(r"\d+", re.ASCII)
_TABBED = re.compile(r"[^ \t]+\t")
# One line alone tells little of what the others would be.
_TELLING = 2


class Lines(Enum):
    PLAIN = "plain"
    WITH_IDS = "with ids"


class _First:
    """The first fields of a file's lines; empty lines have none."""

    def __init__(self, lines: Sequence[Line]) -> None:
        whole = [line for _, line in lines if line.strip()]
        fields = [kaldi_line(line)[0] for line in whole]
        self.ids = set(fields)
        self.count = len(fields)
        # A few ids that stand twice are a mistake in the file, and no reason to read it otherwise.
        self.distinct = bool(fields) and 2 * len(self.ids) >= len(fields)
        self.id_like = self.distinct and all(map(_ID_LIKE.fullmatch, fields))
        self.id_like = self.id_like or (self.distinct and all(map(_TABBED.match, whole)))
        numbers = [int(each) for each in fields if len(each) < 19 and _NUMBER.fullmatch(each)]
        ascending = all(one < other for one, other in pairwise(numbers))
        self.numbered = self.count >= _TELLING and len(numbers) == self.count and ascending


def told(name: str, lines: Sequence[Line], other_name: str, other: Sequence[Line]) -> Lines:
    """How two files of lines are to be read. Raises `InvalidError` for what could be either."""
    left, right = _First(lines), _First(other)
    shared, least = len(left.ids & right.ids), min(len(left.ids), len(right.ids))
    mostly = least > 0 and 2 * shared >= least
    if left.id_like and right.id_like:
        if mostly:
            return Lines.WITH_IDS
        if shared or min(left.count, right.count) >= _TELLING:
            raise InvalidError(
                f"{name} and {other_name} begin their lines with what looks like ids, and share {shared or 'none'} of "
                "them; accepted: the same ids, or --format txt (line by line)"
            )
    elif mostly and left.numbered and right.numbered:
        raise InvalidError(
            f"{name} and {other_name} begin each line with a number, an id or a part of the text; accepted: "
            "--format kaldi (ids) or --format txt (line by line)"
        )
    return Lines.PLAIN


def told_by_ids(lines: Sequence[Line], ids: Collection[str]) -> Lines:
    """How a file of lines is to be read beside one that names its ids: those, or else 1, 2, 3."""
    first = _First(lines)
    if all(str(number) in ids for number, _ in lines) and not first.id_like:
        return Lines.PLAIN
    shared = sum(each in ids for each in first.ids)
    return Lines.WITH_IDS if first.distinct and 2 * shared >= min(len(first.ids), len(ids)) else Lines.PLAIN
