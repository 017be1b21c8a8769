"""Counting what a hypothesis got wrong against a reference. Counts add up; rates are formed late."""

from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein


@dataclass(frozen=True, slots=True)
class ErrorCounts:
    """Errors among so many reference items (characters, or number expressions)."""

    errors: int
    reference: int

    def __add__(self, other: "ErrorCounts") -> "ErrorCounts":
        return ErrorCounts(self.errors + other.errors, self.reference + other.reference)

    @property
    def rate(self) -> float:
        """Errors per reference item; over an empty reference 0 without errors and 1 with any.

        It may exceed 1, since a hypothesis can insert more than the reference holds.
        """
        if self.reference:
            return self.errors / self.reference
        return 1.0 if self.errors else 0.0


def without_space(text: str) -> str:
    """The text without any white space."""
    return "".join(text.split())


def character_errors(reference: str, hypothesis: str) -> ErrorCounts:
    """Least number of characters to insert, delete or replace (Levenshtein, weights 1), white space left out.

    Against an empty reference every character of the hypothesis is an error.
    """
    said, heard = without_space(reference), without_space(hypothesis)
    return ErrorCounts(Levenshtein.distance(said, heard), len(said))
