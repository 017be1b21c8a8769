import hashlib
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huidu.core.testset import LONGEST_ID, Problem, SetError, TestSet, Utterance, id_fault, markup, shown, text_fault

NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=20)
UTTERANCES = st.builds(
    Utterance,
    id=NAMES,
    audio=st.sampled_from([Path("a.wav"), Path("/elsewhere/b.wav")]),
    text=NAMES,
    speaker=NAMES,
    category=NAMES,
    audio_sha256=st.binary(max_size=3).map(lambda raw: hashlib.sha256(raw).hexdigest()),
    audio_seconds=st.floats(0.1, 10),
)
SETS = st.lists(UTTERANCES, max_size=5, unique_by=lambda utterance: utterance.id)


@given(SETS, st.integers(), NAMES)
def test_the_version_is_that_of_the_content_wherever_it_lies(given: list[Utterance], seed: int, name: str) -> None:
    moved = [replace(each, audio=Path("moved") / each.audio.name) for each in given]
    random.Random(seed).shuffle(moved)
    warned = (Problem("set.tsv:1", "remarkable"),)
    assert TestSet(name, tuple(moved), warned).version == TestSet("set", tuple(given)).version


@given(UTTERANCES, st.sampled_from(["id", "text", "speaker", "category", "audio_sha256"]))
def test_any_change_of_the_content_changes_the_version(utterance: Utterance, name: str) -> None:
    changed = replace(utterance, **{name: getattr(utterance, name) + "x"})
    assert TestSet("set", (utterance,)).version != TestSet("set", (changed,)).version


@given(UTTERANCES)
def test_what_moves_from_one_field_to_the_next_changes_the_version(utterance: Utterance) -> None:
    one, other = (
        replace(utterance, text="a b", speaker="c", category="d"),
        replace(utterance, text="a", speaker="b c", category="d"),
    )
    assert TestSet("set", (one,)).version != TestSet("set", (other,)).version


@given(SETS)
def test_sums_and_names_are_those_of_the_utterances(given: list[Utterance]) -> None:
    found = TestSet("set", tuple(given))
    assert found.audio_seconds == pytest.approx(sum(each.audio_seconds for each in given))
    assert set(found.speakers) | {""} == {each.speaker for each in given} | {""}
    assert set(found.categories) | {""} == {each.category for each in given} | {""}
    assert len(found.version) == 12


@pytest.mark.parametrize("count", [1, 3, 4, 40])
def test_a_refusal_counts_all_problems_and_carries_them(count: int) -> None:
    problems = [Problem(f"set.tsv:{number}", "is wrong") for number in range(1, count + 1)]
    error = SetError("set.tsv", problems)
    assert error.problems == tuple(problems)
    assert f"{count} problem" in str(error)
    assert "set.tsv:1: is wrong" in str(error)
    assert ("more" in str(error)) == (count > 3)
    assert "\n" not in str(error)


@given(st.text())
def test_what_is_quoted_prints_on_one_line(text: str) -> None:
    assert shown(text).isprintable() or not text
    assert len(shown(text)) <= 10 * 60


@pytest.mark.parametrize("given", ["", "x" * (LONGEST_ID + 1), "a\nb", "a\x00", "\x7f", "\ud800"])
def test_ids_that_cannot_be_are_refused_in_a_line(given: str) -> None:
    said = id_fault(given)
    assert said is not None
    assert "accepted" in said
    assert said.isprintable()


def test_ids_and_texts_that_can_be_are_accepted() -> None:
    assert id_fault("x" * LONGEST_ID) is None
    assert text_fault("text", "") is None
    assert text_fault("text", "您好，10086。\u200b") is None


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("你好 <noise> 世界", ["<noise>"]),
        ("{a / b} 好 [laughter]", ["{a / b}", "[laughter]"]),
        ("(%uh) 那个", ["(%uh)"]),
        ("三 < 五 (括号) 说完", []),
        ("", []),
    ],
)
def test_transcribers_marks_are_found(text: str, marks: list[str]) -> None:
    assert markup(text) == marks


@given(st.lists(st.sampled_from(["a1", "b22", "c"]), min_size=1, max_size=30))
def test_on_a_terminal_each_problem_is_said_once_and_many_of_a_kind_are_counted(names: list[str]) -> None:
    problems = [Problem(f"set.tsv:{at}", f"{name} is not in text; accepted: both") for at, name in enumerate(names)]
    lines = SetError("set.tsv", problems).lines()
    if len(names) == 1:
        assert lines == [str(problems[0])]
        return
    assert lines[0] == f"set.tsv: {len(names)} problems:"
    assert lines[1:6] == [str(each) for each in problems[:5]]
    more = [f"and {len(names) - 5} more like that of set.tsv:0, the last at {problems[-1].where}"]
    assert lines[6:] == (more if len(names) > 5 else [])
