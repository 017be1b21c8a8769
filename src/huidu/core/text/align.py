"""Alignment of hypotheses with references at the least cost, for many utterances at once.

Costs are those of Levenshtein (`Weights.UNIT`: substitution, deletion and insertion 1) or of NIST's sclite
(`Weights.SCLITE`: substitution 4, deletion and insertion 3). Where several alignments cost the same, the one is
taken that, read from the end, keeps to the diagonal first, then inserts, then deletes: sclite's order.

    D[i, j] = min(D[i-1, j-1] + (0 or substitution), D[i-1, j] + deletion, D[i, j-1] + insertion)

Rows are computed for a whole batch of utterances in numpy. Along a row the insertions are a running minimum:
D[i, j] = insertion * j + min over k <= j of (c[k] - insertion * k), where c is the least of the other two.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Editops, Levenshtein

from huidu.core.text.counts import Counts
from huidu.core.text.tokens import Encoded, Unit, encode

Codes = NDArray[np.uint8]
_Tokens = NDArray[np.int64]
_Flags = NDArray[np.bool_]

# Cells of one batch: its directions take a byte each.
_BATCH_CELLS = 4_000_000
_BATCH_UTTERANCES = 100_000
# An utterance of more cells is aligned by itself, in bounded memory.
_LONG_CELLS = 4_000_000
_LONG_KEPT_BYTES = 64 << 20


class Op(IntEnum):
    """What became of a token. Deleted ones stand in the reference only, inserted ones in the hypothesis only."""

    HIT = 0
    SUBSTITUTION = 1
    DELETION = 2
    INSERTION = 3


class Weights(Enum):
    """Costs of a substitution, a deletion and an insertion."""

    UNIT = (1, 1, 1)
    SCLITE = (4, 3, 3)


@dataclass(frozen=True, eq=False, slots=True)
class Alignments:
    """Operations of all utterances behind each other: those of utterance i are `codes[starts[i]:starts[i+1]]`."""

    codes: Codes
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def ops(self, index: int) -> Codes:
        """The operations of one utterance in order, as values of `Op`."""
        return self.codes[self.starts[index] : self.starts[index + 1]]

    def counts(self) -> NDArray[np.int64]:
        """Hits, substitutions, deletions and insertions by utterance: int64 [utterances, 4]."""
        owners = np.repeat(np.arange(len(self)), np.diff(self.starts))
        return np.bincount(owners * 4 + self.codes, minlength=4 * len(self)).reshape(len(self), 4)


def counts_of(row: Sequence[int] | NDArray[np.int64]) -> Counts:
    """A row of `Alignments.counts`, or a sum of rows."""
    hits, substitutions, deletions, insertions = (int(value) for value in row)
    return Counts(hits, substitutions, deletions, insertions)


def align(
    references: Sequence[str], hypotheses: Sequence[str], unit: Unit, weights: Weights = Weights.UNIT
) -> Alignments:
    """Aligns each hypothesis with the reference of the same index.

    Raises `ValueError` when there are not as many hypotheses as references. Memory is bounded also where both have
    100,000 tokens; such long ones are aligned by rapidfuzz under `UNIT`, which breaks ties in its own way (totals
    are the same).
    """
    if len(references) != len(hypotheses):
        raise ValueError(f"{len(references)} references and {len(hypotheses)} hypotheses; accepted: as many")
    said, heard = _Side(encode(references, unit)), _Side(encode(hypotheses, unit))
    cells = said.lengths * heard.lengths
    same = np.fromiter(map(str.__eq__, references, hypotheses), bool, len(references))
    pieces = [_piece_of_hits(np.flatnonzero(same), said)]
    for index in np.flatnonzero(~same & (cells > _LONG_CELLS)).tolist():
        codes = _align_long(said.tokens(index), heard.tokens(index), weights)
        pieces.append(_Piece(np.array([index]), np.array([len(codes)]), codes))
    batched = np.flatnonzero(~same & (cells <= _LONG_CELLS))
    # Those of like length share a batch, so that little of it is padding.
    batched = batched[np.lexsort((heard.lengths[batched], said.lengths[batched]))]
    for chosen in _batches(batched, said.lengths, heard.lengths):
        codes, lengths = _align_batch(said.padded(chosen, -1), heard.padded(chosen, -2), weights)
        pieces.append(_Piece(chosen, lengths, codes))
    return _joined(pieces, len(references))


@dataclass(frozen=True, eq=False, slots=True)
class _Piece:
    """Operations of some utterances, behind each other."""

    indices: NDArray[np.int64]
    lengths: NDArray[np.int64]
    codes: Codes


def _piece_of_hits(chosen: NDArray[np.int64], said: "_Side") -> _Piece:
    lengths = said.lengths[chosen]
    return _Piece(chosen, lengths, np.full(lengths.sum(), Op.HIT, np.uint8))


def _joined(pieces: list[_Piece], utterances: int) -> Alignments:
    starts = np.zeros(utterances + 1, np.int64)
    for piece in pieces:
        starts[piece.indices + 1] = piece.lengths
    np.cumsum(starts, out=starts)
    codes = np.zeros(starts[-1], np.uint8)
    for piece in pieces:
        codes[_positions(starts[piece.indices], piece.lengths)] = piece.codes
    return Alignments(codes, starts)


def _positions(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """start, start + 1, … for each start, so many as its length."""
    begun = np.cumsum(lengths) - lengths
    return np.repeat(starts - begun, lengths) + np.arange(lengths.sum())


class _Side:
    """The tokens of all references, or of all hypotheses."""

    def __init__(self, encoded: Encoded):
        self._flat, self.lengths = encoded.tokens, encoded.lengths
        self._starts = np.cumsum(self.lengths) - self.lengths

    def tokens(self, index: int) -> _Tokens:
        start = self._starts[index]
        return self._flat[start : start + self.lengths[index]]

    def padded(self, chosen: NDArray[np.int64], filler: int) -> "_Padded":
        """A row for each chosen utterance, filled up at its end, and the lengths."""
        lengths = self.lengths[chosen]
        rows = np.full((len(chosen), int(lengths.max())), filler, np.int64)
        rows[np.arange(rows.shape[1]) < lengths[:, None]] = self._flat[_positions(self._starts[chosen], lengths)]
        return rows, lengths


def _batches(
    chosen: NDArray[np.int64], heights: NDArray[np.int64], widths: NDArray[np.int64]
) -> Iterator[NDArray[np.int64]]:
    """Neighbours whose padded cells fit a batch, of utterances by rising height."""
    while len(chosen):
        ahead = chosen[:_BATCH_UTTERANCES]
        cells = (heights[ahead] + 1) * (np.maximum.accumulate(widths[ahead]) + 1) * np.arange(1, len(ahead) + 1)
        size = max(1, int(np.searchsorted(cells, _BATCH_CELLS, "right")))
        yield chosen[:size]
        chosen = chosen[size:]


_Padded = tuple[_Tokens, NDArray[np.int64]]


def _align_batch(references: _Padded, hypotheses: _Padded, weights: Weights) -> tuple[Codes, NDArray[np.int64]]:
    """The operations of all utterances of a batch behind each other, and how many each has."""
    (said, heights), (heard, widths) = references, hypotheses
    return _traced(_directions(said, heard, weights), heights, widths)


def _directions(said: _Tokens, heard: _Tokens, weights: Weights) -> Codes:
    """The last operation of the best alignment of each pair of beginnings: uint8 [row, utterance, column]."""
    substitution, deletion, insertion = weights.value
    utterances, height = said.shape
    width = heard.shape[1]
    cost = np.int16 if max(weights.value) * (height + width) < np.iinfo(np.int16).max else np.int32
    inserted = (insertion * np.arange(width + 1)).astype(cost)
    chosen = np.empty((height, utterances, width), np.uint8)
    above = np.broadcast_to(inserted, (utterances, width + 1))
    for row in range(height):
        differ = said[:, row : row + 1] != heard
        diagonal = above[:, :-1] + differ * cost(substitution)
        least = np.empty((utterances, width + 1), cost)
        least[:, 0] = deletion * (row + 1)
        np.minimum(diagonal, above[:, 1:] + cost(deletion), out=least[:, 1:])
        least -= inserted
        np.minimum.accumulate(least, axis=1, out=least)
        least += inserted
        inserting = least[:, :-1] + cost(insertion) == least[:, 1:]
        chosen[row] = _choice(diagonal == least[:, 1:], inserting, differ)
        above = least
    return chosen


def _choice(on_diagonal: _Flags, inserting: _Flags, differ: _Flags) -> Codes:
    """The operation that reaches each cell: on the diagonal first, then an insertion, then a deletion."""
    found = np.where(inserting, np.uint8(Op.INSERTION), np.uint8(Op.DELETION))
    np.copyto(found, differ, where=on_diagonal, casting="unsafe")
    return found


def _traced(chosen: Codes, heights: NDArray[np.int64], widths: NDArray[np.int64]) -> tuple[Codes, NDArray[np.int64]]:
    """Goes back from the end of each utterance along the chosen operations."""
    rows, columns = heights.copy(), widths.copy()
    longest = int((rows + columns).max())
    # Written from the right, so that each row reads in order.
    written = np.zeros((len(rows), longest), np.uint8)
    lengths = np.zeros(len(rows), np.int64)
    going = np.arange(len(rows))
    step = longest
    while len(going := going[(rows[going] > 0) | (columns[going] > 0)]):
        step -= 1
        row, column = rows[going], columns[going]
        inside = (row > 0) & (column > 0)
        ops = np.where(row > 0, np.uint8(Op.DELETION), np.uint8(Op.INSERTION))
        ops[inside] = chosen[row[inside] - 1, going[inside], column[inside] - 1]
        written[going, step] = ops
        lengths[going] += 1
        rows[going] -= ops != Op.INSERTION
        columns[going] -= ops != Op.DELETION
    return written[np.arange(longest) >= longest - lengths[:, None]], lengths


# ------------------------------------------------------------------ one long utterance


def _align_long(said: _Tokens, heard: _Tokens, weights: Weights) -> Codes:
    codes = _codes_of(Levenshtein.editops(said.tolist(), heard.tolist()), len(said))
    if weights is Weights.UNIT:
        return codes
    return _Band(said, heard, _cost(codes, weights), weights).traced()


def _cost(codes: Codes, weights: Weights) -> int:
    return int(np.bincount(codes, minlength=4)[1:] @ weights.value)


def _codes_of(edits: Editops, reference: int) -> Codes:
    codes: list[int] = []
    position = 0
    for edit in edits:
        codes += [Op.HIT] * (edit.src_pos - position)
        codes.append({"replace": Op.SUBSTITUTION, "delete": Op.DELETION, "insert": Op.INSERTION}[edit.tag])
        position = edit.src_pos + (edit.tag != "insert")
    return np.array(codes + [Op.HIT] * (reference - position), np.uint8)


class _Band:
    """The cells around the diagonal that no alignment of at most `cost` can leave (Ukkonen 1985).

    Cell c of row i stands for column i + low + c. Rows are kept now and then, and the directions between two kept
    ones computed again on the way back, so memory grows with the root of the rows.
    """

    def __init__(self, said: _Tokens, heard: _Tokens, cost: int, weights: Weights):
        self._said, self._heard = said, heard
        self._substitution, self._deletion, self._insertion = weights.value
        surplus = len(heard) - len(said)
        # Whoever goes further aside pays an insertion and a deletion for each step of it.
        band = cost // (self._deletion + self._insertion)
        self._low, self._high = min(0, surplus) - band, max(0, surplus) + band
        self._cells = self._high - self._low + 1
        self._never = (max(weights.value) + 1) * (len(said) + len(heard) + 1)
        self._slope = self._insertion * np.arange(self._cells, dtype=np.int32)
        left, right = (np.full(cells, -1, np.int64) for cells in (-self._low, self._cells))
        # From here on token c of a row is the one before its column.
        self._padded = np.concatenate([left, heard, right])

    def traced(self) -> Codes:
        """The operations in order."""
        every = max(1, min(len(self._said), _LONG_KEPT_BYTES // self._cells))
        kept = []
        row = self._first_row()
        for index in range((len(self._said) - 1) // every * every + 1):
            if index % every == 0:
                kept.append(row)
            row = self._next_row(row, index)[0]
        return self._back(kept, every)

    def _back(self, kept: list[NDArray[np.int32]], every: int) -> Codes:
        codes: list[int] = []
        column = len(self._heard)
        for number in reversed(range(len(kept))):
            first = number * every
            last = min(first + every, len(self._said))
            row, chosen = kept[number], []
            for index in range(first, last):
                row, ops = self._next_row(row, index)
                chosen.append(ops)
            index = last
            while index > first:
                op = chosen[index - first - 1][column - index - self._low]
                codes.append(op)
                index -= op != Op.INSERTION
                column -= op != Op.DELETION
        codes += [Op.INSERTION] * column
        return np.array(codes[::-1], np.uint8)

    def _first_row(self) -> NDArray[np.int32]:
        columns = np.arange(self._low, self._high + 2, dtype=np.int32)
        row = np.where(columns >= 0, np.int32(self._insertion) * columns, np.int32(self._never))
        row[-1] = self._never
        return row

    def _next_row(self, above: NDArray[np.int32], index: int) -> tuple[NDArray[np.int32], Codes]:
        """The costs of row index + 1 from those of row index, and the operations that reach its cells.

        A row ends in a cell more, at a cost that no path has. So have columns left of the first: costs only grow.
        """
        differ = self._padded[index : index + self._cells] != self._said[index]
        diagonal = above[:-1] + differ * np.int32(self._substitution)
        row = above.copy()
        least = row[:-1]
        np.minimum(above[1:] + np.int32(self._deletion), diagonal, out=least)
        least -= self._slope
        np.minimum.accumulate(least, out=least)
        least += self._slope
        inserting = np.zeros(self._cells, np.bool_)
        np.equal(least[:-1] + np.int32(self._insertion), least[1:], out=inserting[1:])
        return row, _choice(diagonal == least, inserting, differ)
