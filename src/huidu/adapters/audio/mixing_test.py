import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from huidu.adapters.audio.mixing import Mixer

RANDOM = np.random.default_rng(3)
SPEECH = (0.2 * RANDOM.standard_normal(40_000)).astype(np.float32)
OTHER = (0.2 * RANDOM.standard_normal(40_000)).astype(np.float32)
NOTHING = np.zeros_like(SPEECH)
HUM = (0.002 * RANDOM.standard_normal(40_000)).astype(np.float32)


def mixed(*channels: NDArray[np.float32]) -> NDArray[np.float32]:
    mixer, frames = Mixer(len(channels)), np.stack(channels, axis=1)
    return np.concatenate([mixer.mix(frames[first : first + 8_000]) for first in range(0, len(frames), 8_000)])


def test_one_channel_stays_as_it_is() -> None:
    np.testing.assert_array_equal(mixed(SPEECH), SPEECH)


def test_the_same_in_both_channels_stays_the_same() -> None:
    np.testing.assert_array_equal(mixed(SPEECH, SPEECH), SPEECH)


def test_two_people_in_two_channels_are_averaged() -> None:
    np.testing.assert_allclose(mixed(SPEECH, OTHER), (SPEECH + OTHER) / 2, atol=1e-7)
    np.testing.assert_array_equal(mixed(NOTHING, NOTHING), NOTHING)


def test_a_silent_side_takes_nothing_away() -> None:
    np.testing.assert_allclose(mixed(SPEECH, NOTHING), SPEECH, atol=1e-6)
    np.testing.assert_allclose(mixed(HUM, SPEECH), SPEECH + HUM, atol=1e-3)


def test_who_speaks_after_the_other_is_as_loud_as_alone() -> None:
    left, right = np.concatenate([SPEECH, NOTHING]), np.concatenate([NOTHING, SPEECH])
    np.testing.assert_allclose(mixed(left, right), np.concatenate([SPEECH, SPEECH]), atol=1e-6)


def test_it_gets_louder_and_fainter_without_a_step() -> None:
    tone = np.full(40_000, 0.1, np.float32)
    found = mixed(np.concatenate([tone, tone]), np.concatenate([tone, -tone * 0.9]))
    assert float(np.abs(np.diff(found[40_000 + 8_000 :])).max()) < 0.01


@pytest.mark.parametrize("against", [1.0, 0.9, 0.6])
def test_channels_in_opposite_phase_do_not_cancel_out(against: float) -> None:
    np.testing.assert_allclose(mixed(SPEECH, np.float32(-against) * SPEECH), SPEECH, atol=1e-6)


@pytest.mark.parametrize("at", range(6))
def test_speech_in_one_channel_of_six_is_as_loud_as_it_was(at: int) -> None:
    channels = [NOTHING] * 6
    channels[at] = SPEECH
    np.testing.assert_allclose(mixed(*channels), SPEECH, atol=1e-6)
    channels = [HUM] * 6
    channels[at] = SPEECH
    np.testing.assert_allclose(mixed(*channels), SPEECH + 5 * HUM, atol=0.01)


def test_who_is_much_fainter_than_the_others_is_not_left_out() -> None:
    agent, customer = np.concatenate([SPEECH, NOTHING]), np.concatenate([NOTHING, SPEECH / 10])
    found = mixed(agent, customer, *[np.zeros_like(agent)] * 4)
    np.testing.assert_allclose(found, agent + customer, atol=0.02)
    assert float(np.abs(found[len(SPEECH) :]).max()) > 0.9 * float(np.abs(customer).max())


def test_silence_before_the_speech_does_not_decide() -> None:
    late = np.concatenate([NOTHING, SPEECH])
    np.testing.assert_allclose(mixed(late, -late), late, atol=1e-6)


def test_the_choice_is_kept_through_faint_passages() -> None:
    left, right = np.concatenate([SPEECH, HUM]), np.concatenate([-SPEECH, HUM])
    np.testing.assert_allclose(mixed(left, right), np.concatenate([SPEECH, NOTHING]), atol=1e-5)


@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=8))
def test_no_weights_make_it_louder_than_the_loudest_or_lose_it(weights: list[float]) -> None:
    channels = [np.float32(weight) * SPEECH for weight in weights]
    loudest = max(float(np.abs(channel).max()) for channel in channels)
    found = float(np.abs(mixed(*channels)).max())
    assert loudest / 4 - 1e-6 <= found <= loudest * 1.5 + 1e-6
