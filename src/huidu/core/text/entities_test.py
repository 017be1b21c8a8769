import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huidu.core.text.entities import entity_errors
from huidu.core.text.errors import ErrorCounts
from huidu.core.text.normalise import Normaliser

WORDS = ["云帆", "云帆套餐", "iPhone", "Wi-Fi", "10086"]
PARTS = st.lists(st.sampled_from([*WORDS, "我想问", "好", "phone", "7", " "]), max_size=8)


def errors(reference: str, hypothesis: str, words: list[str] = WORDS) -> ErrorCounts:
    return entity_errors(reference, hypothesis, words, Normaliser())


@pytest.mark.parametrize(
    ("reference", "hypothesis", "wrong", "said"),
    [
        ("云帆怎么收费", "云帆怎么收费", 0, 1),
        ("云帆怎么收费", "云凡怎么收费", 1, 1),
        ("云帆云帆", "云帆", 1, 2),
        ("你好", "云帆", 0, 0),  # nothing was said that could be lost
        ("我的iPhone坏了", "我的 IPHONE 坏了。", 0, 1),
        ("打一零零八六", "打10086", 0, 1),  # however numbers are written
        ("打10086", "打100861", 1, 1),
        ("iPhones", "x", 0, 0),  # another word
        ("iPhone7", "x", 1, 1),  # as iPhone 7 is
        ("用wi-fi吧", "用 WiFi 吧", 1, 1),
        ("用Wi Fi吧", "用wi-fi吧", 0, 1),
    ],
)
def test_words_are_looked_for_in_normalised_texts(reference: str, hypothesis: str, wrong: int, said: int) -> None:
    assert errors(reference, hypothesis) == ErrorCounts(wrong, said)


def test_c_is_no_part_of_c_plus_plus_or_c_sharp() -> None:
    assert errors("用C++和C#写", "x", ["C"]) == ErrorCounts(0, 0)
    assert errors("用C写", "x", ["C"]) == ErrorCounts(1, 1)
    assert errors("用C++写", "用C写", ["C", "C++"]) == ErrorCounts(1, 1)


def test_of_words_that_overlap_the_longest_counts() -> None:
    assert errors("云帆套餐", "云帆套菜") == ErrorCounts(1, 1)
    assert errors("云帆套餐", "云帆套菜", ["云帆"]) == ErrorCounts(0, 1)


def test_a_word_of_any_alphabet_is_found_whole() -> None:
    assert errors("привет", "x", ["вет"]) == ErrorCounts(0, 0)
    assert errors("вет", "x", ["вет"]) == ErrorCounts(1, 1)


@pytest.mark.parametrize("words", [[], [""], ["。", " "]])
def test_without_words_nothing_is_counted(words: list[str]) -> None:
    assert errors("云帆", "", words) == ErrorCounts(0, 0)


@settings(deadline=None)
@given(PARTS, PARTS)
def test_a_text_has_all_of_its_own_words_and_an_empty_one_none(said: list[str], heard: list[str]) -> None:
    reference, hypothesis = "".join(said), "".join(heard)
    whole = errors(reference, "")
    assert whole.errors == whole.reference
    assert errors(reference, reference).errors == 0
    assert errors(reference, hypothesis).reference == whole.reference
    assert 0 <= errors(reference, hypothesis).errors <= whole.reference


@settings(deadline=None)
@given(PARTS, st.permutations(WORDS))
def test_the_order_of_words_does_not_matter(said: list[str], words: list[str]) -> None:
    assert errors("".join(said), "云帆", words) == errors("".join(said), "云帆")
