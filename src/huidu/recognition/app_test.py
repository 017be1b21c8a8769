import asyncio
import hashlib
import io
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from huidu.adapters.audio.soundfile_reader import SoundfileReader
from huidu.adapters.engines.echo import EchoEngine
from huidu.core.errors import HuiduError, InvalidError, NotFoundError, UnavailableError
from huidu.ports import Audio, Engine, Recognition, Samples
from huidu.recognition.app import create_app
from huidu.recognition.transcribe import InstanceInfo, Limits, Service

with warnings.catch_warnings():
    # Starlette would rather have httpx's successor, which nothing else here needs.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

INFO = InstanceInfo("v1", "f" * 64, "echo", "cpu", "/srv/models/nano-v1", "0.1.0")
TEXT = "1600 samples at 16000 Hz"
MAX_BYTES = 100_000


def encoded(samples: Samples, kind: str = "WAV", rate_hz: int = 16_000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format=kind, subtype="PCM_16")
    return file.getvalue()


def wav(samples: int = 1600) -> bytes:
    return encoded(np.full(samples, 0.1, np.float32))


WAV = wav()
FLAC = encoded(np.random.default_rng(0).random(1600, np.float32), "FLAC")


class ListHistory:
    """`ports.History` in a list, enough for these tests."""

    def __init__(self) -> None:
        self.rows: list[Recognition] = []
        self.on_add: Callable[[Recognition], None] = lambda row: None

    def add(self, row: Recognition) -> int:
        self.on_add(row)
        self.rows.append(replace(row, id=len(self.rows) + 1))
        return len(self.rows)

    def add_all(self, rows: Sequence[Recognition], late: bool = False) -> list[int]:
        return [self.add(row) for row in rows]

    def get(self, row_id: int) -> Recognition:
        if row_id > len(self.rows):
            raise NotFoundError(f"there is no recognition {row_id} in the history")
        return self.rows[row_id - 1]

    def page(self, limit: int, before: float | None, version: str | None, purpose: str | None) -> list[Recognition]:
        chosen = [row for row in self.rows if before is None or row.created_time < before]
        chosen = [row for row in chosen if version in (None, row.version) and purpose in (None, row.purpose)]
        return chosen[::-1][:limit]

    def correct(self, row_id: int, text: str, by: str, at: float) -> Recognition:
        row = replace(self.get(row_id), corrected_text=text, corrected_by=by, corrected_at=at)
        self.rows[row_id - 1] = row
        return row

    def corrections(self, release_id: int, known: object) -> list[Recognition]:
        raise NotImplementedError

    @property
    def live(self) -> list[Recognition]:
        return [row for row in self.rows if row.purpose == "live"]


class BrokenEngine:
    name = "broken"
    honours: frozenset[str] = frozenset()

    def __init__(self, error: Exception) -> None:
        self._error = error

    def transcribe(self, audio: object, hotwords: object = ()) -> str:
        # Warming up must succeed, or the service would not get ready.
        if getattr(audio, "seconds", 0) == 0.1:
            raise self._error
        return ""


class WatchedService(Service):
    """A service whose tests can wait until it is ready or has failed."""

    prepared: Future[None]

    def start(self) -> Future[None]:
        self.prepared = super().start()
        return self.prepared


@dataclass
class Instance:
    client: TestClient
    history: ListHistory
    service: Service
    failures: list[HuiduError] = field(default_factory=list)

    def post(self, files: Any, path: str = "/api/v1/transcribe", **more: Any) -> Any:
        return self.client.post(path, files=files, **more)


def assembled(
    load: Callable[[], Engine],
    history: ListHistory,
    failures: list[HuiduError],
    limits: Limits,
    opens: Callable[[str | None], bool] | None = None,
) -> tuple[Any, WatchedService]:
    clock = iter(range(1_000, 1_000_000)).__next__
    service = WatchedService(
        load,
        SoundfileReader(),
        history,
        INFO,
        limits,
        on_failure=failures.append,
        clock=lambda: float(clock()),
        honours=EchoEngine.honours,
    )
    return create_app(service, history, INFO, limits, opens=opens), service


@contextmanager
def running(load: Callable[[], Engine] = EchoEngine, wait: bool = True, **limits: int) -> Iterator[Instance]:
    """An instance behind a test client; with `wait`, loaded and warmed up or failed."""
    history = ListHistory()
    failures: list[HuiduError] = []
    app, service = assembled(load, history, failures, Limits(**{"max_upload_bytes": MAX_BYTES, **limits}))
    with TestClient(app) as client:
        if wait:
            service.prepared.result(timeout=30)
        yield Instance(client, history, service, failures)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def shared() -> Iterator[Instance]:
    with running() as instance:
        yield instance


# What a good request gives


