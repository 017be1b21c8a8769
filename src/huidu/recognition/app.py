"""The HTTP face of the recognition service."""

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from pathlib import PurePath
from typing import Any

import orjson
from fastapi import FastAPI, Request
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from huidu.core.errors import UnavailableError
from huidu.ports import History, Sockets
from huidu.recognition.border import Border, handle_errors, through_gateway
from huidu.recognition.crowd import Crowd, CrowdLimits, Uploads, look_after
from huidu.recognition.history import history_routes
from huidu.recognition.metrics import CONTENT_TYPE
from huidu.recognition.multipart import read_multipart
from huidu.recognition.recorder import Recorded
from huidu.recognition.reporter import Reporter
from huidu.recognition.schemas import (
    ErrorBody,
    FieldError,
    OpenAIForm,
    OpenAITranscript,
    TranscribeForm,
    Transcript,
    form_schema,
    read_form,
    text_of,
    transcript,
)
from huidu.recognition.stream import StreamLimits, Streams, stream_routes
from huidu.recognition.transcribe import Asked, InstanceInfo, Limits, Service

_MAX_FILENAME = 200
_ERRORS: dict[int | str, dict[str, Any]] = {status: {"model": ErrorBody} for status in (400, 404, 408, 413, 503)}

_ANSWERED: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": {
            "x-audio-seconds": {"description": "The length of the audio.", "schema": {"type": "number"}},
            "x-huidu-chars": {
                "description": "How much text there is: characters that are not white space.",
                "schema": {"type": "integer"},
            },
            "x-huidu-recorded": {
                "description": "Whether the recognition is in the history (yes), waits on disk until the history "
                "takes it (later), or is not known to be kept (no).",
                "schema": {"type": "string", "enum": ["yes", "later", "no"]},
            },
        }
    }
}


def create_app(
    service: Service,
    history: History,
    info: InstanceInfo,
    limits: Limits,
    stream_limits: StreamLimits = StreamLimits(),
    sockets: Sockets | None = None,
    opens: Callable[[str | None], bool] | None = None,
    crowd_limits: CrowdLimits = CrowdLimits(),
) -> FastAPI:
    """The application; `service` is started and stopped with it. Without `sockets` no socket is reported.

    `opens` says of a header `Authorization` whether it opens everybody's history and a drain; None: both are open.
    """
    reporter = Reporter(sockets) if sockets is not None else None
    report = reporter.write if reporter is not None else lambda _: None
    streams = Streams(service, info.version, stream_limits, report)
    uploads = Uploads(crowd_limits)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        if reporter is not None:
            reporter.start()
        looking = asyncio.create_task(look_after(crowd_limits.look_seconds, uploads.look, streams.look))
        yield
        looking.cancel()
        service.stop()
        await asyncio.to_thread(service.recorder.stop)
        if reporter is not None:
            await asyncio.to_thread(reporter.stop)

    # FastAPI's own pages load scripts from elsewhere, and nothing here may.
    pages: dict[str, Any] = {"docs_url": None, "redoc_url": None}
    app = FastAPI(title="Huidu recognition", version=info.huidu, lifespan=lifespan, responses=_ERRORS, **pages)
    app.add_middleware(Crowd, uploads=uploads)
    app.add_middleware(
        Border, service=service, version=info.version, max_upload_bytes=limits.max_upload_bytes, opens=opens
    )
    handle_errors(app)
    _add_recognition(app, service)
    _add_openai(app, service, info)
    _add_operations(app, service, info)
    app.include_router(history_routes(history))
    app.include_router(stream_routes(streams))
    return app


def _add_recognition(app: FastAPI, service: Service) -> None:
    extra = form_schema(TranscribeForm, "audio", "file")

    @app.post(
        "/api/v1/transcribe", response_model=Transcript, openapi_extra=extra, responses=_ANSWERED, tags=["recognition"]
    )
    async def transcribe(request: Request) -> Response:
        """The text of one audio file."""
        service.admit()
        _want_multipart(request, "audio")
        async with _closing(await read_multipart(request)) as form:
            given = read_form(TranscribeForm, _texts(form))
            hotwords = tuple(word for line in given.hotwords.splitlines() if (word := line.strip()))
            asked = replace(_asked(form, "audio", "file"), language=given.language, hotwords=hotwords)
            recorded = await _recognise(request, service, asked)
        return _answer(recorded, orjson.dumps(transcript(recorded.row)), "application/json")


