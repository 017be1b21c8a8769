import subprocess
import sys
from functools import reduce
from operator import add

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huidu.core.text.align import Weights
from huidu.core.text.counts import Counts
from huidu.core.text.errors import ErrorCounts
from huidu.core.text.normalise import Normaliser
from huidu.core.text.numerals import numeral_errors
from huidu.core.text.score import Rates, Score, normalised_errors, score, total

NORMALISER = Normaliser()
NATURAL = st.text("你好一二零三点半百 ab，,.1０<>'", max_size=12)
TEXTS = NATURAL | st.text(max_size=12) | st.text("\0\ud800\udfff\u0301\u200d\ufeff\n\r\x1c臺a ", max_size=8)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS | st.none()), max_size=8)

Pair = tuple[str, str | None]


def scored(pairs: list[Pair], weights: Weights = Weights.UNIT) -> list[Score]:
    return score([said for said, _ in pairs], [heard for _, heard in pairs], NORMALISER, weights)


def rates(one: Score) -> list[Counts]:
    return [each for form in (one.raw, one.normalised) for each in (form.cer, form.wer, form.mixed_error_rate)]


@pytest.mark.parametrize("weights", Weights)
@settings(deadline=None)
@given(pairs=PAIRS, data=st.data())
def test_scores_add_up_over_any_split(weights: Weights, pairs: list[Pair], data: st.DataObject) -> None:
    whole = scored(pairs, weights)
    parts = data.draw(st.lists(st.integers(0, 2), min_size=len(pairs), max_size=len(pairs)))
    chosen = [[index for index, part in enumerate(parts) if part == number] for number in range(3)]
    by_part = [scored([pairs[index] for index in indices], weights) for indices in chosen]
    assert [one for scores in by_part for one in scores] == [whole[index] for indices in chosen for index in indices]
    assert reduce(add, map(total, by_part)) == total(whole)


@settings(deadline=None)
@given(PAIRS)
def test_a_missing_hypothesis_is_an_empty_one(pairs: list[Pair]) -> None:
    assert scored(pairs) == scored([(said, heard or "") for said, heard in pairs])
    for counts in rates(total(scored([(said, None) for said, _ in pairs]))):
        assert counts.errors == counts.deletions == counts.reference


@settings(deadline=None)
@given(PAIRS)
def test_weights_change_what_errors_are_called_and_never_the_tokens(pairs: list[Pair]) -> None:
    unit, sclite = scored(pairs), scored(pairs, Weights.SCLITE)
    for one, other in zip(unit, sclite, strict=True):
        assert one.numerals == other.numerals
        for ours, theirs in zip(rates(one), rates(other), strict=True):
            assert ours.reference == theirs.reference
            assert ours.deletions - ours.insertions == theirs.deletions - theirs.insertions
            # Unit weights find the fewest errors there can be.
            assert ours.errors <= theirs.errors
            assert (ours.errors == 0) == (theirs.errors == 0)


@settings(deadline=None)
@given(PAIRS)
def test_one_score_says_what_its_parts_say(pairs: list[Pair]) -> None:
    for (said, heard), one in zip(pairs, scored(pairs), strict=True):
        assert one.numerals == numeral_errors(said, heard or "")
        cer = one.normalised.cer
        assert ErrorCounts(cer.errors, cer.reference) == normalised_errors(said, heard or "", NORMALISER)


@settings(deadline=None)
@given(st.lists(TEXTS, max_size=6))
def test_what_was_said_has_no_errors(texts: list[str]) -> None:
    whole = total(score(texts, texts, NORMALISER))
    assert not any(counts.errors for counts in rates(whole))
    assert whole.numerals.errors == 0


def test_nothing_scored_is_nothing() -> None:
    nothing = Rates(Counts(), Counts(), Counts())
    assert total([]) == Score(nothing, nothing, ErrorCounts(0, 0))


def test_writing_numbers_another_way_is_an_error_in_the_raw_rates_only() -> None:
    (one,) = scored([("请拨打一零零八六", "请拨打10086。")])
    assert one.raw.cer.errors > 0
    assert one.normalised.cer == Counts(hits=8)
    assert one.numerals == ErrorCounts(0, 1)


LONG = """
import random, resource
from huidu.core.text.align import Weights
from huidu.core.text.normalise import Normaliser
from huidu.core.text.score import score
chance = random.Random(1)
said = [chance.choice("请拨打客服转人工谢谢我们的 ab，") for _ in range(100_000)]
heard = list(said)
for place in chance.sample(range(100_000), 12):
    heard[place] = chance.choice(["", "错", heard[place] + "多"])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
(one,) = score(["".join(said)], ["".join(heard)], Normaliser(), Weights.SCLITE)
assert 0 < one.raw.cer.errors <= 12, one
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_long_pair_is_scored_in_bounded_memory() -> None:
    ran = subprocess.run([sys.executable, "-c", LONG], capture_output=True, text=True, check=True)
    unit = 1024 if sys.platform != "darwin" else 1
    # A table of 100,000 by 100,000 would take 10,000 MB.
    assert int(ran.stdout) * unit < 400 * 10**6


def test_beside_a_simplified_reference_a_traditional_text_has_errors_in_the_raw_rates_only() -> None:
    one, other = score(["看着台湾的电话", "看著臺灣的電話"], ["看著臺灣的電話", "看着台湾的电话"], NORMALISER)
    assert (one.raw.cer.errors, one.normalised.cer.errors) == (5, 0)
    assert (other.raw.cer.errors, other.normalised.cer.errors) == (5, 5)
