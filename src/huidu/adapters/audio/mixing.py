"""One channel of several, without losing what is said in one of them.

Channels are averaged, as everybody expects of stereo. That fails where channels cancel out (opposite phase: a cable
was turned round) and where others are silent (one side of a call, 5.1 with speech in the centre): 6 dB less for one of
two is enough to lose words. Where the average has lost clearly more against the loudest channel than it does for
two people who speak at the same time (3 dB), it is made as loud as that channel; where it has lost more than it does
for stereo with one silent side, each channel is turned the right way round first. No channel is ever left out: who
speaks in it may be much fainter than the others.
"""

import numpy as np
from numpy.typing import NDArray

Block = NDArray[np.float32]

# 9 dB, as a ratio of powers: between one silent channel of two and two silent ones of three (9.5 dB).
_LOST = 10**0.9
# 4.5 dB, the same way: half way between two channels of one loudness and one silent channel of two.
_QUIETER = 10**0.45
_OPPOSITE = -0.5
# A louder or fainter block begins with a slope of 20 ms.
_SLOPES_A_BLOCK = 25
# What was heard before counts less with each half second: the choice is steady, and follows a file that changes.
_KEPT = 0.95


class Mixer:
    """Takes blocks of shape (n, channels), half a second each but for the last, and gives them as shape (n,)."""

    def __init__(self, channels: int) -> None:
        self._products = np.zeros((channels, channels))
        self._gain: float | None = None

    def mix(self, block: Block) -> Block:
        channels = block.shape[1]
        if channels == 1:
            return block[:, 0]
        # In float64: the squares of the largest float32 are no float32.
        products = block.T.astype(np.float64) @ block
        self._products = _KEPT * self._products + products
        signs = np.ones(channels)
        if self._products.sum() / channels**2 * _LOST < self._products.diagonal().max():
            signs = self._signs()
            averaged = np.asarray(block @ (signs / channels).astype(np.float32))
        else:
            averaged = np.asarray(block.mean(axis=1, dtype=np.float32))
        return self._as_loud(averaged, products, signs)

    def _as_loud(self, averaged: Block, products: NDArray[np.float64], signs: NDArray[np.float64]) -> Block:
        """By the block alone and not by what was before: in calls one side speaks, then the other."""
        loudest, power = products.diagonal().max(), signs @ products @ signs / len(signs) ** 2
        before, gain = self._gain, self._gain
        if loudest > 0:
            lost = power * (_QUIETER if signs.min() > 0 else 1.0) < loudest
            gain = float(min(len(signs), np.sqrt(loudest / power))) if lost and power > 0 else 1.0
        self._gain = gain
        if gain is None or (gain == 1.0 and before in (None, 1.0)):
            return averaged
        gains = np.full(len(averaged), gain, np.float32)
        if before is not None and before != gain:
            slope = -(-len(averaged) // _SLOPES_A_BLOCK)
            gains[:slope] = np.linspace(before, gain, slope, dtype=np.float32)
        return averaged * gains

    def _signs(self) -> NDArray[np.float64]:
        """-1 for each channel that is the loudest one turned round."""
        powers = self._products.diagonal()
        loudest = int(powers.argmax())
        alike = self._products[loudest] / np.sqrt(np.maximum(powers * powers[loudest], 1e-30))
        return np.where(alike < _OPPOSITE, -1.0, 1.0)
