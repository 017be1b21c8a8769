"""Clips to warm an engine up with: the first decoding of each length is slow, and no user should wait for it."""

import numpy as np

from huidu.ports import Audio

_RATE_HZ = 16_000
_LENGTHS_S = (0.5, 1.0, 2.0, 4.0, 8.0)


def clips() -> list[Audio]:
    """Synthetic mono audio of several lengths, the same each time: a gliding tone in noise, nobody's voice."""
    noise = np.random.default_rng(0)
    return [_clip(seconds, noise) for seconds in _LENGTHS_S]


def _clip(seconds: float, noise: np.random.Generator) -> Audio:
    time_s = np.arange(int(seconds * _RATE_HZ)) / _RATE_HZ
    tone = 0.2 * np.sin(2 * np.pi * (200 + 100 * time_s) * time_s)
    samples = tone + 0.02 * noise.standard_normal(len(time_s))
    return Audio(samples=samples.astype(np.float32), sample_rate_hz=_RATE_HZ)
