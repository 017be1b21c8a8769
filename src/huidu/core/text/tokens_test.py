import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huidu.core.text.tokens import Unit, encode, split

text = st.text(max_size=20) | st.text(alphabet="你好 a1b-é×　\t\n，Ａカ", max_size=20)


def test_mixed_text_is_counted_by_chinese_character_and_foreign_word() -> None:
    assert split("我们的 iPhone 15 Pro 很好，price是5,999元", Unit.MIXED) == [
        *"我们的", "iPhone", "15", "Pro", *"很好，", "price", "是", "5,999", "元",
    ]  # fmt: skip
    assert split("un café 2×3", Unit.MIXED) == ["un", "café", "2", "×", "3"]
    assert split("全角Ａ１　空", Unit.MIXED) == ["全", "角", "Ａ", "１", "空"]


def test_characters_leave_white_space_out_and_words_are_what_it_parts() -> None:
    assert split("你 好\u3000a", Unit.CHARACTER) == ["你", "好", "a"]
    assert split("你好 a b\n", Unit.WORD) == ["你好", "a", "b"]


@given(text)
def test_every_character_but_white_space_belongs_to_one_token(found: str) -> None:
    for unit in Unit:
        assert "".join(split(found, unit)) == "".join(found.split())


@pytest.mark.parametrize("unit", Unit)
@given(texts=st.lists(text, max_size=8))
def test_numbers_are_equal_where_tokens_are(unit: Unit, texts: list[str]) -> None:
    tokens = [token for one in texts for token in split(one, unit)]
    encoded = encode(texts, unit)
    assert encoded.lengths.tolist() == [len(split(one, unit)) for one in texts]
    assert len(encoded.tokens) == len(tokens)
    assert (encoded.tokens >= 0).all()
    equal = np.equal.outer(encoded.tokens, encoded.tokens)
    assert equal.tolist() == [[one == other for other in tokens] for one in tokens]


def test_pieces_make_no_difference() -> None:
    long = ["字 word " * 70_000, "字 word", ""] * 3
    found = encode(long, Unit.MIXED)
    assert found.lengths.tolist() == [140_000, 2, 0] * 3
    assert len(set(found.tokens.tolist())) == 2


def test_a_million_words_have_as_many_numbers() -> None:
    words = [f"{number:x}" for number in range(1_000_000)]
    assert len(np.unique(encode([" ".join(words)], Unit.WORD).tokens)) == len(words)
