"""One channel of several, without losing what is said in one of them.

Channels are averaged, as everybody expects of stereo. That fails where channels cancel out (opposite phase: a cable
was turned round) and where many are silent (5.1 with speech in the centre: a sixth is left). Where the average has
lost more against the loudest channel than it does for stereo with one silent side (6 dB), the loudest channels are
averaged instead, each turned the right way round.
"""

import numpy as np
from numpy.typing import NDArray

Block = NDArray[np.float32]

# 9 dB, as a ratio of powers: between one silent channel of two and two silent ones of three (9.5 dB).
_LOST = 10**0.9
# Channels within 6 dB of the loudest are as loud.
_AS_LOUD = 10**-0.6
_OPPOSITE = -0.5
# What was heard before counts less with each half second: the choice is steady, and follows a file that changes.
_KEPT = 0.95


class Mixer:
    """Takes blocks of shape (n, channels), half a second each but for the last, and gives them as shape (n,)."""

    def __init__(self, channels: int) -> None:
        self._products = np.zeros((channels, channels))

    def mix(self, block: Block) -> Block:
        if block.shape[1] == 1:
            return block[:, 0]
        # In float64: the squares of the largest float32 are no float32.
        self._products = _KEPT * self._products + block.T.astype(np.float64) @ block
        channels = block.shape[1]
        powers = self._products.diagonal()
        if self._products.sum() / channels**2 * _LOST >= powers.max():
            return np.asarray(block.mean(axis=1, dtype=np.float32))
        return np.asarray(block @ self._weights())

    def _weights(self) -> Block:
        powers = self._products.diagonal()
        loudest = int(powers.argmax())
        alike = self._products[loudest] / np.sqrt(np.maximum(powers * powers[loudest], 1e-30))
        signs = np.where(alike < _OPPOSITE, -1.0, 1.0)
        chosen = powers >= _AS_LOUD * powers[loudest]
        return np.asarray(np.where(chosen, signs, 0.0) / chosen.sum(), dtype=np.float32)