def test_transcribing_answers_with_text_version_and_measures(shared: Instance) -> None:
    answer = shared.post({"audio": ("call.wav", WAV)}, headers={"x-request-id": "r-77"})
    body = answer.json()
    assert answer.status_code == 200
    assert (body["text"], body["raw_text"], body["version"]) == (TEXT, TEXT, "v1")
    assert (body["request_id"], body["audio_seconds"]) == ("r-77", 0.1)
    assert body["rtf"] == pytest.approx(body["decode_ms"] / 100, abs=1e-5)
    assert shared.history.get(body["id"]).raw_text == TEXT
    assert answer.headers["x-request-id"] == "r-77"
    assert answer.headers["x-huidu-version"] == "v1"
    assert answer.headers["x-audio-seconds"] == "0.100"
    assert answer.headers["x-huidu-recorded"] == "yes"


def test_the_row_holds_all_that_is_known(shared: Instance) -> None:
    headers = {
        "x-request-id": "r-78",
        "x-envoy-attempt-count": "2",
        "x-huidu-release": "5",
        "x-huidu-rule": "share",
        "x-huidu-unit": "0123456789abcdef",
        "x-huidu-key-id": "h1-3f2a9c",
    }
    data = {"language": "zh", "hotwords": "灰度\n\n 发布 \n", "itn": "true"}
    shared.post({"file": ("C:\\calls\\../x/通话.wav", WAV)}, data=data, headers=headers)
    row = shared.history.rows[-1]
    assert (row.filename, row.language, row.hotwords) == ("通话.wav", "zh", "灰度\n发布")
    assert row.raw_text == f"{TEXT} 灰度 发布"
    assert (row.request_id, row.attempt, row.release_id, row.rule) == ("r-78", 2, 5, "share")
    assert row.unit == row.user_key == "0123456789abcdef"
    assert row.unit_key_id == "h1-3f2a9c"
    assert (row.version, row.fingerprint, row.engine, row.device) == ("v1", "f" * 64, "echo", "cpu")
    assert (row.purpose, row.answered, row.status, row.error) == ("live", True, "done", None)
    assert row.audio_sha256 == hashlib.sha256(WAV).hexdigest()
    assert row.audio_seconds == 0.1


@pytest.mark.parametrize(
    ("given", "stored"),
    [("zh_CN", "zh-CN"), ("zh-Hans", "zh-Hans"), ("ZH", "zh"), ("zh-hant-tw", "zh-Hant-TW"), (" en_us ", "en-US")],
)
def test_a_language_is_taken_however_it_is_written(shared: Instance, given: str, stored: str) -> None:
    assert shared.post({"audio": ("a.wav", WAV)}, data={"language": given}).status_code == 200
    assert shared.history.rows[-1].language == stored


@pytest.mark.parametrize(
    ("path", "field_name"), [("/api/v1/transcribe", "audio"), ("/v1/audio/transcriptions", "file")]
)
def test_a_file_with_an_extended_name_alone_is_a_file(shared: Instance, path: str, field_name: str) -> None:
    head = f"--xx\r\nContent-Disposition: form-data; name={field_name}; filename*=utf-8''%E9%80%9A.wav\r\n\r\n"
    answer = shared.client.post(path, **multipart(head.encode() + WAV + b"\r\n--xx--\r\n"))
    assert (answer.status_code, answer.json()["text"]) == (200, TEXT)
    assert shared.history.rows[-1].filename == "通.wav"


@pytest.mark.parametrize("purpose", ["golden", "probe"])
def test_golden_requests_and_probes_are_marked_and_answer_nobody(shared: Instance, purpose: str) -> None:
    shared.post({"audio": ("a.wav", WAV)}, headers={"x-huidu-purpose": purpose})
    assert (shared.history.rows[-1].purpose, shared.history.rows[-1].answered) == (purpose, False)
    [item, *_] = shared.client.get("/api/v1/history", params={"purpose": purpose}).json()["items"]
    assert item["purpose"] == purpose


class SayingEngine:
    """Says the same of everything."""

    name = "saying"
    honours: frozenset[str] = frozenset()

    def __init__(self, text: str) -> None:
        self._text = text

    def transcribe(self, audio: object, hotwords: object = ()) -> str:
        return self._text


@pytest.mark.parametrize(("text", "chars"), [("", 0), (" \t\n\u3000", 0), ("一零零 八六\n", 5), ("a b", 2)])
def test_an_answer_tells_how_much_text_it_holds(text: str, chars: int) -> None:
    with running(lambda: SayingEngine(text)) as instance:
        for path, field_name in (("/api/v1/transcribe", "audio"), ("/v1/audio/transcriptions", "file")):
            for form in ({}, {"response_format": "text"}):
                answer = instance.post({field_name: ("a.wav", WAV)}, path, data=form)
                assert (answer.status_code, answer.headers["x-huidu-chars"]) == (200, str(chars))
            refused = instance.post({field_name: ("a.wav", b"no audio")}, path)
            assert (refused.status_code, "x-huidu-chars" in refused.headers) == (400, False)


def test_a_request_without_an_id_gets_one(shared: Instance) -> None:
    first, second = (shared.post({"audio": ("a.wav", WAV)}).headers["x-request-id"] for _ in range(2))
    assert first != second
    unusable = shared.post({"audio": ("a.wav", WAV)}, headers={"x-request-id": "x" * 65})
    assert len(unusable.headers["x-request-id"]) == 32


