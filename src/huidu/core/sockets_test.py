from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huidu.core.sockets import SocketReport, bad_close

REPORT = SocketReport(
    request_id="r-1",
    number=1,
    ended=True,
    time=20.0,
    opened_at=10.0,
    version="v2",
    release_id=3,
    rule="share",
    unit="0123456789abcdef",
    peer="fedcba9876543210",
    share_bp=500,
    close_code=1000,
    closed_by="service",
    first_message_ms=800.0,
    frames_up=40,
    frames_down=5,
    bytes_up=64_000,
    bytes_down=400,
    audio_seconds=8.0,
    mute_speech_seconds=1.0,
)


@pytest.mark.parametrize("code", [1006, 1011, 1012, 1013])
def test_what_the_service_says_of_its_own_faults_is_bad(code: int) -> None:
    assert bad_close(replace(REPORT, close_code=code)) == f"close_{code}"


@given(code=st.integers(0, 65_535))
def test_how_a_client_closes_is_nobodys_failure(code: int) -> None:
    assert bad_close(replace(REPORT, close_code=code, closed_by="client")) is None


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1009, 4012])
def test_what_a_service_closes_for_good_reason_is_healthy(code: int) -> None:
    assert bad_close(replace(REPORT, close_code=code)) is None


def test_an_open_socket_is_bad_only_when_it_is_mute() -> None:
    is_open = replace(REPORT, ended=False, close_code=None, closed_by=None)
    assert bad_close(is_open) is None
    assert bad_close(replace(is_open, mute_speech_seconds=10.0)) is None
    assert bad_close(replace(is_open, mute_speech_seconds=10.1)) == "mute"


def test_a_client_that_leaves_a_mute_socket_was_failed() -> None:
    assert bad_close(replace(REPORT, close_code=1001, closed_by="client", mute_speech_seconds=12.0)) == "mute"
