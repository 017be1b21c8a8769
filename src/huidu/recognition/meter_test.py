import pytest
from starlette.types import Message

from huidu.recognition.meter import Meter, Silence
from huidu.recognition.origin import Origin
from huidu.recognition.utterances import Passage, Pcm, speech_seconds
from huidu.recognition.utterances_test import RATE_HZ, noise

# A second of it is 0.8 s of speech with short gaps, as in speaking.
SECOND = ((0.4, -20), (0.1, -45)) * 2


def speech(seconds: int) -> Pcm:
    return noise(*SECOND * seconds)


def passage(samples: Pcm, first_sample: int = 0) -> Passage:
    return Passage(samples, first_sample, 0)


def disconnect(**more: object) -> Message:
    return {"type": "websocket.disconnect", **more}


@pytest.mark.parametrize(
    ("message", "closing"),
    [
        (disconnect(code=1000, reason=""), (1000, "client")),
        (disconnect(code=1005, reason=""), (1005, "client")),
        (disconnect(code=1011, reason="mine"), (1011, "client")),
        (disconnect(code=1012, reason=""), (1012, "client")),
        (disconnect(code=1012), (1012, "service")),
        (disconnect(code=1005), (1006, "client")),
        (disconnect(code=1006), (1006, "client")),
        (disconnect(), (1006, "client")),
        (disconnect(code=1009, reason=""), (1009, "service")),
    ],
)
def test_who_closed_is_told_by_the_servers_last_word(message: Message, closing: tuple[int, str]) -> None:
    meter = Meter(Origin("r-1"), "v1")
    meter.came(message)
    report = meter.report(True, 0.0, 0.0)
    assert (report.close_code, report.closed_by) == closing


def test_who_closes_first_has_closed() -> None:
    meter = Meter(Origin("r-1"), "v1")
    meter.closed(4012, "service")
    meter.came(disconnect(code=1000, reason=""))
    report = meter.report(True, 0.0, 0.0)
    assert (report.close_code, report.closed_by) == (4012, "service")


def test_frames_and_bytes_are_counted_each_way_and_the_first_text_is_timed() -> None:
    meter = Meter(Origin("r-1"), "v1", clock=lambda: 1_000.0)
    meter.came({"type": "websocket.receive", "text": "开始"})
    meter.came({"type": "websocket.receive", "bytes": b"1234", "text": None})
    meter.went(b"started", has_text=False)
    assert meter.report(False, 0.0, 0.0).first_message_ms is None
    meter.went(b"text", has_text=True)
    first = meter.report(False, 0.0, 0.0)
    meter.went(b"text", has_text=True)
    last = meter.report(True, 1.0, 0.0)
    assert first.first_message_ms is not None
    assert last.first_message_ms == first.first_message_ms >= 0
    assert (last.number, last.frames_up, last.bytes_up, last.frames_down, last.bytes_down) == (3, 2, 10, 3, 15)
    assert (last.opened_at, last.time, last.close_code, last.closed_by) == (1_000.0, 1_000.0, 1012, "service")


def test_speech_stands_out_and_steady_noise_does_not() -> None:
    assert speech_seconds(speech(10), RATE_HZ) == pytest.approx(8.0, abs=0.1)
    # Only where a noise begins may it be the beginning of a word.
    assert speech_seconds(noise((10, -120), (20, -20)), RATE_HZ) == pytest.approx(1.0, abs=0.1)
    for other in (noise((10, -20)), noise((10, -120)), noise((5, -60), (5, -55)), noise(), noise((0.01, -20))):
        assert speech_seconds(other, RATE_HZ) == 0.0


def test_silence_adds_up_over_passages_until_a_text_comes() -> None:
    silence = Silence(RATE_HZ)
    silence.nothing_in(passage(speech(5)), is_final=True)
    silence.nothing_in(passage(speech(5), 5 * RATE_HZ), is_final=True)
    assert silence.largest_seconds == pytest.approx(8.0, abs=0.1)
    silence.told(12 * RATE_HZ)
    silence.nothing_in(passage(speech(5), 12 * RATE_HZ), is_final=True)
    assert silence.largest_seconds == pytest.approx(8.0, abs=0.1)
    silence.nothing_in(passage(speech(10), 17 * RATE_HZ), is_final=True)
    assert silence.largest_seconds == pytest.approx(12.0, abs=0.1)


def test_a_passage_that_grows_counts_once() -> None:
    silence = Silence(RATE_HZ)
    for seconds in range(1, 11):
        silence.nothing_in(passage(speech(seconds)), is_final=False)
    silence.nothing_in(passage(speech(10)), is_final=True)
    assert silence.largest_seconds == pytest.approx(8.0, abs=0.1)


def test_what_a_partial_text_was_made_of_is_told() -> None:
    silence = Silence(RATE_HZ)
    silence.told(8 * RATE_HZ)
    silence.nothing_in(passage(speech(10)), is_final=True)
    assert silence.largest_seconds == pytest.approx(1.6, abs=0.1)


def test_what_waits_for_a_hanging_engine_counts_behind_what_it_heard_nothing_in() -> None:
    silence = Silence(RATE_HZ)
    silence.nothing_in(passage(speech(5)), is_final=True)
    for _ in range(2):
        silence.waits([passage(speech(5), 5 * RATE_HZ)], speech(5))
    assert silence.largest_seconds == pytest.approx(12.0, abs=0.1)
