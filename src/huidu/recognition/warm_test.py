import numpy as np

from huidu.recognition.warm import clips


def test_clips_differ_in_length_and_are_the_same_each_time() -> None:
    lengths = [clip.seconds for clip in clips()]
    assert len(lengths) == len(set(lengths)) >= 3
    for one, other in zip(clips(), clips(), strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)


def test_clips_are_valid_audio() -> None:
    for clip in clips():
        assert clip.samples.dtype == np.float32
        assert np.abs(clip.samples).max() <= 1