def test_openai_clients_get_their_shape(shared: Instance) -> None:
    path, data = "/v1/audio/transcriptions", {"model": "whisper-1", "language": "", "prompt": "客服"}
    answer = shared.post({"file": ("a.wav", WAV)}, path, data=data)
    assert answer.json() == {"text": TEXT, "ignored": ["prompt"]}
    assert answer.headers["x-audio-seconds"] == "0.100"
    assert shared.history.rows[-1].options == {"prompt": "客服"}
    assert shared.post({"file": ("a.wav", WAV)}, path, data={"model": "whisper-1"}).json() == {"text": TEXT}
    plain = shared.post({"file": ("a.wav", WAV)}, path, data={**data, "response_format": "text"})
    assert (plain.text, plain.headers["content-type"]) == (TEXT, "text/plain; charset=utf-8")
    assert [model["id"] for model in shared.client.get("/v1/models").json()["data"]] == ["v1"]


def test_an_answer_says_what_of_the_request_did_not_count(shared: Instance) -> None:
    files = {"audio": ("a.wav", WAV)}
    for data, names in (
        ({}, []),
        ({"language": "", "hotwords": "", "itn": ""}, []),
        ({"hotwords": "灰度", "itn": "false"}, []),
        ({"language": "zh", "hotwords": "灰度", "itn": "true"}, ["itn", "language"]),
        ({"punctuation": "yes", "a b": "1"}, ["?", "punctuation"]),
    ):
        answer = shared.post(files, data=data)
        assert answer.json()["ignored"] == names
        assert answer.headers.get("x-huidu-ignored", "") == ",".join(names)


def test_openai_clients_are_told_as_much_also_where_the_body_is_text(shared: Instance) -> None:
    asked = {"temperature": "0.2", "timestamp_granularities[]": "word", "language": "zh", "stream": "false"}
    for response_format in ("json", "text"):
        data = {**asked, "response_format": response_format}
        answer = shared.post({"file": ("a.wav", WAV)}, "/v1/audio/transcriptions", data=data)
        assert answer.headers["x-huidu-ignored"] == "language,temperature,timestamp_granularities[]"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"hotwords": "a\n" * 1_001}, "hotwords: 1001 words; accepted: at most 1000, one on each line"),
        ({"hotwords": "字" * 10_001}, "hotwords: String should have at most 10000 characters"),
        ({"hotwords": "a\0b"}, "hotwords: holds the control character 0; accepted: plain text"),
        ({"hotwords": "a\x9b2J"}, "hotwords: holds the control character 155; accepted: plain text"),
        ({"language": "zh\0"}, "language: "),
    ],
)
def test_more_than_can_be_kept_of_a_request_is_refused(shared: Instance, data: dict[str, str], said: str) -> None:
    answer = shared.post({"audio": ("a.wav", WAV)}, data=data)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid")
    assert answer.json()["detail"].startswith(said)


@pytest.mark.parametrize(
    "body",
    [
        '{"corrected_text": "a\\u0000b"}',
        '{"corrected_text": "a\\ud800b"}',
        '{"corrected_text": "a", "corrected_by": "\\u001b[2J"}',
        '{"corrected_text": ' + "[" * 5_000,
        '{"corrected_text": ' + "9" * 5_000 + "}",
        '{"corrected_text": NaN}',
        "\0",
        "\xff",
    ],
)
def test_a_correction_that_is_no_text_is_one_line(shared: Instance, body: str) -> None:
    row = shared.post({"audio": ("a.wav", WAV)}).json()["id"]
    headers = {"content-type": "application/json"}
    answer = shared.client.patch(f"/api/v1/history/{row}", content=body.encode("latin-1"), headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid")
    assert answer.json()["detail"].isprintable()


@pytest.mark.parametrize(
    ("data", "files", "param"),
    [
        ({"response_format": "srt"}, {"file": ("a.wav", WAV)}, "response_format"),
        ({"stream": "true"}, {"file": ("a.wav", WAV)}, "stream"),
        ({}, {"audio": ("a.wav", WAV)}, "file"),
        ({}, {"file": ("a.wav", b"")}, None),
    ],
)
def test_openai_clients_get_errors_in_their_shape(shared: Instance, data: Any, files: Any, param: str | None) -> None:
    answer = shared.post(files, "/v1/audio/transcriptions", data=data)
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, "invalid")
    assert error["message"]


def test_the_row_is_stored_before_the_answer_leaves() -> None:
    order: list[str] = []
    history = ListHistory()
    history.on_add = lambda row: order.append(f"stored {row.purpose}")
    app, service = assembled(EchoEngine, history, [], Limits())

    async def spy(scope: Scope, receive: Receive, send: Send) -> None:
        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                order.append("sent")
            await send(message)

        await app(scope, receive, noted)

    service.start().result(timeout=30)
    order.clear()
    client = TestClient(spy)
    assert client.post("/api/v1/transcribe", files={"audio": ("a.wav", WAV)}).status_code == 200
    assert order == ["stored live", "sent"]


