"""A stored document is read whoever wrote it, and one that is wrong is refused in one line that says where."""

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huidu.core import codec
from huidu.core.codec import StoredError
from huidu.core.errors import InvalidError

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
DOCUMENTS = st.dictionaries(st.text().filter(lambda name: name != codec.CHECKSUM), PLAIN, max_size=4)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Wheel:
    size: int
    colour: Colour = Colour.RED


@dataclass(frozen=True)
class Cart:
    name: str
    wheels: tuple[Wheel, ...]
    weight: float = 1.0
    owner: str | None = None
    worn: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise InvalidError("a weight below 0; accepted: 0 or more")


CART: dict[str, Any] = {
    "name": "a",
    "wheels": [{"size": 2, "colour": "blue"}, {"size": 3}],
    "weight": 2,
    "owner": None,
    "worn": {"left": 4},
}


@given(DOCUMENTS)
def test_what_is_sealed_comes_out_again(document: dict[str, Any]) -> None:
    assert codec.unsealed(codec.sealed(document), "file") == document


@given(DOCUMENTS)
def test_what_an_older_huidu_wrote_has_no_checksum(document: dict[str, Any]) -> None:
    assert codec.unsealed(json.dumps(document), "file") == document


@given(DOCUMENTS.filter(bool), st.data())
def test_half_a_document_is_never_taken_for_a_whole_one(document: dict[str, Any], data: st.DataObject) -> None:
    text = codec.sealed(document)
    part = text[: data.draw(st.integers(0, len(text) - 1))]
    with pytest.raises(StoredError, match=r"^file is (empty|damaged)"):
        codec.unsealed(part, "file")


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3), st.data())
def test_one_letter_more_or_less_is_seen_or_changes_nothing(document: dict[str, Any], data: st.DataObject) -> None:
    document.pop(codec.CHECKSUM, None)
    text = codec.sealed(document)
    place = data.draw(st.integers(0, len(text) - 1))
    other = text[:place] + data.draw(st.characters(codec="ascii")) + text[place + 1 :]
    try:
        found = codec.unsealed(other, "file")
    except StoredError:
        return
    # A letter of the checksum's own name: the document beside it is whole.
    assert {name: found[name] for name in document} == document


def test_a_value_is_read_with_the_defaults_of_what_is_missing() -> None:
    assert codec.read(Cart, CART, "cart") == Cart("a", (Wheel(2, Colour.BLUE), Wheel(3)), weight=2, worn={"left": 4})
    assert codec.read(Cart, {"name": "b", "wheels": []}, "cart") == Cart("b", ())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": 4}, "cart.json.name reads 4; accepted: a text"),
        ({"name": None}, "cart.json.name reads None; accepted: a text"),
        ({"wheels": {}}, "cart.json.wheels reads {}; accepted: a list"),
        ({"wheels": [{}]}, "cart.json.wheels[0].size is missing; accepted: a whole number"),
        ({"wheels": [{"size": True}]}, "cart.json.wheels[0].size reads True; accepted: a whole number"),
        ({"wheels": [{"size": 1.5}]}, "cart.json.wheels[0].size reads 1.5; accepted: a whole number"),
        ({"wheels": [{"size": 10**400}]}, "accepted: a whole number"),
        ({"wheels": [{"size": 1, "colour": "green"}]}, "wheels[0].colour reads 'green'; accepted: red, blue"),
        ({"weight": "much"}, "cart.json.weight reads 'much'; accepted: a number"),
        ({"weight": float("nan")}, "cart.json.weight reads nan; accepted: a number"),
        ({"weight": -1}, "cart.json: a weight below 0; accepted: 0 or more"),
        ({"worn": {"left": "x"}}, "cart.json.worn.left reads 'x'; accepted: a whole number"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(StoredError) as error:
        codec.read(Cart, CART | changes, "cart.json")
    assert said in str(error.value)


def test_a_default_that_would_not_be_safe_is_not_taken() -> None:
    with pytest.raises(StoredError, match=r"^cart\.weight is missing; accepted: a number$"):
        codec.read(Cart, {"name": "b", "wheels": []}, "cart", needed=("weight",))


@given(DOCUMENTS, DOCUMENTS)
def test_what_is_not_known_stays_through_a_rewriting(known: dict[str, Any], more: dict[str, Any]) -> None:
    stored = more | known
    found = codec.unknown(stored, known)
    assert codec.with_unknown(known, found) == stored
    assert codec.unknown(known, known) == {}


def test_what_is_not_known_stays_deep_inside_unless_its_place_has_changed() -> None:
    stored = {"wheels": [{"size": 2, "spokes": 8}, {"size": 3}], "bell": True}
    found = codec.unknown(stored, {"wheels": [{"size": 2}, {"size": 3}]})
    assert found == {"bell": True, "wheels": {"0": {"spokes": 8}}}
    assert codec.with_unknown({"wheels": [{"size": 5}]}, found) == {"wheels": [{"size": 5, "spokes": 8}], "bell": True}
    assert codec.with_unknown({"wheels": None}, found) == {"wheels": None, "bell": True}
