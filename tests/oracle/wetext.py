"""The comparison of numbers beside the test data of WeTextProcessing, a grammar of another house.

    git clone https://github.com/wenet-e2e/WeTextProcessing
    make check-wetext DATA=WeTextProcessing

Each line of its data is a text and how it is written or said (`百分之五十 => 50%`). Both have the same numbers where
neither misses one of the other. Printed are the lines that differ, with what was read, and how many are equal; the exit
status is 1 where these are fewer than wanted. The data stays outside of this repository.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from huidu.core.text.numerals import numeral_errors, numerals

ARROW = "=>"
# Web addresses, names and words: no numbers are asked for there.
ENGLISH_LEFT_OUT = frozenset({"en_electronic.txt", "en_whitelist.txt", "en_word.txt"})


@dataclass(frozen=True)
class Suite:
    """A folder of data, and how many of its lines are to be equal; none is asked for where it is left open."""

    name: str
    folder: str
    wanted: int | None = None
    left_out: frozenset[str] = frozenset()

    def files(self, checkout: Path) -> list[Path]:
        found = sorted((checkout / self.folder).glob("*.txt"))
        return [file for file in found if file.name not in self.left_out]


SUITES = (
    Suite("Chinese, spoken => written", "itn/chinese/test/data", 280),
    Suite("English, spoken => written", "itn/english/test/data", 350, ENGLISH_LEFT_OUT),
    Suite("Chinese, written => spoken", "tn/chinese/test/data"),
)


def pairs(file: Path) -> Iterator[tuple[str, str]]:
    for line in file.read_text(encoding="utf-8").splitlines():
        if ARROW in line:
            left, _, right = line.partition(ARROW)
            yield left.strip(), right.strip()


def equal(left: str, right: str) -> bool:
    return not numeral_errors(left, right).errors and not numeral_errors(right, left).errors


def shown(text: str) -> str:
    """A text with what each of its numbers may be; those in brackets are not counted."""
    marks = []
    for numeral in numerals(text):
        readings = " or ".join("+".join(reading) for reading in numeral.readings)
        marks.append(readings if numeral.counted else f"[{readings}]")
    return f"{text}   {{{'; '.join(marks)}}}"


def report(suite: Suite, checkout: Path) -> bool:
    """Prints how a suite comes out; whether enough of its lines are equal."""
    print(f"== {suite.name} ({suite.folder})")
    total = same = 0
    for file in suite.files(checkout):
        found = list(pairs(file))
        unequal = [pair for pair in found if not equal(*pair)]
        total, same = total + len(found), same + len(found) - len(unequal)
        print(f"{file.name}: {len(found)} lines, {len(found) - len(unequal)} equal")
        for left, right in unequal:
            print(f"    {shown(left)}\n    {shown(right)}\n")
    wanted = "" if suite.wanted is None else f", wanted {suite.wanted}"
    print(f"{suite.name}: {same} of {total} equal{wanted}\n")
    return same >= (suite.wanted or 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path, help="a checkout of WeTextProcessing")
    checkout = parser.parse_args().checkout
    missing = [suite.folder for suite in SUITES if not suite.files(checkout)]
    if missing:
        sys.exit(f"{checkout} has no {', '.join(missing)}; accepted: a checkout of WeTextProcessing")
    enough = [report(suite, checkout) for suite in SUITES]
    sys.exit(0 if all(enough) else 1)


if __name__ == "__main__":
    main()
