"""Hypotheses scored against references: characters, words and mixed tokens, as they stand and normalised."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from huidu.core.text.align import Weights, align, counts_of
from huidu.core.text.counts import Counts
from huidu.core.text.errors import ErrorCounts, character_errors
from huidu.core.text.normalise import Normaliser
from huidu.core.text.numerals import numeral_errors
from huidu.core.text.tokens import Unit


@dataclass(frozen=True, slots=True)
class Rates:
    """The counts that three rates are formed from: CER, WER and mixed error rate (`Unit` says of what)."""

    cer: Counts
    wer: Counts
    mixed_error_rate: Counts

    def __add__(self, other: "Rates") -> "Rates":
        return Rates(self.cer + other.cer, self.wer + other.wer, self.mixed_error_rate + other.mixed_error_rate)

    def to_json(self) -> dict[str, Any]:
        return {
            "cer": self.cer.to_json(),
            "wer": self.wer.to_json(),
            "mixed_error_rate": self.mixed_error_rate.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Score:
    """What one utterance, or many together, got right and wrong. Scores add up."""

    raw: Rates
    normalised: Rates
    numerals: ErrorCounts

    def __add__(self, other: "Score") -> "Score":
        return Score(self.raw + other.raw, self.normalised + other.normalised, self.numerals + other.numerals)

    def to_json(self) -> dict[str, Any]:
        return {
            "raw": self.raw.to_json(),
            "normalised": self.normalised.to_json(),
            "numerals": self.numerals.to_json(),
        }


def score(
    references: Sequence[str],
    hypotheses: Sequence[str | None],
    normaliser: Normaliser,
    weights: Weights = Weights.UNIT,
) -> list[Score]:
    """The score of each utterance. A hypothesis that is missing has heard nothing: all of its reference is deleted."""
    heard = [hypothesis or "" for hypothesis in hypotheses]
    pairs = list(map(normaliser.pair, references, heard))
    return score_plain(references, heard, [said for said, _ in pairs], [text for _, text in pairs], weights)


def score_plain(
    references: Sequence[str],
    hypotheses: Sequence[str],
    plain_references: Sequence[str],
    plain_hypotheses: Sequence[str],
    weights: Weights,
) -> list[Score]:
    """The same of texts that were normalised already, which takes most of the time."""
    raw = _rates(references, hypotheses, weights)
    normalised = _rates(plain_references, plain_hypotheses, weights)
    numbers = map(numeral_errors, references, hypotheses)
    return [Score(*parts) for parts in zip(raw, normalised, numbers, strict=True)]


def _rates(references: Sequence[str], hypotheses: Sequence[str], weights: Weights) -> list[Rates]:
    units = (Unit.CHARACTER, Unit.WORD, Unit.MIXED)
    by_unit = [align(references, hypotheses, unit, weights).counts().tolist() for unit in units]
    return [Rates(*map(counts_of, rows)) for rows in zip(*by_unit, strict=True)]


def normalised_errors(reference: str, hypothesis: str, normaliser: Normaliser) -> ErrorCounts:
    """The character errors of one utterance, normalised: what `Score.normalised.cer` counts under unit weights."""
    return character_errors(*normaliser.pair(reference, hypothesis))


def total(scores: Iterable[Score]) -> Score:
    """The sum of all: rates are formed of summed counts, so long utterances weigh more."""
    return sum(scores, _NOTHING)


_NO_RATES = Rates(Counts(), Counts(), Counts())
_NOTHING = Score(_NO_RATES, _NO_RATES, ErrorCounts(0, 0))