# Getting ready


def test_an_instance_answers_while_it_loads() -> None:
    gate = threading.Event()

    def load() -> Engine:
        gate.wait()
        return EchoEngine()

    with running(load, wait=False) as instance:
        try:
            assert instance.client.get("/healthz").json() == {"status": "ok"}
            assert instance.client.get("/version").json()["fingerprint"] == "f" * 64
            for answer in (instance.client.get("/readyz"), instance.post({"audio": ("a.wav", WAV)})):
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
                assert answer.json() == {
                    "error": "unavailable",
                    "detail": "version v1 is loading; come again when /readyz says so",
                }
        finally:
            gate.set()


def test_warming_up_covers_several_lengths_and_is_marked_in_the_history() -> None:
    with running() as instance:
        assert instance.client.get("/readyz").json() == {"status": "ready", "version": "v1"}
        warmed = instance.history.rows
        # The last one's row may still be on its way: nobody waits for it.
        until(lambda: len(warmed) >= 3)
        assert len({row.audio_seconds for row in warmed}) == len(warmed)
        assert {(row.purpose, row.answered, row.status) for row in warmed} == {("warming", False, "done")}


@pytest.mark.parametrize("error", [InvalidError("the model is broken"), ZeroDivisionError("oops")])
def test_a_model_that_cannot_be_loaded_is_reported(error: Exception) -> None:
    def load() -> Engine:
        raise error

    with running(load) as instance:
        answer = instance.client.get("/readyz")
        assert answer.status_code == 503
        assert str(error) in answer.json()["detail"]
        # Which may name files of the server.
        marked = instance.client.get("/readyz", headers={"x-forwarded-for": "10.8.0.1"})
        for told in (marked, instance.post({"audio": ("a.wav", WAV)})):
            assert (told.status_code, str(error) in told.text) == (503, False)
        assert [type(failure) for failure in instance.failures] in ([InvalidError], [UnavailableError])
        assert instance.client.get("/healthz").status_code == 200


# What goes wrong


def multipart(body: bytes, boundary: str = "xx") -> dict[str, Any]:
    return {"content": body, "headers": {"content-type": f"multipart/form-data; boundary={boundary}"}}


BAD: dict[str, dict[str, Any]] = {
    "empty": {"files": {"audio": ("a.wav", b"")}},
    "text": {"files": {"audio": ("a.wav", b"good morning, this is no audio")}},
    "truncated": {"files": {"audio": ("a.flac", FLAC[:500])}},
    "no samples": {"files": {"audio": ("a.wav", wav(0))}},
    "no file": {"files": {"language": (None, "zh")}},
    "wrong field": {"files": {"sound": ("a.wav", WAV)}},
    "text in the file field": {"files": {"audio": (None, "RIFF")}},
    "two files": {"files": [("audio", ("a.wav", WAV)), ("audio", ("b.wav", WAV))]},
    "bad language": {"files": {"audio": ("a.wav", WAV)}, "data": {"language": "中文 please"}},
    "bad itn": {"files": {"audio": ("a.wav", WAV)}, "data": {"itn": "perhaps"}},
    "nothing": {},
    "json": {"json": {"audio": "x"}},
    "form": {"data": {"audio": "x"}},
    "no boundary": {"content": b"--xx\r\n", "headers": {"content-type": "multipart/form-data"}},
    "long boundary": multipart(b"", "x" * 300),
    "other boundary": multipart(b'--yy\r\nContent-Disposition: form-data; name="audio"\r\n\r\nx\r\n--yy--\r\n'),
    "no disposition": multipart(b"--xx\r\n\r\nx\r\n--xx--\r\n"),
    "no end": multipart(b'--xx\r\nContent-Disposition: form-data; name="audio"; filename="a"\r\n\r\n' + WAV),
    "empty body": multipart(b""),
    "garbage": multipart(bytes(range(256)) * 10),
}


# Starlette leaves the file of a part without an end to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <function SpooledTemporaryFile")
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_request_is_refused_in_one_line_and_leaves_nothing(shared: Instance, kind: str) -> None:
    before = len(shared.history.rows)
    answer = shared.client.post("/api/v1/transcribe", **BAD[kind])
    assert answer.status_code == 400, answer.text
    assert answer.json().keys() == {"error", "detail"}
    assert answer.json()["error"] == "invalid"
    assert answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]
    assert len(shared.history.rows) == before
    assert shared.post({"audio": ("a.wav", WAV)}).status_code == 200


def test_a_refusal_says_what_would_be_accepted(shared: Instance) -> None:
    detail = shared.post({"sound": ("a.wav", WAV)}).json()["detail"]
    assert detail == "there is no file in field 'audio' or 'file'; sent were: sound"
    detail = shared.client.post("/api/v1/transcribe", json={}).json()["detail"]
    assert "send multipart/form-data with an audio file in 'audio'" in detail
    assert "WAV, FLAC, OGG, Opus or MP3" in shared.post({"audio": ("a.wav", b"?")}).json()["detail"]


