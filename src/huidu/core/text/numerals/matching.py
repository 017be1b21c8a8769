"""Which numbers of a reference a hypothesis has missed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from huidu.core.text.errors import ErrorCounts
from huidu.core.text.numerals.numeral import Numeral, Reading
from huidu.core.text.numerals.reader import numerals


@dataclass(frozen=True, slots=True)
class Missed:
    """A number of the reference that the hypothesis does not have, and what stands in its place there, if anything.

    `errors` is how many numbers were missed: a date may lack its day only.
    """

    said: Numeral
    heard: Numeral | None
    errors: int


def numeral_errors(reference: str, hypothesis: str) -> ErrorCounts:
    """Reference numbers that have no fitting one in the hypothesis.

    Numbers that only the hypothesis has are not counted: the rate is of what was said. `reference` of the counts is
    the number of counted numbers in the reference text.
    """
    said = numerals(reference)
    errors = sum(miss.errors for miss in missed(said, numerals(hypothesis))) if said else 0
    return ErrorCounts(errors, sum(numeral.size for numeral in said))


def missed(said: Sequence[Numeral], heard: Sequence[Numeral]) -> list[Missed]:
    """The counted numerals of the one that have no fitting one in the other, in order.

    First what stands in the same place is matched (by the alignment with the fewest edits), then what shares a
    reading wherever it stands, then what is one number here and several there.
    """
    beside, left, free = _aligned(said, heard)
    left, free = _by_reading(said, heard, left, free)
    atoms = _Atoms(heard[index] for index in free)
    unused = set(free)
    found = []
    for index in left:
        errors = atoms.errors(said[index])
        if errors:
            other = beside.get(index)
            found.append(Missed(said[index], heard[other] if other is not None and other in unused else None, errors))
    return found


def _aligned(said: Sequence[Numeral], heard: Sequence[Numeral]) -> tuple[dict[int, int], list[int], list[int]]:
    """What stands beside what without being equal, and the indices that have no equal in order on either side."""
    kinds: dict[tuple[Reading, ...], int] = {}
    numbers = [[kinds.setdefault(numeral.readings, len(kinds)) for numeral in side] for side in (said, heard)]
    beside: dict[int, int] = {}
    left: list[int] = []
    free: list[int] = []
    for step in Levenshtein.opcodes(*numbers):
        if step.tag == "equal":
            continue
        pairs = list(zip(range(step.src_start, step.src_end), range(step.dest_start, step.dest_end), strict=False))
        beside |= dict(pairs)
        # One for one, so that an index is in a fitting pair on both sides or on none.
        fitting = [pair for pair in pairs if not set(said[pair[0]].readings).isdisjoint(heard[pair[1]].readings)]
        matched, taken = {index for index, _ in fitting}, {other for _, other in fitting}
        left += [index for index in range(step.src_start, step.src_end) if index not in matched]
        free += [other for other in range(step.dest_start, step.dest_end) if other not in taken]
    return beside, left, free


def _by_reading(
    said: Sequence[Numeral], heard: Sequence[Numeral], left: list[int], free: list[int]
) -> tuple[list[int], list[int]]:
    """Pairs that share a reading, those first that have the least choice; returned is what is left of both sides."""
    holders: dict[Reading, list[int]] = {}
    # From the back, for they are taken from the end.
    for index in sorted(free, key=lambda index: (-len(heard[index].readings), -index)):
        for reading in heard[index].readings:
            holders.setdefault(reading, []).append(index)
    taken: set[int] = set()
    matched: set[int] = set()
    for index in sorted(left, key=lambda index: (len(said[index].readings), index)):
        for reading in said[index].readings:
            waiting = holders.get(reading, [])
            while waiting and waiting[-1] in taken:
                waiting.pop()
            if waiting:
                taken.add(waiting.pop())
                matched.add(index)
                break
    return [index for index in left if index not in matched], [index for index in free if index not in taken]


class _Atoms:
    """Single numbers that are still free in the hypothesis, by their keys."""

    def __init__(self, heard: Iterable[Numeral]) -> None:
        self._holders: dict[str, list[int]] = {}
        self._taken: set[int] = set()
        for atom, keys in enumerate(_split(heard)):
            for key in keys:
                self._holders.setdefault(key, []).append(atom)

    def errors(self, numeral: Numeral) -> int:
        """How many numbers of a numeral are not there; those that are are taken."""
        if not numeral.size:
            return 0
        best: list[int] = []
        for reading in sorted(numeral.readings, key=len, reverse=True):
            atoms = self._free(reading)
            if len(atoms) == len(reading):
                self._taken.update(atoms)
                return 0
            if len(reading) == numeral.size and len(atoms) > len(best):
                best = atoms
        self._taken.update(best)
        return numeral.size - len(best)

    def _free(self, reading: Reading) -> list[int]:
        atoms: list[int] = []
        for key in reading:
            free = (atom for atom in self._holders.get(key, ()) if atom not in self._taken and atom not in atoms)
            atom = next(free, None)
            if atom is not None:
                atoms.append(atom)
        return atoms


def _split(heard: Iterable[Numeral]) -> Iterator[set[str]]:
    """The longest readings of each numeral, number by number, each with all that it could be called."""
    for numeral in heard:
        most = max(map(len, numeral.readings))
        yield from map(set, zip(*(keys for keys in numeral.readings if len(keys) == most), strict=True))
