"""Where the utterances of a stream begin and end: a pure function of its samples.

The stream is looked at in frames of 20 ms, counted from the last boundary. A frame is *heard* when its level reaches
a fixed floor, so that nothing loud enough to be speech is ever left out. A frame is *quiet* when it stays under a
level that follows the audio since the last boundary: somewhat over its quietest frame, but well under its loudest.

After speech, half a second of quiet frames is a pause, and the boundary lies in the middle of it: the first half is
the end of the utterance, the second leads into the next. Without a pause the utterance is cut at the limit, where the
last seconds are quietest. Where nothing is heard for some seconds a boundary ends the silence, so that nobody has to
keep it. Nothing is carried over a boundary. Hence to cut the stream at a boundary and to start again from there gives
the same boundaries, and how the samples were cut into messages makes no difference.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]

FRAMES_PER_S = 50
# A longest utterance, in frames; what is kept of a stream is never longer than this and what was just fed.
LIMIT_FRAMES = 25 * FRAMES_PER_S
_SILENCE_FRAMES = 5 * FRAMES_PER_S
_PAUSE_FRAMES = FRAMES_PER_S // 2
# How much of a pause belongs to the utterance before it; the rest leads into the next one.
_TAIL_FRAMES = 12
# How much before the first frame that is heard is recognised too: words begin faintly, but models that were trained
# on utterances with little silence before them lose the first word behind more of it.
_LEAD_FRAMES = 5
# Where nothing is heard, this much is left to what comes: it may be the faint beginning of a word.
_KEPT_FRAMES = 25
# Where an utterance that reaches the limit may be cut, and over how many frames its quietest place is sought.
_CUT_FRAMES = 5 * FRAMES_PER_S
_QUIETEST_FRAMES = 5
# Fewer frames are a click, not speech.
_SPEECH_FRAMES = 3
# Levels in dB below full scale. Speech lies at -15 to -40, the noise of quiet rooms below -50.
_HEARD_DB = -50.0
_SILENT_DB = -90.0
_OVER_QUIETEST_DB = 9.0
_UNDER_LOUDEST_DB = 15.0
_FULL_SCALE = 32768.0


@dataclass(frozen=True, slots=True)
class Passage:
    """Samples since the last boundary. `first_sample` counts from the beginning of the stream.

    Speech, if there is any, is in the samples from `speech_from` to the end; None where nothing is heard.
    """

    samples: Pcm
    first_sample: int
    speech_from: int | None

    @property
    def end_sample(self) -> int:
        return self.first_sample + len(self.samples)

    @property
    def start_sample(self) -> int:
        """Where the speech begins, with a little before it; the passage's own beginning where there is none."""
        return self.first_sample + (self.speech_from or 0)

    @property
    def speech(self) -> Pcm:
        """The samples to recognise."""
        return self.samples[len(self.samples) if self.speech_from is None else self.speech_from :]


def speech_seconds(samples: Pcm, sample_rate_hz: int) -> float:
    """How much of some samples is speech, in seconds.

    Its frames are heard and stand out from the quietest within a second of them, as syllables do. A steady noise does
    not, however loud, although `Utterances` gives it to the recogniser: a frame too many costs nothing there, and
    would accuse somebody here.
    """
    frame = sample_rate_hz // FRAMES_PER_S
    if len(samples) < frame:
        return 0.0
    levels_db = 10 * np.log10(np.maximum(_powers(samples, frame), 10 ** (_SILENT_DB / 10)))
    around = np.pad(levels_db, FRAMES_PER_S, constant_values=math.inf)
    quietest_db = np.lib.stride_tricks.sliding_window_view(around, 2 * FRAMES_PER_S + 1).min(axis=1)
    is_speech = (levels_db >= _HEARD_DB) & (levels_db >= quietest_db + _OVER_QUIETEST_DB)
    return int(is_speech.sum()) / FRAMES_PER_S


