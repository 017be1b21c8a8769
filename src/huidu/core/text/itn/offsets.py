"""A text after replacements, and where each of its characters came from."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple


class Edit(NamedTuple):
    """Replace the characters start to end (exclusive) by a text."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """One replaced piece: its character offsets before and after, ends exclusive."""

    spoken_start: int
    spoken_end: int
    written_start: int
    written_end: int


@dataclass(frozen=True)
class Written:
    """The written text and the pieces that differ from the spoken one, in order and disjoint.

    Offsets lie between characters, 0 to the length. Outside of spans both maps are shifts; an offset inside of a
    span goes to the nearer end of the span's other side (the start when both are as near). Both maps never fall, and
    take 0 to 0 and the length to the length.
    """

    text: str
    spans: tuple[Span, ...]

    def to_written(self, offset: int) -> int:
        """The offset in the written text of an offset in the spoken one."""
        index = bisect_right(self._spoken_starts, offset) - 1
        if index < 0:
            return offset
        span = self.spans[index]
        return _moved(offset, span.spoken_start, span.spoken_end, span.written_start, span.written_end)

    def to_spoken(self, offset: int) -> int:
        """The offset in the spoken text of an offset in the written one."""
        index = bisect_right(self._written_starts, offset) - 1
        if index < 0:
            return offset
        span = self.spans[index]
        return _moved(offset, span.written_start, span.written_end, span.spoken_start, span.spoken_end)

    def spoken_range(self, start: int, end: int) -> tuple[int, int]:
        """The spoken offsets of the written characters start to end; a span that they touch is taken whole."""
        first = bisect_right(self._written_starts, start) - 1
        last = bisect_left(self._written_starts, end) - 1
        inside = first >= 0 and start < self.spans[first].written_end
        begun = last >= 0 and end < self.spans[last].written_end
        return (
            self.spans[first].spoken_start if inside else self.to_spoken(start),
            self.spans[last].spoken_end if begun else self.to_spoken(end),
        )

    @cached_property
    def _spoken_starts(self) -> list[int]:
        return [span.spoken_start for span in self.spans]

    @cached_property
    def _written_starts(self) -> list[int]:
        return [span.written_start for span in self.spans]


def replaced(text: str, edits: Iterable[Edit]) -> Written:
    """The text with the edits made; they must be in order and disjoint."""
    parts: list[str] = []
    spans: list[Span] = []
    done = length = 0
    for edit in edits:
        parts += text[done : edit.start], edit.text
        start = length + edit.start - done
        length = start + len(edit.text)
        spans.append(Span(edit.start, edit.end, start, length))
        done = edit.end
    parts.append(text[done:])
    return Written("".join(parts), tuple(spans))


def _moved(offset: int, start: int, end: int, other_start: int, other_end: int) -> int:
    if offset >= end:
        return other_end + offset - end
    return other_start if offset - start <= end - offset else other_end