@given(content=st.binary(max_size=3000))
def test_random_bytes_are_never_an_internal_error(shared: Instance, content: bytes) -> None:
    assert shared.post({"audio": ("a.wav", content)}).status_code in (200, 400)
    assert shared.client.post("/api/v1/transcribe", **multipart(content)).status_code == 400


@pytest.mark.parametrize("path", ["/api/v1/transcribe", "/v1/audio/transcriptions"])
@pytest.mark.parametrize("chunked", [False, True])
def test_an_upload_over_the_limit_is_refused(shared: Instance, path: str, chunked: bool) -> None:
    request = shared.client.build_request("POST", path, files={"file": ("a.wav", bytes(2 * MAX_BYTES))})
    body = request.read()
    headers = {"content-type": request.headers["content-type"]}
    content = iter([body[:50_000], body[50_000:150_000], body[150_000:]]) if chunked else body
    answer = shared.client.post(path, content=content, headers=headers)
    assert answer.status_code == 413
    assert f"larger than the accepted {MAX_BYTES} bytes" in answer.text
    assert "too_large" in answer.text


def test_a_large_body_elsewhere_is_refused_too(shared: Instance) -> None:
    chunks = (b"x" * 50_000 for _ in range(4))
    answer = shared.client.patch("/api/v1/history/1", content=chunks, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")


def test_what_is_no_upload_may_not_be_as_large_as_one() -> None:
    with running(max_upload_bytes=2_000_000_000) as instance:
        headers = {"content-type": "application/json", "content-length": "100000000"}
        answer = instance.client.patch("/api/v1/history/1", content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")


@pytest.mark.parametrize("path", ["/api/v1/history", "/api/v1/%68istory/1", "/metrics", "/%6Detrics"])
@pytest.mark.parametrize("mark", ["x-huidu-unit", "x-forwarded-for"])
def test_what_is_for_operators_is_refused_to_whom_a_gateway_brings(shared: Instance, path: str, mark: str) -> None:
    answer = shared.client.get(path, headers={mark: "0" * 16})
    assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")


@pytest.fixture(scope="module")
def guarded() -> Iterator[TestClient]:
    """An instance with a data folder: what belongs to its owner needs a token."""
    app, service = assembled(EchoEngine, ListHistory(), [], Limits(), lambda header: header == "Bearer it")
    with TestClient(app) as client:
        service.prepared.result(timeout=30)
        yield client


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/v1/history"), ("GET", "/api/v1/history/"), ("GET", "/api/v1/%68istory"), ("HEAD", "/api/v1/history"),
     ("PATCH", "/api/v1/history/1"), ("OPTIONS", "/api/v1/history"), ("GET", "/api/v1/drain"),
     ("POST", "/api/v1/drain"), ("POST", "/api/v1/dr%61in")],
)  # fmt: skip
def test_what_belongs_to_the_owner_needs_the_token_on_the_instances_own_address(
    guarded: TestClient, method: str, path: str
) -> None:
    for shown in ({}, {"authorization": "Bearer no"}, {"authorization": "it"}):
        answer = guarded.request(method, path, json={"streams": "move"}, headers=shown)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        if method != "HEAD":
            assert answer.json()["error"] == "unauthorized"
            assert "accepted: the header 'Authorization: Bearer TOKEN'" in answer.json()["detail"]
    through = {"authorization": "Bearer it", "x-huidu-unit": "0" * 16}
    assert guarded.request(method, path, headers=through).status_code == 403
    assert guarded.request(method, path, headers={"authorization": "Bearer it"}).status_code not in (401, 403)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/version", "/v1/models", "/openapi.json", "/metrics"])
def test_what_monitors_ask_needs_no_token(guarded: TestClient, path: str) -> None:
    assert guarded.get(path).status_code == 200


def test_recognition_needs_no_token(guarded: TestClient) -> None:
    assert guarded.post("/api/v1/transcribe", files={"audio": ("a.wav", WAV)}).status_code == 200
    key = {"authorization": "Bearer a-key-of-openai"}
    assert guarded.post("/v1/audio/transcriptions", files={"file": ("a.wav", WAV)}, headers=key).status_code == 200


@pytest.mark.parametrize("mark", ["x-huidu-unit", "x-forwarded-for", "x-envoy-attempt-count"])
def test_who_comes_through_a_gateway_is_told_no_path_of_the_server(shared: Instance, mark: str) -> None:
    assert shared.client.get("/version").json()["model"] == "/srv/models/nano-v1"
    told = shared.client.get("/version", headers={mark: "1"})
    assert (told.json()["model"], told.json()["fingerprint"]) == ("nano-v1", "f" * 64)
    for path in ("/version", "/%76ersion", "/openapi.json", "/v1/models", "/readyz", "/healthz", "/nope", "/docs"):
        assert "/srv" not in shared.client.get(path, headers={mark: "1"}).text


