"""One channel of several, without losing what is said in one of them.

Channels are averaged, as everybody expects of stereo. That fails where channels cancel out (opposite phase: a cable
was turned round) and where many are silent (5.1 with speech in the centre: a sixth is left). Where the average has
lost more against the loudest channel than it does for stereo with one silent side (6 dB), each channel is turned the
right way round first, and the average is made as loud as that channel. No channel is ever left out: who speaks in it
may be much fainter than the others.
"""

import numpy as np
from numpy.typing import NDArray

Block = NDArray[np.float32]

# 9 dB, as a ratio of powers: between one silent channel of two and two silent ones of three (9.5 dB).
_LOST = 10**0.9
_OPPOSITE = -0.5
# What was heard before counts less with each half second: the choice is steady, and follows a file that changes.
_KEPT = 0.95


class Mixer:
    """Takes blocks of shape (n, channels), half a second each but for the last, and gives them as shape (n,)."""

    def __init__(self, channels: int) -> None:
        self._products = np.zeros((channels, channels))

    def mix(self, block: Block) -> Block:
        channels = block.shape[1]
        if channels == 1:
            return block[:, 0]
        # In float64: the squares of the largest float32 are no float32.
        self._products = _KEPT * self._products + block.T.astype(np.float64) @ block
        loudest = self._products.diagonal().max()
        if self._products.sum() / channels**2 * _LOST >= loudest:
            return np.asarray(block.mean(axis=1, dtype=np.float32))
        signs = self._signs()
        averaged = signs @ self._products @ signs / channels**2
        louder = min(channels, np.sqrt(loudest / averaged)) if averaged > 0 else channels
        return np.asarray(block @ (signs * louder / channels).astype(np.float32))

    def _signs(self) -> NDArray[np.float64]:
        """-1 for each channel that is the loudest one turned round."""
        powers = self._products.diagonal()
        loudest = int(powers.argmax())
        alike = self._products[loudest] / np.sqrt(np.maximum(powers * powers[loudest], 1e-30))
        return np.where(alike < _OPPOSITE, -1.0, 1.0)
