"""Where two texts differ, from their alignment: coloured differences, confusions, and phrases that changed."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from huidu.core.text.align import Codes, Op
from huidu.core.text.tokens import Unit, split

_OPS = tuple(Op)


@dataclass(frozen=True, slots=True)
class Aligned:
    """A hypothesis aligned with its reference by mixed tokens; both are normalised texts."""

    reference: str
    hypothesis: str
    ops: Codes

    def pairs(self) -> list[tuple[Op, str, str]]:
        """Each operation with its token of the reference and of the hypothesis; "" where there is none."""
        said, heard = iter(split(self.reference, Unit.MIXED)), iter(split(self.hypothesis, Unit.MIXED))
        return [
            (
                op,
                next(said) if op is not Op.INSERTION else "",
                next(heard) if op is not Op.DELETION else "",
            )
            for op in map(_OPS.__getitem__, self.ops.tolist())
        ]


@dataclass(frozen=True, slots=True)
class Phrase:
    """What was said, and what each version made of it, where they differ."""

    reference: str
    baseline: str
    candidate: str


def coloured(aligned: Aligned) -> list[list[str]]:
    """Runs of one operation: its name, what was said and what was heard."""
    return [
        [op.name.lower(), joined(said for _, said, _ in run), joined(heard for _, _, heard in run)]
        for op, run in ((op, list(run)) for op, run in groupby(aligned.pairs(), key=lambda pair: pair[0]))
    ]


def confusions(found: Iterable[Aligned]) -> Counter[tuple[Op, str, str]]:
    """How often each token was taken for which, left out, or put in."""
    return Counter(pair for aligned in found for pair in aligned.pairs() if pair[0] != Op.HIT)


def changed(baseline: Aligned, candidate: Aligned) -> list[Phrase]:
    """The stretches of one reference of which the versions made something different.

    What was put in between two words belongs to the one that follows; at the end, to the end.
    """
    said = [*split(baseline.reference, Unit.MIXED), ""]
    ours, theirs = _by_place(baseline), _by_place(candidate)
    phrases = []
    for differ, run in groupby(range(len(said)), key=lambda place: ours[place] != theirs[place]):
        if not differ:
            continue
        places = list(run)
        phrases.append(
            Phrase(
                joined(said[place] for place in places),
                joined(token for place in places for token in ours[place]),
                joined(token for place in places for token in theirs[place]),
            )
        )
    return phrases


def most_changed(pairs: Iterable[tuple[str, Aligned, Aligned]]) -> list[tuple[Phrase, list[str]]]:
    """Phrases with the ids of their utterances, the most frequent first. Takes id, baseline and candidate."""
    where: defaultdict[Phrase, list[str]] = defaultdict(list)
    for name, baseline, candidate in pairs:
        for phrase in changed(baseline, candidate):
            where[phrase].append(name)
    return sorted(where.items(), key=lambda item: (-len(item[1]), item[1]))


def _by_place(aligned: Aligned) -> list[tuple[str, ...]]:
    """What was heard at each token of the reference, and behind the last."""
    places: list[tuple[str, ...]] = []
    waiting: list[str] = []
    for op, _, heard in aligned.pairs():
        if op == Op.INSERTION:
            waiting.append(heard)
            continue
        places.append((*waiting, heard) if heard else tuple(waiting))
        waiting = []
    return [*places, tuple(waiting)]


def joined(tokens: Iterable[str]) -> str:
    """Tokens as they are written: a blank between two words, none beside Chinese."""
    text = ""
    for token in tokens:
        between = " " if text and token and ord(text[-1]) < 0x2E80 and ord(token[0]) < 0x2E80 else ""
        text += between + token
    return text


def aligned_all(references: Sequence[str], hypotheses: Sequence[str], ops: Sequence[Codes]) -> list[Aligned]:
    """One for each utterance."""
    return [Aligned(*parts) for parts in zip(references, hypotheses, ops, strict=True)]
