"""The worst utterances come first with what went wrong in them, and missed numbers with what was heard."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huidu.core.text.align import Weights
from huidu.core.text.normalise import Normaliser
from huidu.core.text.score import score
from huidu.core.text.tokens import Unit, split
from huidu.evaluation.worst import missed_numerals, missed_of, missed_pairs, worst

NORMALISER = Normaliser()
TEXTS = st.text("我要打一二三百点半块abc 15%", max_size=12)


def found(
    references: Sequence[str], hypotheses: Sequence[str | None], most: int, weights: Weights = Weights.UNIT
) -> list[dict[str, Any]]:
    scores = score(references, hypotheses, NORMALISER, weights)
    ids = [f"u{index}" for index in range(len(references))]
    listed = worst(ids, references, hypotheses, scores, NORMALISER, weights, most)
    return json.loads(json.dumps(listed))  # type: ignore[no-any-return]


def test_most_errors_come_first_and_ties_stay_in_order() -> None:
    listed = found(["你好吗", "你好", "再见", "很好很好", "好"], ["你号吗", "你好", "在见", "不", "嗨"], 10)
    assert [one["id"] for one in listed] == ["u3", "u0", "u2", "u4"]
    assert [one["id"] for one in found(["你好吗", "很好很好"], ["你号吗", "不"], 1)] == ["u1"]


def test_tokens_are_marked_beside_what_was_said_and_heard() -> None:
    (one,) = found(["我打一零零八六，OK吧"], ["我们打10068 ok"], 1)
    assert one["alignment"] == [
        ["=", "我", "我"],
        ["I", "", "们"],
        ["=", "打", "打"],
        ["S", "10086", "10068"],
        ["=", "ok", "ok"],
        ["D", "吧", ""],
    ]
    assert (one["reference"], one["hypothesis"], one["missing"]) == ("我打一零零八六，OK吧", "我们打10068 ok", False)
    said, heard = {"text": "一零零八六", "reading": ["10086"]}, {"text": "10068", "reading": ["10068"]}
    assert one["missed_numerals"] == [{"said": said, "heard": heard, "errors": 1}]


def test_a_missing_hypothesis_is_said_to_be_missing_and_an_empty_one_is_not() -> None:
    missing, empty = found(["打10086", "打10086"], [None, ""], 5)
    assert (missing["hypothesis"], missing["missing"]) == (None, True)
    assert (empty["hypothesis"], empty["missing"]) == ("", False)
    for one in (missing, empty):
        assert [mark for mark, _, _ in one["alignment"]] == ["D", "D"]
        assert [miss["heard"] for miss in one["missed_numerals"]] == [None]


@settings(deadline=None, max_examples=60)
@given(texts=st.lists(st.tuples(TEXTS, TEXTS | st.none()), min_size=1, max_size=6), weights=st.sampled_from(Weights))
def test_marks_are_the_errors_of_the_counts(texts: list[tuple[str, str | None]], weights: Weights) -> None:
    references, hypotheses = zip(*texts, strict=True)
    listed = found(references, hypotheses, len(texts), weights)
    scores = {f"u{index}": one for index, one in enumerate(score(references, hypotheses, NORMALISER, weights))}
    errors = [scores[one["id"]].normalised.mixed_error_rate.errors for one in listed]
    assert errors == sorted(errors, reverse=True)
    for one in listed:
        counts = scores.pop(one["id"])
        assert one["counts"] == counts.normalised.mixed_error_rate.to_json()
        marks = [mark for mark, _, _ in one["alignment"]]
        figures = [one["counts"][name] for name in ("hits", "substitutions", "deletions", "insertions")]
        assert [marks.count(mark) for mark in "=SDI"] == figures
        tokens = [said for _, said, _ in one["alignment"] if said]
        assert tokens == split(NORMALISER.normalised(one["reference"]), Unit.MIXED)
        assert sum(miss["errors"] for miss in one["missed_numerals"]) == counts.numerals.errors
    # Those that are left out have no error.
    assert not any(one.normalised.mixed_error_rate.errors or one.numerals.errors for one in scores.values())


def test_pairs_are_told_apart_by_readings_the_most_frequent_first() -> None:
    references = ["打10086", "打一零零八六", "打一二三四五", "打10086"]
    hypotheses = ["打10068", "打一零零六八", None, "打10086"]
    scores = score(references, hypotheses, NORMALISER)
    pairs = missed_pairs(missed_of("abcd", references, hypotheses, scores))
    assert [(pair["said"]["reading"], pair["heard"] and pair["heard"]["reading"]) for pair in pairs] == [
        (["10086"], ["10068"]),
        (["12345"], None),
    ]
    assert [(pair["count"], pair["utterances"]) for pair in pairs] == [(2, ["a", "b"]), (1, ["c"])]
    assert pairs[0]["said"]["text"] == "10086"


def test_a_number_missed_twice_in_one_utterance_counts_twice_and_names_it_once() -> None:
    (pair,) = missed_pairs([("a", missed_numerals("从10086转到10086", "从什么转到什么"))])
    assert (pair["count"], pair["utterances"]) == (2, ["a"])


@pytest.mark.parametrize("text", ["", "你好", "一起去", "请打10086"])
def test_what_was_heard_right_misses_nothing(text: str) -> None:
    assert missed_numerals(text, text) == []
