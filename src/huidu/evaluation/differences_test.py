from collections import Counter
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from huidu.core.text.align import Op, Weights, align, counts_of
from huidu.core.text.normalise import Normaliser
from huidu.core.text.tokens import Unit, split
from huidu.evaluation.differences import (
    Aligned,
    Phrase,
    aligned_all,
    changed,
    coloured,
    confusions,
    joined,
    most_changed,
)

NORMALISER = Normaliser()
NATURAL = st.lists(st.sampled_from(["hello", "it's", "café", "10086", "3:30", *"你好是四十"]), max_size=10)
TEXTS = (NATURAL.map(" ".join) | st.text(max_size=12)).map(NORMALISER.normalised)
WEIGHTS = st.sampled_from(Weights)


def aligned(reference: str, hypothesis: str, weights: Weights = Weights.UNIT) -> Aligned:
    (found,) = aligned_all(
        [reference], [hypothesis], [align([reference], [hypothesis], Unit.MIXED, weights).ops(0)]
    )  # fmt: skip
    return found


@settings(deadline=None)
@given(TEXTS, TEXTS, WEIGHTS)
def test_coloured_runs_hold_both_texts(reference: str, hypothesis: str, weights: Weights) -> None:
    runs = coloured(aligned(reference, hypothesis, weights))
    for side, text in ((1, reference), (2, hypothesis)):
        assert "".join("".join(run[side] for run in runs).split()) == "".join(text.split())
    names = [name for name, _, _ in runs]
    assert set(names) <= {op.name.lower() for op in Op}
    assert all(one != other for one, other in pairwise(names))
    for name, said, heard in runs:
        assert (said == heard) == (name == "hit")
        assert (said == "") == (name == "insertion")
        assert (heard == "") == (name == "deletion")


@settings(deadline=None)
@given(NATURAL, NATURAL)
def test_joined_runs_are_the_texts_as_they_are_written(said: list[str], heard: list[str]) -> None:
    reference, hypothesis = (NORMALISER.normalised(" ".join(words)) for words in (said, heard))
    runs = coloured(aligned(reference, hypothesis))
    assert joined(run[1] for run in runs) == reference
    assert joined(run[2] for run in runs) == hypothesis
    assert joined(split(reference, Unit.MIXED)) == reference


@settings(deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=5), WEIGHTS)
def test_confusions_count_every_error_once(pairs: list[tuple[str, str]], weights: Weights) -> None:
    references, hypotheses = zip(*pairs, strict=True) if pairs else ((), ())
    alignments = align(references, hypotheses, Unit.MIXED, weights)
    found = confusions(
        aligned_all(references, hypotheses, [alignments.ops(index) for index in range(len(pairs))])
    )  # fmt: skip
    by_op: Counter[Op] = Counter()
    for (op, said, heard), count in found.items():
        by_op[op] += count
        assert said != heard
        assert bool(said) == (op != Op.INSERTION)
        assert bool(heard) == (op != Op.DELETION)
    counts = counts_of(alignments.counts().sum(axis=0))
    assert by_op.total() == counts.errors
    assert by_op[Op.SUBSTITUTION] == counts.substitutions
    assert by_op[Op.DELETION] == counts.deletions
    assert by_op[Op.INSERTION] == counts.insertions


@settings(deadline=None)
@given(TEXTS, TEXTS, TEXTS, WEIGHTS)
def test_phrases_changed_where_outputs_differ(reference: str, one: str, other: str, weights: Weights) -> None:
    ours, theirs = aligned(reference, one, weights), aligned(reference, other, weights)
    phrases = changed(ours, theirs)
    assert (phrases == []) == (split(one, Unit.MIXED) == split(other, Unit.MIXED))
    assert changed(ours, ours) == []
    # Looked at from the other side, it is the same.
    assert [(phrase.reference, phrase.candidate, phrase.baseline) for phrase in changed(theirs, ours)] == [
        (phrase.reference, phrase.baseline, phrase.candidate) for phrase in phrases
    ]
    # A phrase is part of what it is a phrase of.
    for text, parts in (
        (reference, [phrase.reference for phrase in phrases]),
        (one, [phrase.baseline for phrase in phrases]),
        (other, [phrase.candidate for phrase in phrases]),
    ):
        rest = "".join(text.split())
        for part in filter(None, ("".join(part.split()) for part in parts)):
            _, found, rest = rest.partition(part)
            assert found


def test_a_phrase_is_what_differs_and_no_more() -> None:
    said, right, wrong = "请拨打10086转人工", "请拨打10086转人工", "请拨打1086转人"
    phrases = changed(aligned(said, right), aligned(said, wrong))
    assert phrases == [Phrase("10086", "10086", "1086"), Phrase("工", "工", "")]


def test_phrases_come_by_how_often_they_changed() -> None:
    often, once = ("是 ok", "是 ok", "四 ok"), ("你好", "你好", "你")
    cases = [("u1", *once), ("u2", *often), ("u3", *often)]
    found = most_changed((name, aligned(said, one), aligned(said, other)) for name, said, one, other in cases)
    assert [(phrase.reference, phrase.baseline, phrase.candidate, where) for phrase, where in found] == [
        ("是", "是", "四", ["u2", "u3"]),
        ("好", "好", "", ["u1"]),
    ]
