"""Figures of a recogniser's errors: character error rate and numerals error."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

_NUMBER = re.compile("[0-9零〇一二两三四五六七八九十百千万亿幺]+")


@dataclass(frozen=True, slots=True)
class Errors:
    """Counts that add up; the rates come last."""

    edits: int = 0
    characters: int = 0
    numbers_missed: int = 0
    numbers: int = 0

    def __add__(self, other: Errors) -> Errors:
        return Errors(
            self.edits + other.edits,
            self.characters + other.characters,
            self.numbers_missed + other.numbers_missed,
            self.numbers + other.numbers,
        )

    @property
    def cer(self) -> float:
        """Edits for each reference character, in percent; nan where there is none."""
        return 100 * self.edits / self.characters if self.characters else float("nan")

    @property
    def numerals_error(self) -> float:
        """Number expressions not reproduced, in percent; nan where there is none."""
        return 100 * self.numbers_missed / self.numbers if self.numbers else float("nan")


def numbers_in(text: str) -> Counter[str]:
    """Count the number expressions: the maximal runs of number characters."""
    return Counter(_NUMBER.findall(text))


def compare(reference: str, hypothesis: str) -> Errors:
    """Compare one utterance, character by character, without any normalisation."""
    expected = numbers_in(reference)
    return Errors(
        edits=Levenshtein.distance(reference, hypothesis),
        characters=len(reference),
        numbers_missed=(expected - numbers_in(hypothesis)).total(),
        numbers=expected.total(),
    )


def total(errors: Iterable[Errors]) -> Errors:
    """Add up."""
    return sum(errors, Errors())
