"""Hits and errors of a hypothesis against a reference. Counts add up; rates are formed late."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the tokens of a reference: each is a hit, substituted or deleted; others were inserted."""

    hits: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.hits + other.hits,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
        )

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def reference(self) -> int:
        """Tokens of the reference."""
        return self.hits + self.substitutions + self.deletions

    @property
    def rate(self) -> float:
        """Errors per token of the reference; over an empty reference 0 without errors and 1 with any.

        It may exceed 1, since a hypothesis can insert more than the reference holds.
        """
        return error_rate(self.errors, self.reference)

    def to_json(self) -> dict[str, int | float]:
        return {
            "substitutions": self.substitutions,
            "deletions": self.deletions,
            "insertions": self.insertions,
            "hits": self.hits,
            "reference": self.reference,
            "rate": self.rate,
        }


def error_rate(errors: int, reference: int) -> float:
    """Errors per reference item; over an empty reference 0 without errors and 1 with any."""
    if reference:
        return errors / reference
    return 1.0 if errors else 0.0