def _add_openai(app: FastAPI, service: Service, info: InstanceInfo) -> None:
    extra = form_schema(OpenAIForm, "file")

    @app.post(
        "/v1/audio/transcriptions",
        response_model=OpenAITranscript,
        openapi_extra=extra,
        responses=_ANSWERED,
        tags=["openai"],
    )
    async def transcriptions(request: Request) -> Response:
        """The text of one audio file, as OpenAI's clients ask for it. Any `model` is taken: an instance has one."""
        service.admit()
        _want_multipart(request, "file")
        async with _closing(await read_multipart(request)) as form:
            given = read_form(OpenAIForm, _texts(form))
            options = {"prompt": given.prompt} if given.prompt else None
            asked = replace(_asked(form, "file"), language=given.language, options=options)
            recorded = await _recognise(request, service, asked)
        text = text_of(recorded.row)
        if given.response_format == "text":
            return _answer(recorded, text.encode(), "text/plain")
        return _answer(recorded, orjson.dumps({"text": text}), "application/json")

    @app.get("/v1/models", tags=["openai"])
    async def models() -> dict[str, Any]:
        """The one version served, as OpenAI's clients list models."""
        return {
            "object": "list",
            "data": [{"id": info.version, "object": "model", "created": 0, "owned_by": "huidu"}],
        }


def _add_operations(app: FastAPI, service: Service, info: InstanceInfo) -> None:
    @app.get("/healthz", tags=["operation"])
    async def healthz() -> dict[str, str]:
        """The process lives."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["operation"])
    async def readyz(request: Request) -> dict[str, str]:
        """The model is loaded and warmed up; 503 until then."""
        if service.failure is not None and not through_gateway(request.headers):
            # Why may name files: that is for who reaches the instance itself.
            raise UnavailableError(f"version {info.version} could not be loaded: {service.failure}")
        service.require_ready()
        return {"status": "ready", "version": info.version}

    @app.get("/version", tags=["operation"])
    async def version(request: Request) -> dict[str, str]:
        """What is served, exactly. Where the model lies on the server is told to nobody who came through a gateway."""
        told = asdict(info)
        if through_gateway(request.headers):
            told["model"] = PurePath(info.model).name
        return told

    @app.get("/metrics", tags=["operation"])
    async def metrics() -> Response:
        return Response(service.metrics.text(), headers={"content-type": CONTENT_TYPE})


async def _recognise(request: Request, service: Service, asked: Asked) -> Recorded:
    gone = threading.Event()

    async def watch() -> None:
        # The body has been read: all that can still come is that the client leaves.
        await request.receive()
        gone.set()

    watching = asyncio.create_task(watch())
    try:
        return await service.transcribe(asked, request.scope["huidu.origin"], gone)
    finally:
        watching.cancel()


@asynccontextmanager
async def _closing(form: FormData) -> AsyncIterator[FormData]:
    try:
        yield form
    finally:
        await form.close()


def _want_multipart(request: Request, field: str) -> None:
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/form-data"):
        said = f"content-type '{kind[:80]}' is" if kind else "a request without content-type is"
        raise FieldError(field, f"{said} not accepted; send multipart/form-data with an audio file in '{field}'")


def _texts(form: FormData) -> dict[str, str]:
    return {name: value for name, value in form.multi_items() if isinstance(value, str)}


def _asked(form: FormData, *names: str) -> Asked:
    """The uploaded file, from the first of the named fields that has one."""
    for name in names:
        upload = form.get(name)
        if isinstance(upload, UploadFile):
            return Asked(upload.file, _basename(upload.filename or ""))
    sent = ", ".join(sorted(set(form.keys()))[:8]) or "nothing"
    wanted = " or ".join(f"'{name}'" for name in names)
    raise FieldError(names[0], f"there is no file in field {wanted}; sent were: {sent[:200]}")


def _basename(filename: str) -> str:
    """The last part of a path of any system, without control characters and of bounded length."""
    last = re.split(r"[/\\]", filename)[-1]
    return "".join(character for character in last if character.isprintable())[-_MAX_FILENAME:] or "audio"


def _answer(recorded: Recorded, body: bytes, media_type: str) -> Response:
    """The answer, with what `_ANSWERED` describes for whoever reads no bodies."""
    chars = sum(not character.isspace() for character in text_of(recorded.row))
    headers = {
        "x-audio-seconds": f"{recorded.row.audio_seconds:.3f}",
        "x-huidu-chars": str(chars),
        "x-huidu-recorded": recorded.kept,
    }
    return Response(body, headers=headers, media_type=media_type)