def test_what_is_not_served_is_not_found_in_our_shape(shared: Instance) -> None:
    for answer in (shared.client.get("/nope"), shared.client.put("/api/v1/transcribe")):
        assert answer.status_code in (404, 405)
        assert answer.json()["error"] == "not_found"
    assert shared.client.get("/v1/nope").json()["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("error", "status", "family"),
    [(UnavailableError("the device is gone"), 503, "unavailable"), (ZeroDivisionError("secret"), 500, "internal")],
)
def test_a_failed_recognition_is_in_the_history(error: Exception, status: int, family: str) -> None:
    with running(lambda: BrokenEngine(error)) as instance:
        answer = instance.post({"audio": ("a.wav", WAV)}, headers={"x-request-id": "r-1"})
        assert (answer.status_code, answer.json()["error"]) == (status, family)
        assert answer.headers["x-request-id"] == "r-1"
        [row] = instance.history.live
        assert (row.status, row.answered, row.error, row.raw_text) == ("error", False, str(error), "")
        assert row.audio_seconds == 0.1


def test_a_bug_is_told_by_its_id_only(caplog: pytest.LogCaptureFixture) -> None:
    with running(lambda: BrokenEngine(ZeroDivisionError("secret"))) as instance:
        answer = instance.post({"audio": ("a.wav", WAV)})
    error_id = answer.json()["detail"].split()[-1]
    assert answer.json()["detail"] == f"an internal error; the log knows it as {error_id}"
    assert error_id in caplog.text
    assert "secret" in caplog.text


def test_a_text_that_can_be_kept_nowhere_leaves_and_says_so() -> None:
    with running() as instance:

        def full(row: Recognition) -> None:
            raise UnavailableError("the store cannot do it now: disk full")

        instance.history.on_add = full
        answer = instance.post({"audio": ("a.wav", WAV)})
        assert (answer.status_code, answer.headers["x-huidu-recorded"]) == (200, "no")
        assert (answer.json()["text"], answer.json()["id"]) == (TEXT, None)
        assert "huidu_lost_rows 1.0" in instance.client.get("/metrics").text
        instance.history.on_add = lambda row: None
        until(lambda: instance.post({"audio": ("a.wav", WAV)}).headers["x-huidu-recorded"] == "yes")


def test_a_full_queue_is_refused_and_the_waiting_are_served() -> None:
    gate = threading.Event()
    gate.set()
    engine = EchoEngine(gate)
    with running(lambda: engine, queue_limit=2) as instance, ThreadPoolExecutor(3) as pool:
        gate.clear()
        while engine.entered.acquire(blocking=False):
            pass
        held = [pool.submit(instance.post, {"audio": ("a.wav", WAV)}) for _ in range(3)]
        try:
            while b"huidu_queue_depth 3.0" not in instance.client.get("/metrics").content:
                pass
            answer = instance.post({"audio": ("a.wav", WAV)})
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert answer.json()["detail"] == "the queue is full (2 wait); come again in a second"
        finally:
            gate.set()
        assert [one.result(timeout=30).status_code for one in held] == [200] * 3
        assert len(instance.history.live) == 3
        assert instance.post({"audio": ("a.wav", WAV)}).status_code == 200


def test_who_leaves_while_waiting_is_not_recognised_but_recorded() -> None:
    gate = threading.Event()
    gate.set()
    engine = EchoEngine(gate)
    history = ListHistory()
    app, service = assembled(lambda: engine, history, [], Limits())
    service.start().result(timeout=30)
    gate.clear()

    async def story() -> list[int]:
        left = asyncio.Event()
        first = asyncio.create_task(upload(app, "r-first", asyncio.Event()))
        second = asyncio.create_task(upload(app, "r-second", left))
        await left.wait()
        gate.set()
        return [await first, await second]

    assert asyncio.run(story()) in ([499, 499], [200, 499])
    row = next(row for row in history.live if row.request_id == "r-second")
    assert (row.status, row.answered, row.raw_text) == ("error", False, "")
    assert row.error == "the client went away before its turn"


async def upload(
    app: Any, request_id: str, left: asyncio.Event, content: bytes = WAV, leaves: threading.Semaphore | None = None
) -> int:
    """Posts as a client whose connection is closed once the body is sent; `left` is set then. The status answered.

    The client waits for `leaves` first; one with the id r-first and nothing to wait for stays.
    """
    request = TestClient(app).build_request("POST", "/api/v1/transcribe", files={"audio": ("a.wav", content)})
    headers = [(b"x-request-id", request_id.encode()), (b"content-type", request.headers["content-type"].encode())]
    body: list[Message] = [{"type": "http.request", "body": request.read(), "more_body": False}]
    statuses: list[int] = []

    async def receive() -> Message:
        if body:
            return body.pop()
        if leaves is not None:
            await asyncio.to_thread(leaves.acquire)
        elif request_id == "r-first":
            await asyncio.Event().wait()
        left.set()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        statuses.extend([message["status"]] if message["type"] == "http.response.start" else [])

    scope = {"type": "http", "method": "POST", "path": "/api/v1/transcribe", "headers": headers, "query_string": b""}
    await app(scope, receive, send)
    return statuses[0]


