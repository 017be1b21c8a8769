"""The connections of an instance: how many, and how long one may take to say what it wants.

A gateway in front sees to that for its clients; an instance that is reached directly must see to it itself.
"""

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from huidu.recognition.border import error_response

# As much as a gateway takes, and what it adds.
MAX_HEAD_BYTES = 1 << 16
# A request's head is there within so long, whether its connection is new or kept.
HEAD_SECONDS = 10.0
# What is still sent after its answer is read for so long: who is refused while sending is to hear it.
LINGER_SECONDS = 10.0


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP with an end to waiting: a connection over `max_connections` is closed as it comes."""

    def __init__(
        self,
        *arguments: Any,
        max_connections: int,
        head_seconds: float = HEAD_SECONDS,
        linger_seconds: float = LINGER_SECONDS,
        **named: Any,
    ) -> None:
        super().__init__(*arguments, **named)
        self._max_connections = max_connections
        self._head_seconds = head_seconds
        self._linger_seconds = linger_seconds
        self._closing: asyncio.TimerHandle | None = None
        self._in_head = True
        self._head_bytes = 0
        self._refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        if len(self.connections) > self._max_connections:
            transport.abort()  # type: ignore[attr-defined]
            return
        self._close_after(self._head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stay_open()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        super().data_received(data)
        # Nothing else bounds a head: its lines are kept for as long as they come.
        self._head_bytes = self._head_bytes + len(data) if self._in_head else 0
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(431, f"the header is larger than the accepted {MAX_HEAD_BYTES} bytes")

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "a malformed request")

    def _refuse(self, status: int, detail: str) -> None:
        """Answers what is no request, in the one shape of errors, and reads nothing more."""
        self._refused = True
        body = bytes(error_response((self.url or b"").decode("latin-1"), status, detail).body)
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
        self.transport.write(f"{head}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)
        self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._close_after(self._head_seconds)

    def on_headers_complete(self) -> None:
        self._stay_open()
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._stay_open()
        super().on_message_complete()
        if self.cycle is not None and self.cycle.response_complete:
            # What came behind the answer has ended uvicorn's own wait for the next request.
            self._close_after(self.timeout_keep_alive)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body and not self.pipeline:
            self._close_after(self._linger_seconds)

    def _close_after(self, seconds: float) -> None:
        self._stay_open()
        self._closing = self.loop.call_later(seconds, self.transport.close)

    def _stay_open(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
