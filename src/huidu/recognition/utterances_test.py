import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huidu.recognition.utterances import FRAMES_PER_S, LIMIT_FRAMES, Passage, Pcm, Utterances

RATE_HZ = 8_000
# (seconds, level in dB below full scale): bursts as loud as speech, faint ones, noise and silence.
bursts = st.lists(
    st.tuples(
        st.sampled_from([0.02, 0.1, 0.3, 0.49, 0.53, 0.8, 2.0, 4.9, 7.0]),
        st.sampled_from([-120, -70, -52, -47, -38, -25, -12]),
    ),
    max_size=12,
)


def noise(*parts: tuple[float, float], rate_hz: int = RATE_HZ) -> Pcm:
    """White noise by (seconds, level in dB); the same each time."""
    random = np.random.default_rng(1)
    made = [10 ** (level_db / 20) * random.standard_normal(int(seconds * rate_hz)) for seconds, level_db in parts]
    samples = np.concatenate([np.zeros(0), *made]) * 32768
    return np.asarray(np.clip(samples, -32768, 32767), dtype=np.int16)


def passages(samples: Pcm, chunks: list[int], rate_hz: int = RATE_HZ) -> list[Passage]:
    """All passages, with the samples fed in chunks of these sizes, over and over."""
    found, utterances, begin, turn = [], Utterances(rate_hz), 0, 0
    while begin < len(samples):
        size = chunks[turn % len(chunks)]
        utterances.feed(samples[begin : begin + size])
        begin, turn = begin + size, turn + 1
        while (passage := utterances.next()) is not None:
            found.append(passage)
    return [*found, utterances.rest()]


def facts(passage: Passage, shift: int = 0) -> tuple[int, int, bool, bytes]:
    here = passage.start_sample - shift, passage.end_sample - shift
    return (*here, passage.speech_from is None, passage.speech.tobytes())


# Laws


@given(parts=bursts, chunks=st.lists(st.integers(1, 30_000), min_size=1, max_size=5))
@settings(deadline=None, max_examples=60)
def test_how_the_samples_were_cut_into_chunks_makes_no_difference(
    parts: list[tuple[float, float]], chunks: list[int]
) -> None:
    samples = noise(*parts)
    chunks = [max(chunk, 50) for chunk in chunks]
    assert [facts(one) for one in passages(samples, chunks)] == [facts(one) for one in passages(samples, [RATE_HZ])]


@given(parts=bursts)
@settings(deadline=None, max_examples=60)
def test_a_stream_that_starts_again_at_a_boundary_goes_on_the_same(parts: list[tuple[float, float]]) -> None:
    samples = noise(*parts)
    whole = passages(samples, [RATE_HZ])
    for index, passage in enumerate(whole[:-1]):
        again = passages(samples[passage.end_sample :], [RATE_HZ])
        assert [facts(one) for one in again] == [facts(one, passage.end_sample) for one in whole[index + 1 :]]


@given(parts=bursts)
@settings(deadline=None, max_examples=60)
def test_passages_cover_the_stream_without_gap_or_overlap_and_are_bounded(parts: list[tuple[float, float]]) -> None:
    samples = noise(*parts)
    whole = passages(samples, [RATE_HZ])
    assert np.array_equal(np.concatenate([one.samples for one in whole]), samples)
    assert [one.first_sample for one in whole[1:]] == [one.end_sample for one in whole[:-1]]
    assert all(0 < len(one.samples) <= LIMIT_FRAMES * RATE_HZ // FRAMES_PER_S for one in whole[:-1])


@given(parts=bursts)
@settings(deadline=None, max_examples=60)
def test_nothing_as_loud_as_speech_is_left_out(parts: list[tuple[float, float]]) -> None:
    samples = noise(*parts)
    frame = RATE_HZ // FRAMES_PER_S
    for passage in passages(samples, [RATE_HZ]):
        left_out = passage.samples[: len(passage.samples) - len(passage.speech)].astype(float)
        frames = left_out[: len(left_out) // frame * frame].reshape(-1, frame)
        heard = (frames**2).mean(axis=1) >= 32768**2 * 1e-5
        # Two frames alone are a click.
        assert heard.sum() < 3


# Examples


def test_an_utterance_ends_in_the_middle_of_its_pause() -> None:
    samples = noise((1.0, -120), (2.0, -20), (1.0, -120), (1.0, -20), (0.3, -120))
    first, second = passages(samples, [400])
    assert (first.start_sample, first.end_sample) == (0.9 * RATE_HZ, 3.24 * RATE_HZ)
    # The second is ended by the end of the stream, and has some of the pause before it.
    assert (second.start_sample, second.end_sample) == (3.9 * RATE_HZ, len(samples))


def test_a_pause_is_found_in_noise() -> None:
    samples = noise((1.0, -42), (2.0, -15), (1.0, -42), (2.0, -15), (1.0, -42))
    ends = [one.end_sample / RATE_HZ for one in passages(samples, [400])]
    assert ends[:2] == pytest.approx([3.24, 6.24], abs=0.04)


def test_a_short_silence_does_not_end_an_utterance() -> None:
    assert len(passages(noise((1.0, -20), (0.4, -120), (1.0, -20)), [400])) == 1


def test_without_a_pause_the_cut_is_at_the_quietest_place_of_the_last_seconds() -> None:
    samples = noise((10.0, -20), (0.2, -60), (12.0, -20), (0.2, -50), (6.0, -20))
    first, second = passages(samples, [4000])
    assert 22.2 < first.end_sample / RATE_HZ < 22.4
    assert second.speech_from == 0


def test_a_long_silence_is_done_with_and_holds_no_speech() -> None:
    found = passages(noise((12.0, -120), (1.0, -20)), [4000])
    assert [one.end_sample / RATE_HZ for one in found] == [4.5, 9.0, 13.0]
    assert [one.speech_from is None for one in found] == [True, True, False]


def test_a_click_is_no_speech() -> None:
    assert [one.speech_from for one in passages(noise((1.0, -120), (0.02, -10), (7.0, -120)), [400])] == [None, None]


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 44_100, 48_000])
def test_every_rate_has_its_frames(rate_hz: int) -> None:
    samples = noise((1.0, -120), (1.0, -20), (1.0, -120), (1.0, -20), rate_hz=rate_hz)
    first, second = passages(samples, [997], rate_hz)
    assert first.end_sample / rate_hz == pytest.approx(2.24, abs=0.03)
    assert second.end_sample == len(samples)


def test_a_long_stream_takes_no_more_memory() -> None:
    minute = noise((25.0, -20), (1.0, -120), (34.0, -120))
    utterances = Utterances(RATE_HZ)

    def hear() -> None:
        for begin in range(0, len(minute), 1600):
            utterances.feed(minute[begin : begin + 1600])
            while utterances.next() is not None:
                pass

    hear()
    tracemalloc.start()
    for _ in range(5):
        hear()
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 500_000