def test_who_leaves_while_sending_leaves_nothing(shared: Instance, caplog: pytest.LogCaptureFixture) -> None:
    before = len(shared.history.rows)
    messages: list[Message] = [
        {"type": "http.request", "body": b"--xx\r\n", "more_body": True},
        {"type": "http.disconnect"},
    ]
    statuses: list[int] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        statuses.extend([message["status"]] if message["type"] == "http.response.start" else [])

    headers = [(b"content-type", b"multipart/form-data; boundary=xx")]
    scope = {"type": "http", "method": "POST", "path": "/api/v1/transcribe", "headers": headers, "query_string": b""}
    asyncio.run(shared.client.app(scope, receive, send))  # type: ignore[arg-type]
    assert (statuses, len(shared.history.rows)) == ([499], before)
    assert caplog.text == ""


# Long files

SPOKEN = np.concatenate([np.zeros(16_000, np.float32), np.tile(np.random.default_rng(1).random(800, np.float32), 80)])
LONG = encoded(np.tile(SPOKEN, 10), "FLAC")  # ten utterances of four seconds


class CountingEngine:
    """Numbers what it hears in words; waits at its `gate` from the second audio of a file on."""

    name = "counting"
    honours: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.heard: list[float] = []
        self.gate = threading.Event()
        self.entered = threading.Semaphore(0)
        self.error: Exception | None = None

    def transcribe(self, audio: Audio, hotwords: object = ()) -> str:
        self.heard.append(audio.seconds)
        if 4 < audio.seconds < 5:
            self.entered.release()
            self.gate.wait()
            if self.error is not None and len([one for one in self.heard if 4 < one < 5]) > 3:
                raise self.error
        return f"word{len(self.heard)}" if audio.seconds > 1 else TEXT


@contextmanager
def counting() -> Iterator[tuple[Instance, CountingEngine]]:
    engine = CountingEngine()
    with running(lambda: engine, max_upload_bytes=10_000_000) as instance:
        engine.heard.clear()
        while engine.entered.acquire(blocking=False):
            pass
        try:
            yield instance, engine
        finally:
            engine.gate.set()


def test_a_long_file_is_recognised_in_pieces_and_answered_as_one() -> None:
    with counting() as (instance, engine):
        engine.gate.set()
        answer = instance.post({"audio": ("long.flac", LONG)})
        assert answer.json()["text"] == " ".join(f"word{number}" for number in range(1, 11))
        assert answer.headers["x-audio-seconds"] == "50.000"
        [row] = instance.history.live
        assert (row.audio_seconds, row.answered, row.audio_sha256) == (50, True, hashlib.sha256(LONG).hexdigest())
        assert len(engine.heard) == 10
        assert max(engine.heard) < 5
        lines = instance.client.get("/metrics").text.splitlines()
        assert 'huidu_audio_seconds_bucket{le="60.0"} 6.0' in lines
        assert "huidu_queue_depth 0.0" in lines


def test_a_clip_beside_a_long_file_has_its_turn_after_one_piece() -> None:
    with counting() as (instance, engine), ThreadPoolExecutor(2) as pool:
        long = pool.submit(instance.post, {"audio": ("long.flac", LONG)})
        assert engine.entered.acquire(timeout=30)
        clip = pool.submit(instance.post, {"audio": ("clip.wav", WAV)})
        while b"huidu_queue_depth 2.0" not in instance.client.get("/metrics").content:
            pass
        engine.gate.set()
        assert clip.result(timeout=30).json()["text"] == TEXT
        assert long.result(timeout=30).status_code == 200
        assert engine.heard[1] == 0.1 or engine.heard[2] == 0.1


def test_silence_of_any_length_is_answered_without_recognising_it() -> None:
    with counting() as (instance, engine):
        answer = instance.post({"audio": ("night.flac", encoded(np.zeros(600 * 16_000, np.float32), "FLAC"))})
        assert (answer.json()["text"], answer.headers["x-audio-seconds"]) == ("", "600.000")
        assert engine.heard == []


def test_audio_that_is_too_long_is_refused_as_too_large() -> None:
    content = bytearray(FLAC)
    content[21] |= 0x0F
    for path in ("/api/v1/transcribe", "/v1/audio/transcriptions"):
        with running() as instance:
            answer = instance.post({"file": ("a.flac", bytes(content))}, path)
            assert answer.status_code == 413
            assert "too_large" in answer.text
            assert "longer than the accepted 21600 seconds" in answer.text
            assert instance.history.live == []


def test_an_engine_that_fails_in_the_middle_fails_the_whole_and_is_recorded() -> None:
    with counting() as (instance, engine):
        engine.error = UnavailableError("the device is gone")
        engine.gate.set()
        assert instance.post({"audio": ("long.flac", LONG)}).status_code == 503
        [row] = instance.history.live
        assert (row.status, row.answered, row.raw_text, row.error) == ("error", False, "", "the device is gone")
        assert 15 < row.audio_seconds < 25


