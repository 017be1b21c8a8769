"""How an instance's server speaks WebSocket: as uvicorn does, with more patience."""

import asyncio
from typing import Any

import websockets.http11
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Response
from websockets.typing import StatusLike

from huidu.recognition.border import error_response
from huidu.recognition.connections import MAX_HEAD_BYTES

_QUIET_S = 0.5
_NO_PATH = "no socket is served here; accepted: /ws/stream-transcribe"


def take_long_heads() -> None:
    """Lets a WebSocket begin with as long a head as any request: websockets takes 8 kB a line and 128 lines.

    People who sign in once for many services send more cookies than that.
    """
    websockets.http11.MAX_LINE_LENGTH = MAX_HEAD_BYTES
    websockets.http11.MAX_NUM_HEADERS = 1000


class PatientProtocol(WebSocketsSansIOProtocol):
    """Some things go wrong in uvicorn's own with clients that send more than can be taken.

    A head that websockets does not take is never answered, and its connection stays for ever. Here it is refused, and
    whatever is refused is told in the one shape of errors.

    A message over the limit is answered with close code 1009, and the connection closed at once: what the client has
    sent meanwhile makes the kernel reset it, and the client never hears of the code. Here what still comes is read
    and dropped until nothing comes any more, or the client closes; for some seconds at most.

    A client must answer a ping within 20 s. While a stream is slowed down its answer lies behind audio that nobody
    has read yet. Here a client lives as long as anything comes from it, or nobody reads what comes.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._dropping = False
        self._heard_at = self.loop.time()
        self._path = ""
        self._reject = self.conn.reject
        self.conn.reject = self._rejected  # type: ignore[method-assign]

    def data_received(self, data: bytes) -> None:
        self._heard_at = self.loop.time()
        if self._dropping:
            return
        if not self.handshake_initiated:
            self._path = data.split(b" ", 2)[1].decode("latin-1")  # uvicorn gives the head at once
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self.handshake_initiated = self.handshake_complete = self.close_sent = True
            unreadable = self._rejected(400, "the head of the request cannot be read").serialize()
            self.transport.write(b"".join(self.conn.data_to_send()) or unreadable)
            self.transport.close()

    def _rejected(self, status: StatusLike, text: str) -> Response:
        response = self._reject(status, text)
        # That is what an application that closes before it has accepted comes to.
        if response.status_code == 403 and not text:
            response = self._reject(404, text := _NO_PATH)
        response.body = bytes(error_response(self._path, response.status_code, " ".join(text.split())).body)
        for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(response.body)))):
            del response.headers[name]
            response.headers[name] = value
        return response

    def handle_parser_exception(self) -> None:
        closing = self.conn.close_sent
        assert closing is not None
        self.queue.put_nowait({"type": "websocket.disconnect", "code": closing.code, "reason": closing.reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = self._dropping = True
        self.stop_keepalive()
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self._close_when_quiet(self.loop.time() + self.close_timeout)

    def _close_when_quiet(self, deadline: float) -> None:
        # Not even half of the connection before: a proxy takes that for its end, and resets the client.
        now = self.loop.time()
        if now >= min(deadline, self._heard_at + _QUIET_S):
            self.transport.close()
        else:
            self.close_timer = self.loop.call_later(_QUIET_S, self._close_when_quiet, deadline)

    def keepalive_timeout(self) -> None:
        assert self.ping_timeout is not None
        lives = self.read_paused or self.loop.time() - self._heard_at < self.ping_timeout
        if lives and not self.close_sent and not self.transport.is_closing():
            self.pong_timer: asyncio.TimerHandle | None = self.loop.call_later(
                self.ping_timeout, self.keepalive_timeout
            )
            return
        super().keepalive_timeout()
