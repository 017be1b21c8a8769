"""Errors among so many reference items, where only right and wrong are told apart."""

from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from huidu.core.text.counts import error_rate


@dataclass(frozen=True, slots=True)
class ErrorCounts:
    """Errors among so many reference items (characters, number expressions, hotwords)."""

    errors: int
    reference: int

    def __add__(self, other: "ErrorCounts") -> "ErrorCounts":
        return ErrorCounts(self.errors + other.errors, self.reference + other.reference)

    @property
    def rate(self) -> float:
        """Errors per reference item; over an empty reference 0 without errors and 1 with any."""
        return error_rate(self.errors, self.reference)

    def to_json(self) -> dict[str, int | float]:
        return {"reference": self.reference, "wrong": self.errors, "rate": self.rate}


def character_errors(reference: str, hypothesis: str) -> ErrorCounts:
    """Least number of characters to insert, delete or replace (Levenshtein, weights 1), white space left out.

    Against an empty reference every character of the hypothesis is an error.
    """
    said, heard = ("".join(text.split()) for text in (reference, hypothesis))
    return ErrorCounts(Levenshtein.distance(said, heard), len(said))
