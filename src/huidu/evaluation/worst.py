"""The utterances that came out worst, token by token, and the numbers that were missed. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from huidu.core.text.align import Weights, align
from huidu.core.text.normalise import Normaliser
from huidu.core.text.numerals import Numeral, missed, numerals
from huidu.core.text.plain import plain
from huidu.core.text.score import Score
from huidu.core.text.shown import mark
from huidu.core.text.tokens import Unit
from huidu.evaluation.differences import Aligned

Missing = dict[str, Any]


def worst(
    ids: Sequence[str],
    references: Sequence[str],
    hypotheses: Sequence[str | None],
    scores: Sequence[Score],
    normaliser: Normaliser,
    weights: Weights,
    most: int,
) -> list[dict[str, Any]]:
    """Up to `most` utterances with the most errors by normalised mixed tokens, of equal ones the earlier first.

    One whose tokens are right and whose numbers are not counts as without such errors and comes last; one without any
    error is left out. `alignment` has for each token its mark (S, D, I, or = for a hit), what was said and what was
    heard, "" where there is nothing. A hypothesis that is missing is null.
    """
    faulty = [
        index for index, one in enumerate(scores) if one.normalised.mixed_error_rate.errors or one.numerals.errors
    ]
    faulty.sort(key=lambda index: -scores[index].normalised.mixed_error_rate.errors)
    return [
        {
            "id": ids[index],
            "reference": references[index],
            "hypothesis": hypotheses[index],
            "missing": hypotheses[index] is None,
            "counts": scores[index].normalised.mixed_error_rate.to_json(),
            "alignment": _alignment(references[index], hypotheses[index] or "", normaliser, weights),
            "missed_numerals": missed_numerals(references[index], hypotheses[index] or ""),
        }
        for index in faulty[:most]
    ]


def missed_numerals(reference: str, hypothesis: str) -> list[Missing]:
    """The numbers of a reference that its hypothesis does not have.

    `said` and `heard` hold a number's `text`, as it stands there, and its `reading`, the keys that are compared.
    `heard` is what stands in its place, null where no number does. `errors` is how many numbers were missed, for a
    date is three.
    """
    before, after = plain(reference), plain(hypothesis)
    return [
        {
            "said": _number(before, one.said),
            "heard": None if one.heard is None else _number(after, one.heard),
            "errors": one.errors,
        }
        for one in missed(numerals(before), numerals(after))
    ]


def missed_of(
    ids: Sequence[str], references: Sequence[str], hypotheses: Sequence[str | None], scores: Sequence[Score]
) -> Iterator[tuple[str, list[Missing]]]:
    """The ids of the utterances that miss a number, with what they miss."""
    for name, said, heard, one in zip(ids, references, hypotheses, scores, strict=True):
        if one.numerals.errors:
            yield name, missed_numerals(said, heard or "")


def missed_pairs(found: Iterable[tuple[str, Sequence[Missing]]]) -> list[dict[str, Any]]:
    """What was said with what was heard in its place, the most frequent first; takes ids with their missed numbers.

    Pairs are told apart by their readings; the texts are those of the first one. `utterances` names each once.
    """
    pairs: dict[tuple[object, ...], dict[str, Any]] = {}
    for name, missing in found:
        for one in missing:
            said, heard = one["said"], one["heard"]
            key = (*said["reading"], None, *(heard["reading"] if heard else ()))
            pair = pairs.setdefault(key, {"said": said, "heard": heard, "count": 0, "utterances": []})
            pair["count"] += 1
            if name not in pair["utterances"][-1:]:
                pair["utterances"].append(name)
    return sorted(pairs.values(), key=lambda pair: -pair["count"])


def _alignment(reference: str, hypothesis: str, normaliser: Normaliser, weights: Weights) -> list[list[str]]:
    said, heard = normaliser.normalised(reference), normaliser.normalised(hypothesis)
    ops = align([said], [heard], Unit.MIXED, weights).ops(0)
    return [[mark(op), above, below] for op, above, below in Aligned(said, heard, ops).pairs()]


def _number(text: str, numeral: Numeral) -> dict[str, Any]:
    return {"text": text[numeral.start : numeral.end], "reading": list(numeral.keys)}
