import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huidu.core.testset import SetError
from huidu.evaluation.hotwords import hotwords

WORDS = st.text(st.characters(categories=["L"]), min_size=1, max_size=8)


def words(text: str) -> list[str]:
    return list(hotwords("hot.txt", text.encode()).words)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("阿里巴巴 20\n达摩院 30\n", ["阿里巴巴", "达摩院"]),
        ("阿里巴巴 20\n", ["阿里巴巴"]),
        ("阿里巴巴\t20\r\niPhone 15\r\n", ["阿里巴巴", "iPhone 15"]),
        ("阿里巴巴:20\n达摩院:-3.5\n", ["阿里巴巴", "达摩院"]),
        ("阿里巴巴 :2.0\nNew York :1\n", ["阿里巴巴", "New York"]),
        ("New York 20\niPhone 15 10\n", ["New York", "iPhone 15"]),
        ("阿里巴巴\n达摩院\n\n  \n", ["阿里巴巴", "达摩院"]),
        ("iPhone 15\n达摩院\n", ["iPhone 15", "达摩院"]),
        ("iPhone 15\niPhone 16\n", ["iPhone 15", "iPhone 16"]),
        ("达摩院 20\n达摩院 20\n", ["达摩院"]),
        ("3:30\n10086\n", ["3:30", "10086"]),
        ("10086\n95588\n", ["10086", "95588"]),
        ("", []),
    ],
)
def test_a_weight_is_taken_off_where_every_line_has_one_or_a_tab_tells_it(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_what_could_be_either_is_said() -> None:
    assert "'iPhone 15' is 'iPhone'" in hotwords("hot.txt", b"iPhone 15\nPixel 9\n").remarks[0]
    assert "part of the word ('iPhone 15')" in hotwords("hot.txt", b"Pixel\niPhone 15\n").remarks[0]
    assert hotwords("hot.txt", b"Pixel\niPhone\n").remarks == ()


@given(st.lists(WORDS, min_size=1, max_size=6, unique=True), st.sampled_from([" ", "  ", "\t", ":", " :"]), st.data())
def test_words_are_the_same_with_weights_and_without(given: list[str], between: str, data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.integers(-9, 100), min_size=len(given), max_size=len(given)))
    weighted = [f"{word}{between}{weight}" for word, weight in zip(given, weights, strict=True)]
    assert words("\n".join(weighted)) == words("\n".join(given)) == given


def test_a_file_in_another_encoding_is_named() -> None:
    with pytest.raises(SetError, match="is GBK"):
        hotwords("hot.txt", "阿里巴巴 20\n".encode("gbk"))


@pytest.mark.parametrize("unit", [" ", ":", "1 ", "\t", "a:"])
def test_a_long_line_takes_time_by_its_length_only(unit: str) -> None:
    started = time.process_time()
    words(unit * 50_000 + "x")
    assert time.process_time() - started < 2
