"""A file in pieces that an engine takes one at a time, and the texts of pieces as one.

What lasts no longer than `PIECE_S` is one piece, exactly as it is. What is longer is cut at its pauses, as streams
are, so that memory does not follow the length of the file; where nothing can be heard there is nothing to recognise.
"""

import unicodedata
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from huidu.ports import Audio, AudioSource, Samples
from huidu.recognition.utterances import Passage, Pcm, Utterances

PIECE_S = 30.0
# Far lower than for streams: a recording may be faint as a whole, and would not be passed over by the engine either.
_HEARD_DB = -70.0
_FULL_SCALE = 32768


@dataclass(frozen=True, slots=True)
class Piece:
    """`audio` is None where nothing can be heard; `end_seconds` is where the piece ends in the file."""

    audio: Audio | None
    end_seconds: float


def pieces(source: AudioSource) -> Iterator[Piece]:
    """All pieces of a file in order, at least one; reads no more of it than it has to. Raises what `source` does."""
    rate_hz = source.sample_rate_hz
    blocks = source.blocks()
    first = _first(blocks, int(PIECE_S * rate_hz))
    if (length := sum(len(block) for block in first)) <= PIECE_S * rate_hz:
        yield Piece(Audio(np.ascontiguousarray(np.concatenate(first)), rate_hz), length / rate_hz)
        return
    utterances = Utterances(rate_hz, _HEARD_DB)
    for block in _then(first, blocks):
        utterances.feed(_pcm(block))
        while (passage := utterances.next()) is not None:
            yield _piece(passage, rate_hz)
    yield _piece(utterances.rest(), rate_hz)


def _first(blocks: Iterator[Samples], more_than: int) -> deque[Samples]:
    """Blocks from the start, until they hold more samples than that or there are no more."""
    found: deque[Samples] = deque()
    size = 0
    while size <= more_than and (block := next(blocks, None)) is not None:
        found.append(block)
        size += len(block)
    return found


def _then(first: deque[Samples], blocks: Iterable[Samples]) -> Iterator[Samples]:
    while first:
        yield first.popleft()
    yield from blocks


def _pcm(samples: Samples) -> Pcm:
    return np.clip(np.rint(samples * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)


def _piece(passage: Passage, rate_hz: int) -> Piece:
    end_seconds = passage.end_sample / rate_hz
    if passage.speech_from is None:
        return Piece(None, end_seconds)
    return Piece(Audio(passage.speech.astype(np.float32) / np.float32(_FULL_SCALE), rate_hz), end_seconds)


def join(texts: Iterable[str]) -> str:
    """One text of several. A space is put between two words, but none beside Chinese or Japanese."""
    joined = ""
    for text in filter(None, (text.strip() for text in texts)):
        joined += f" {text}" if joined and not (_is_wide(joined[-1]) or _is_wide(text[0])) else text
    return joined


def _is_wide(character: str) -> bool:
    """Whether a character is of a script that is written without spaces; Korean is not, though its letters are wide."""
    return unicodedata.east_asian_width(character) in "WF" and not unicodedata.name(character, "").startswith("HANGUL")
