"""Fewer samples a second: audio of studio rates carries nothing for a recogniser above some 8 kHz, but its memory."""

import numpy as np

from huidu.ports import Samples

# Half the filter's length in samples of the result: its edge is a fifth of the band wide, 70 dB deep.
_HALF = 8
# Where the filter has lost half, in parts of the highest frequency that the result can hold.
_EDGE = 0.9


class Decimator:
    """Takes samples in blocks and keeps each `factor`-th, after taking out what would be folded back (by a
    windowed sinc, Blackman's window). The result is in step with the audio, and does not depend on the blocks."""

    def __init__(self, factor: int) -> None:
        half = _HALF * factor
        steps = np.arange(-half, half + 1)
        taps = np.sinc(steps * _EDGE / factor) * np.blackman(2 * half + 1)
        self._taps = (taps / taps.sum()).astype(np.float32)
        self._factor = factor
        self._half = half
        self._kept: Samples = np.zeros(half, np.float32)

    def feed(self, samples: Samples) -> Samples:
        waiting = np.concatenate([self._kept, samples])
        if len(waiting) < len(self._taps):
            self._kept = waiting
            return waiting[:0]
        windows = np.lib.stride_tricks.sliding_window_view(waiting, len(self._taps))[:: self._factor]
        self._kept = waiting[len(windows) * self._factor :]
        return np.asarray(windows @ self._taps)

    def rest(self) -> Samples:
        """What is left when all has been fed."""
        return self.feed(np.zeros(self._half, np.float32))