class Utterances:
    """Takes samples and gives passages, each ending with a boundary. What stays under `heard_db` is not heard."""

    def __init__(self, sample_rate_hz: int, heard_db: float = _HEARD_DB) -> None:
        self._frame = sample_rate_hz // FRAMES_PER_S
        self._heard_db = heard_db
        self._first_sample = 0
        # The first `_size` samples count; there is room for more, so that small pieces cost little.
        self._room: Pcm = np.empty(sample_rate_hz, np.int16)
        self._size = 0
        self._restart()

    def feed(self, samples: Pcm) -> None:
        size = self._size + len(samples)
        if size > len(self._room):
            room = np.empty(2 * size, np.int16)
            room[: self._size] = self._samples
            self._room = room
        self._room[self._size : size] = samples
        self._size = size

    def next(self) -> Passage | None:
        """The next passage in what was fed; None when its boundary is not there yet."""
        for level_db in self._new_levels():
            if (boundary := self._step(level_db)) is not None:
                return self._cut(boundary * self._frame)
        return None

    def rest(self) -> Passage:
        """What lies behind the last boundary, ended where the stream ends. `next` must have given None before."""
        return self._cut(self._size)

    def pending(self) -> Passage:
        """What lies behind the last boundary so far. Its samples are valid until the next call of anything else."""
        return Passage(self._samples, self._first_sample, self._speech_from())

    @property
    def in_speech(self) -> bool:
        """Whether anything was heard since the last boundary."""
        return self._first_heard is not None

    @property
    def _samples(self) -> Pcm:
        return self._room[: self._size]

    def _restart(self) -> None:
        self._levels_db: list[float] = []
        self._quietest_db = math.inf
        self._loudest_db = -math.inf
        self._first_heard: int | None = None
        self._heard = 0

    def _new_levels(self) -> list[float]:
        """The levels of the whole frames that were not looked at yet."""
        powers = _powers(self._samples[len(self._levels_db) * self._frame :], self._frame)
        return [max(_SILENT_DB, 10 * math.log10(power)) if power else _SILENT_DB for power in powers.tolist()]

    def _step(self, level_db: float) -> int | None:
        """Looks at one more frame; the boundary in frames since the last one, if there is one now."""
        levels = self._levels_db
        levels.append(level_db)
        self._quietest_db = min(self._quietest_db, level_db)
        self._loudest_db = max(self._loudest_db, level_db)
        if level_db >= self._heard_db:
            self._heard += 1
            if self._first_heard is None:
                self._first_heard = len(levels) - 1
        if self._heard < _SPEECH_FRAMES:
            return len(levels) - _KEPT_FRAMES if len(levels) >= _SILENCE_FRAMES else None
        follows_db = min(self._quietest_db + _OVER_QUIETEST_DB, self._loudest_db - _UNDER_LOUDEST_DB)
        before_pause = len(levels) - _PAUSE_FRAMES
        assert self._first_heard is not None
        if before_pause > self._first_heard and max(levels[-_PAUSE_FRAMES:]) < max(self._heard_db, follows_db):
            return before_pause + _TAIL_FRAMES
        return self._quietest_cut() if len(levels) >= LIMIT_FRAMES else None

    def _quietest_cut(self) -> int:
        # Powers and not decibels: digital silence would outweigh any speech beside it.
        powers = 10 ** (np.array(self._levels_db[-_CUT_FRAMES:]) / 10)
        around = np.convolve(powers, np.ones(_QUIETEST_FRAMES), "valid")
        return len(self._levels_db) - _CUT_FRAMES + int(around.argmin()) + _QUIETEST_FRAMES // 2 + 1

    def _speech_from(self) -> int | None:
        if self._first_heard is None or self._heard < _SPEECH_FRAMES:
            return None
        return max(0, self._first_heard - _LEAD_FRAMES) * self._frame

    def _cut(self, boundary: int) -> Passage:
        passage = Passage(self._samples[:boundary].copy(), self._first_sample, self._speech_from())
        left = self._samples[boundary:].copy()
        self._room[: len(left)] = left
        self._size = len(left)
        self._first_sample += boundary
        self._restart()
        return passage


def _powers(samples: Pcm, frame: int) -> NDArray[np.float64]:
    """The mean squares of the whole frames in some samples, 1 being full scale."""
    frames = samples[: len(samples) // frame * frame].astype(np.int64).reshape(-1, frame)
    # Sums of integers are exact: a frame has one level, whatever it was fed with.
    return np.asarray((frames * frames).sum(axis=1) / (frame * _FULL_SCALE**2))
