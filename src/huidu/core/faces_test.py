import pytest

from huidu.core.faces import OWN_FACES, Faces, RequestKind, faces_of, hang_after_seconds, request_kind


@pytest.mark.parametrize(
    ("method", "target", "upgrade", "kind"),
    [
        ("POST", "/v1/audio/transcriptions", None, RequestKind.RECOGNITION),
        ("POST", "/api/v1/transcribe?x=1", None, RequestKind.RECOGNITION),
        ("GET", "/ws/stream-transcribe", "websocket", RequestKind.SOCKET),
        ("GET", "/", "WebSocket", RequestKind.SOCKET),
        ("GET", "/", None, RequestKind.OTHER),
        ("GET", "/healthz", None, RequestKind.OTHER),
        ("POST", "/api/v1/vad/detect", None, RequestKind.OTHER),
        ("POST", "/api/v1/batch-transcribe", None, RequestKind.OTHER),
    ],
)
def test_of_our_own_faces_those_that_take_audio_count(
    method: str, target: str, upgrade: str | None, kind: RequestKind
) -> None:
    assert request_kind(method, target, upgrade, OWN_FACES) is kind


def test_of_a_foreign_service_every_post_and_socket_counts_unless_paths_are_named() -> None:
    assert request_kind("POST", "/anything", None, faces_of(False, ())) is RequestKind.RECOGNITION
    assert request_kind("GET", "/anything", "websocket", faces_of(False, ())) is RequestKind.SOCKET
    assert request_kind("GET", "/anything", None, faces_of(False, ())) is RequestKind.OTHER
    named = faces_of(False, ("/asr", "/live/*"))
    assert named == Faces(("/asr", "/live/*"), ("/asr", "/live/*"))
    assert request_kind("POST", "/asr?lang=zh", None, named) is RequestKind.RECOGNITION
    assert request_kind("POST", "/login", None, named) is RequestKind.OTHER
    assert request_kind("GET", "/live/1", "websocket", named) is RequestKind.SOCKET
    assert faces_of(True, ("/asr",)) is OWN_FACES


def test_the_wait_grows_with_the_upload_and_ends_at_an_hour() -> None:
    assert hang_after_seconds(30, 0) == 30
    assert hang_after_seconds(30, 80_000) == 40
    # An hour of 16 kHz PCM.
    assert hang_after_seconds(30, 115_200_000) == 3600
    assert hang_after_seconds(30, None) == 3600
    # Who wants to wait longer than an hour does.
    assert hang_after_seconds(7200, 0) == 7200
