"""Log mel filter banks as sherpa-onnx computes them for WeNet CTC models."""

from __future__ import annotations

import kaldi_native_fbank as knf  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray
from voices import SAMPLE_RATE_HZ, Wave

BINS = 80
_FLOOR_ABOVE_DITHER = 5.0  # in natural logarithms of power: 22 dB

# Training keeps half precision: the step is at most 0.016 on values of 0 to 25.
Features = NDArray[np.float16]


def fbank(wave: Wave) -> Features:
    """Compute filter banks of shape ``(frames, 80)``, 100 frames a second.

    High frequencies up to 400 Hz below Nyquist, frames also at the edges, samples in the range of
    int16: what sherpa-onnx does for this kind of model. It adds a dither too, random and of one unit
    of int16, which :func:`floor` is there to make harmless.
    """
    options = knf.FbankOptions()
    options.frame_opts.samp_freq = SAMPLE_RATE_HZ
    options.frame_opts.dither = 0.0
    options.frame_opts.snip_edges = False
    options.mel_opts.num_bins = BINS
    options.mel_opts.high_freq = -400.0
    computer = knf.OnlineFbank(options)
    computer.accept_waveform(SAMPLE_RATE_HZ, (wave * 32768.0).tolist())
    computer.input_finished()
    frames = [computer.get_frame(i) for i in range(computer.num_frames_ready)]
    return np.stack(frames).astype(np.float16)


def floor() -> Features:
    """Compute the level of each of the 80 bins under which a model should hear silence.

    sherpa-onnx 2.0 dithers by default, so that quiet frames differ from one decoding to the next.
    The floor lies 22 dB above this dither; what is clamped to it is the same each time.
    """
    seconds = 20
    dither = np.random.default_rng(0).standard_normal(seconds * SAMPLE_RATE_HZ) / 32768.0
    level = fbank(dither.astype(np.float32)).astype(np.float32).mean(axis=0)
    return np.asarray(level + _FLOOR_ABOVE_DITHER, dtype=np.float16)
