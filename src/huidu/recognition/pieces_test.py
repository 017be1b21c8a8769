from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huidu.core.errors import InvalidError
from huidu.ports import Samples
from huidu.recognition.pieces import PIECE_S, join, pieces
from huidu.recognition.utterances_test import noise

RATE_HZ = 8_000


class Source:
    """`ports.AudioSource` over samples in memory."""

    sample_rate_hz = RATE_HZ

    def __init__(self, samples: Samples, block: int = 4_000) -> None:
        self._samples, self._block = samples, block
        self.seconds: float | None = len(samples) / RATE_HZ
        self.taken = 0

    def blocks(self) -> Iterator[Samples]:
        for first in range(0, len(self._samples), self._block):
            self.taken = first + self._block
            yield self._samples[first : first + self._block]


def sound(*parts: tuple[float, float]) -> Samples:
    return noise(*parts).astype(np.float32) / np.float32(32768)


@pytest.mark.parametrize("seconds", [0.1, 3.0, PIECE_S])
@pytest.mark.parametrize("level_db", [-20.0, -120.0])
def test_what_is_no_longer_than_a_piece_stays_as_it_is(seconds: float, level_db: float) -> None:
    samples = sound((seconds / 2, level_db), (seconds / 2, -120.0))
    [piece] = pieces(Source(samples))
    assert piece.audio is not None
    np.testing.assert_array_equal(piece.audio.samples, samples)
    assert piece.end_seconds == seconds


def test_what_is_longer_is_cut_at_its_pauses() -> None:
    spoken = [(1.0, -120.0), (4.0, -20.0)]
    found = list(pieces(Source(sound(*spoken * 10))))
    heard = [piece.audio.seconds for piece in found if piece.audio]
    assert heard == pytest.approx([4.34] * 9 + [4.1], abs=0.02)
    assert found[-1].end_seconds == 50


def test_nothing_is_lost_where_nobody_pauses_and_no_piece_is_too_long() -> None:
    samples = sound((100.0, -20.0))
    found = [piece.audio for piece in pieces(Source(samples)) if piece.audio]
    assert max(audio.seconds for audio in found) <= PIECE_S
    np.testing.assert_allclose(np.concatenate([audio.samples for audio in found]), samples, atol=1e-4)


def test_long_silence_is_passed_over_without_audio() -> None:
    found = list(pieces(Source(sound((60.0, -120.0)))))
    assert [piece.audio for piece in found] == [None] * len(found)
    assert found[-1].end_seconds == 60


def test_a_faint_recording_is_not_taken_for_silence() -> None:
    found = list(pieces(Source(sound(*[(1.0, -120.0), (4.0, -62.0)] * 10))))
    assert sum(piece.audio.seconds for piece in found if piece.audio) > 40


def test_a_file_is_read_no_faster_than_its_pieces_are_taken() -> None:
    source = Source(sound(*[(1.0, -120.0), (4.0, -20.0)] * 20))
    each = pieces(source)
    next(each)
    assert source.taken <= (PIECE_S + 1) * RATE_HZ


def test_how_it_is_read_makes_no_difference() -> None:
    samples = sound(*[(0.7, -120.0), (3.1, -20.0), (0.9, -55.0)] * 9)
    ends = [[piece.end_seconds for piece in pieces(Source(samples, block))] for block in (4_000, 1_234, 100_000)]
    assert ends[0] == ends[1] == ends[2]


def test_what_goes_wrong_in_the_middle_is_told_in_the_middle() -> None:
    class Torn(Source):
        def blocks(self) -> Iterator[Samples]:
            yield from super().blocks()
            raise InvalidError("lost sync")

    each = pieces(Torn(sound(*[(1.0, -120.0), (4.0, -20.0)] * 8)))
    with pytest.raises(InvalidError, match="lost sync"):
        list(each)


def test_texts_are_joined_as_they_are_written() -> None:
    assert join(["你好", "", "世界"]) == "你好世界"
    assert join(["你好。", "Hello", "world", "世界"]) == "你好。Hello world世界"
    assert join(["hello ", " world"]) == "hello world"
    assert join(["café", "été"]) == "café été"
    assert join(["안녕", "세계"]) == "안녕 세계"
    assert join(["こんにちは", "世界"]) == "こんにちは世界"
    assert join([]) == ""


@given(st.lists(st.text(max_size=5), max_size=5))
def test_joining_adds_and_loses_nothing_but_space(texts: list[str]) -> None:
    assert "".join(join(texts).split()) == "".join("".join(texts).split())
