"""The border of the service: what every request passes on its way in and out.

It names each request, says which version answered, refuses uploads over the limit before they are in memory, and
turns every error into one line of JSON. Nothing that went wrong inside reaches a client as a traceback.
"""

import logging
import re
import uuid
from collections.abc import Callable, Mapping

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from huidu.core.errors import HuiduError, InvalidError, NotFoundError, RefusedError, TooLargeError, UnavailableError
from huidu.recognition.origin import origin_of
from huidu.recognition.schemas import FieldError, field_error
from huidu.recognition.transcribe import GoneError, Service

_log = logging.getLogger(__name__)

STATUSES: dict[type[HuiduError], int] = {
    InvalidError: 400,
    TooLargeError: 413,
    NotFoundError: 404,
    RefusedError: 409,
    UnavailableError: 503,
    GoneError: 499,  # nginx's number for it; nobody reads it
}
# A body that is no upload is in memory as a whole, and ten times its size while it is read.
_MAX_JSON_BYTES = 16_000_000
_FAMILIES = {
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "not_found",
    408: "too_slow",
    409: "refused",
    413: "too_large",
    414: "too_large",
    431: "too_large",
    503: "unavailable",
}
# The recognition faces by path: these are counted in the metrics.
_FACES = {"/v1/audio/transcriptions": "openai", "/api/v1/transcribe": "api", "/ws/stream-transcribe": "stream"}
# Everybody's history, the metrics and a drain are no user's business. They are refused here and not in the gateway,
# because here the path is decoded and no way of writing it leads round.
_FOR_OPERATORS = ("/api/v1/history", "/api/v1/drain", "/metrics")
# Of these a monitor on this machine may read the metrics; for the others it is not enough to be on it.
_WITH_TOKEN = ("/api/v1/history", "/api/v1/drain")
_MARKS_OF_A_GATEWAY = frozenset({"x-huidu-unit", "x-envoy-attempt-count", "x-forwarded-for"})


def through_gateway(headers: Headers) -> bool:
    """Whether a request came through a gateway, which marks all that it sends on: then a user may have sent it."""
    return not _MARKS_OF_A_GATEWAY.isdisjoint(headers.keys())


class UploadLimitError(HTTPException):
    """The upload is over the limit. An `HTTPException`, because frameworks let those through untouched."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(413, f"the request is larger than the accepted {limit_bytes} bytes")


class Border:
    """ASGI middleware around the application."""

    def __init__(
        self,
        app: ASGIApp,
        service: Service,
        version: str,
        max_upload_bytes: int,
        opens: Callable[[str | None], bool] | None = None,
    ) -> None:
        self._app = app
        self._service = service
        self._version = version
        self._max_upload_bytes = max_upload_bytes
        self._opens = opens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = scope["huidu.origin"] = origin_of(headers, uuid.uuid4().hex)
        started = False

        async def send_tagged(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                tags = MutableHeaders(scope=message)
                tags["x-request-id"], tags["x-huidu-version"] = origin.request_id, self._version
                if face := _FACES.get(scope["path"]):
                    self._service.metrics.answered(face, message["status"])
            await send(message)

        if refused := self._refused(scope["path"], headers):
            await error_response(scope["path"], *refused)(scope, receive, send_tagged)
            return
        try:
            limited = self._limited(headers, receive)
            await self._app(scope, limited, send_tagged)
        except UploadLimitError as error:
            await error_response(scope["path"], 413, error.detail)(scope, receive, send_tagged)
        except Exception:
            error_id = uuid.uuid4().hex
            _log.exception("internal error %s in request %s", error_id, origin.request_id)
            if not started:
                detail = f"an internal error; the log knows it as {error_id}"
                await error_response(scope["path"], 500, detail)(scope, receive, send_tagged)

    def _refused(self, path: str, headers: Headers) -> tuple[int, str] | None:
        """Status and detail where a path is not for whoever asks."""
        if path.startswith(_FOR_OPERATORS) and through_gateway(headers):
            return 403, "through the gateway go recognitions; accepted: the instance's own address"
        if self._opens and path.startswith(_WITH_TOKEN) and not self._opens(headers.get("authorization")):
            return 401, (
                "what everybody said is not for everybody on this machine; accepted: the header 'Authorization: "
                "Bearer TOKEN' with what stands in run/token of the data folder"
            )
        return None

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = scope["huidu.origin"] = origin_of(Headers(scope=scope), uuid.uuid4().hex)

        async def send_tagged(message: Message) -> None:
            if message["type"] in ("websocket.accept", "websocket.http.response.start"):
                tags = MutableHeaders(raw=list(message.get("headers", ())))
                tags["x-request-id"], tags["x-huidu-version"] = origin.request_id, self._version
                message["headers"] = tags.raw
                if face := _FACES.get(scope["path"]):
                    self._service.metrics.answered(face, message.get("status", 101))
            await send(message)

        await self._app(scope, receive, send_tagged)

    def _limited(self, headers: Headers, receive: Receive) -> Receive:
        """`receive`, counting; raises `UploadLimitError` at once where the length is announced, else while it comes."""
        announced = headers.get("content-length", "")
        is_form = headers.get("content-type", "").lower().startswith("multipart/form-data")
        limit = self._max_upload_bytes if is_form else min(self._max_upload_bytes, _MAX_JSON_BYTES)
        if re.fullmatch(r"[0-9]{1,18}", announced) and int(announced) > limit:
            raise UploadLimitError(limit)
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise UploadLimitError(limit)
            return message

        return counted


def error_response(
    path: str, status: int, detail: str, field: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """One line of JSON: OpenAI's shape under `/v1`, ours elsewhere."""
    family = _FAMILIES.get(status, "internal" if status >= 500 else "invalid")
    if path.startswith("/v1/"):
        kind = "server_error" if status >= 500 else "invalid_request_error"
        body: dict[str, object] = {"error": {"message": detail, "type": kind, "param": field, "code": family}}
    else:
        body = {"error": family, "detail": detail}
    known = {503: {"retry-after": "1"}, 401: {"www-authenticate": "Bearer"}}.get(status, {})
    return Response(orjson.dumps(body), status, known | dict(headers or {}), "application/json")


def handle_errors(app: FastAPI) -> None:
    """Gives the application one handler for each family of errors."""

    async def ours(request: Request, error: Exception) -> Response:
        status = next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)
        field = error.field if isinstance(error, FieldError) else None
        return error_response(request.url.path, status, str(error), field)

    async def shape(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        found = field_error(error.errors())
        return error_response(request.url.path, 400, str(found), found.field)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        detail = error.detail
        if error.status_code in (404, 405):
            detail = f"{request.method} {request.url.path} is not served here; /openapi.json lists what is"
        return error_response(request.url.path, error.status_code, detail, headers=error.headers)

    async def gone(request: Request, _: Exception) -> Response:
        return error_response(request.url.path, 499, "the client went away while sending")

    for family in STATUSES:
        app.add_exception_handler(family, ours)
    app.add_exception_handler(RequestValidationError, shape)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(ClientDisconnect, gone)