def test_a_file_that_is_cut_short_is_refused_whatever_was_heard_of_it() -> None:
    with counting() as (instance, engine):
        engine.gate.set()
        answer = instance.post({"audio": ("long.flac", LONG[: len(LONG) * 9 // 10])})
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid")
        assert instance.history.live == []


def test_who_leaves_a_long_file_ends_its_recognition() -> None:
    engine = CountingEngine()
    history = ListHistory()
    app, service = assembled(lambda: engine, history, [], Limits())
    engine.gate.set()
    service.start().result(timeout=30)
    engine.gate.clear()
    engine.heard.clear()

    async def story() -> int:
        left = asyncio.Event()
        sending = asyncio.create_task(upload(app, "r-first", left, LONG, leaves=engine.entered))
        await left.wait()
        engine.gate.set()
        return await sending

    assert asyncio.run(story()) == 499
    [row] = history.live
    assert (row.status, row.answered, row.raw_text) == ("error", False, "")
    assert row.error == "the client went away after 5 s of its audio"
    assert len(engine.heard) <= 2


# The history's faces


def test_the_history_is_paged_newest_first() -> None:
    with running() as instance:
        for number in range(3):
            instance.post({"audio": (f"{number}.wav", WAV)})
        first = instance.client.get("/api/v1/history", params={"limit": 2, "purpose": "live"}).json()
        assert [item["filename"] for item in first["items"]] == ["2.wav", "1.wav"]
        before = {"limit": 2, "purpose": "live", "before": first["next_before"]}
        rest = instance.client.get("/api/v1/history", params=before).json()
        assert ([item["filename"] for item in rest["items"]], rest["next_before"]) == (["0.wav"], None)
        assert instance.client.get("/api/v1/history", params={"version": "v9"}).json()["items"] == []


def test_a_corrected_text_makes_a_reference(shared: Instance) -> None:
    row_id = shared.post({"audio": ("a.wav", WAV)}).json()["id"]
    body = {"corrected_text": "拨打 10086", "corrected_by": "anna"}
    item = shared.client.patch(f"/api/v1/history/{row_id}", json=body).json()
    assert (item["corrected_text"], item["corrected_by"], item["text"]) == ("拨打 10086", "anna", TEXT)
    assert shared.client.get(f"/api/v1/history/{row_id}").json() == item
    confirmed = shared.client.patch(f"/api/v1/history/{row_id}", json={"corrected_text": TEXT}).json()
    assert (confirmed["corrected_text"], confirmed["corrected_by"]) == (TEXT, "unnamed")


@pytest.mark.parametrize(
    ("method", "url", "more", "status"),
    [
        ("GET", "/api/v1/history/99999", {}, 404),
        ("PATCH", "/api/v1/history/99999", {"json": {"corrected_text": "x"}}, 404),
        ("GET", "/api/v1/history/abc", {}, 400),
        ("GET", f"/api/v1/history/{2**70}", {}, 400),
        ("GET", "/api/v1/history?limit=0", {}, 400),
        ("GET", "/api/v1/history?before=inf", {}, 400),
        ("GET", "/api/v1/history?purpose=fun", {}, 400),
        ("PATCH", "/api/v1/history/1", {"json": {}}, 400),
        ("PATCH", "/api/v1/history/1", {"json": {"corrected_text": 5}}, 400),
        ("PATCH", "/api/v1/history/1", {"json": {"corrected_text": "x", "raw_text": "y"}}, 400),
        ("PATCH", "/api/v1/history/1", {"content": b'{"corrected_text": "\\ud800"}'}, 400),
        ("PATCH", "/api/v1/history/1", {"content": b"{not json"}, 400),
        ("PATCH", "/api/v1/history/1", {}, 400),
    ],
)
def test_wrong_questions_to_the_history_are_refused(
    shared: Instance, method: str, url: str, more: dict[str, Any], status: int
) -> None:
    answer = shared.client.request(method, url, headers={"content-type": "application/json"}, **more)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"] == ("not_found" if status == 404 else "invalid")
    assert "\n" not in answer.json()["detail"]


def test_metrics_count_requests_errors_and_seconds() -> None:
    with running() as instance:
        instance.post({"audio": ("a.wav", WAV)})
        instance.post({"audio": ("a.wav", b"")})
        lines = instance.client.get("/metrics").text.splitlines()
    assert 'huidu_requests_total{face="api",status="200"} 1.0' in lines
    assert 'huidu_requests_total{face="api",status="400"} 1.0' in lines
    assert "huidu_queue_depth 0.0" in lines
    assert "huidu_ready 1.0" in lines
    assert any(line.startswith("huidu_decode_seconds_count") for line in lines)


def test_the_openapi_description_names_the_upload(shared: Instance) -> None:
    paths = shared.client.get("/openapi.json").json()["paths"]
    body = paths["/api/v1/transcribe"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert {"audio", "file", "language", "hotwords", "itn"} <= body["properties"].keys()
