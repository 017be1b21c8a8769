"""The yardstick on pairs of texts: what may differ in how it is written, and what may not.

In `tests/data/numerals.tsv` stand pairs `a`, `b`. `numerals` says whether their numbers are the `same` whichever of
the two is the reference, or `diff`er for one of them at least, or that `a` has `none` that counts; `normalised` says
whether the normalised texts are the same. `-` is not judged. The tables of docs/scoring.md hold more.
"""

import csv
from pathlib import Path

import pytest

from huidu.core.text.normalise import Normaliser
from huidu.core.text.numerals import numeral_errors, numerals

ROOT = Path(__file__).parents[4]

Row = dict[str, str]


def rows() -> list[Row]:
    with (ROOT / "tests" / "data" / "numerals.tsv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


ROWS = rows()
# Rows that Huidu judges otherwise, on purpose, each with its reason in docs/scoring.md.
DISPUTED: frozenset[tuple[str, str]] = frozenset()
MOST_DISPUTED = 0.02
JUDGED = [row for row in ROWS if (row["a"], row["b"]) not in DISPUTED]


def numerals_of(row: Row) -> str:
    """How the numerals of the row come out, in the words of its column."""
    there, back = numeral_errors(row["a"], row["b"]), numeral_errors(row["b"], row["a"])
    if row["numerals"] == "none" and not there.reference:
        return "none"
    return "diff" if there.errors or back.errors else "same"


def wrong(row: Row) -> list[str]:
    """The columns that do not hold."""
    found = [] if row["numerals"] in ("-", numerals_of(row)) else ["numerals"]
    normaliser = Normaliser(simplified=row["kind"] == "trad")
    normalised = "same" if normaliser.normalised(row["a"]) == normaliser.normalised(row["b"]) else "diff"
    if row["normalised"] not in ("-", normalised):
        found.append("normalised")
    return found


@pytest.mark.parametrize("row", JUDGED, ids=lambda row: row["kind"])
def test_a_pair_is_judged_as_its_row_says(row: Row) -> None:
    assert wrong(row) == [], (row, numerals(row["a"]), numerals(row["b"]))


def test_hardly_any_row_is_disputed_and_each_of_these_is_judged_otherwise() -> None:
    pairs = {(row["a"], row["b"]): row for row in ROWS}
    assert pairs.keys() >= DISPUTED
    assert len(DISPUTED) <= MOST_DISPUTED * len(ROWS)
    assert all(wrong(pairs[pair]) for pair in DISPUTED)


def test_every_row_says_what_is_asked() -> None:
    assert len(ROWS) > 400
    assert {row["numerals"] for row in ROWS} == {"same", "diff", "none", "-"}
    assert {row["normalised"] for row in ROWS} == {"same", "diff", "-"}


# ------------------------------------------------------------------ what the documentation shows

WORDS = {
    "scoring.md": {"same": "same", "differ": "diff", "none": "none", "-": "-"},
    "scoring.zh.md": {"相同": "same", "不同": "diff", "没有": "none", "-": "-"},
}


def shown(page: str) -> list[Row]:
    """The rows of four cells whose last two are judgements: no other table of the pages has such."""
    words, found = WORDS[page], []
    for line in (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 4 and set(cells[2:]) <= words.keys():
            a, b, *judged = cells
            numerals, normalised = (words[word] for word in judged)
            found.append({"kind": "docs", "a": a, "b": b, "numerals": numerals, "normalised": normalised})
    return found


@pytest.mark.parametrize("page", WORDS)
def test_each_pair_that_the_documentation_shows_is_judged_so(page: str) -> None:
    assert len(shown(page)) > 20
    assert {f"{row['a']} | {row['b']}": wrong(row) for row in shown(page) if wrong(row)} == {}


def test_both_languages_show_the_same_pairs() -> None:
    english, chinese = map(shown, WORDS)
    assert english == chinese


def test_each_disputed_row_has_its_reason_in_the_documentation() -> None:
    for page in WORDS:
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        assert [pair for pair in DISPUTED if f"| {pair[0]} | {pair[1]} |" not in text] == []
