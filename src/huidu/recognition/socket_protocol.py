"""How an instance's server speaks WebSocket: as uvicorn does, with more patience."""

import asyncio
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

_QUIET_S = 0.5


class PatientProtocol(WebSocketsSansIOProtocol):
    """Two things go wrong in uvicorn's own with clients that send more than can be taken.

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

    def data_received(self, data: bytes) -> None:
        self._heard_at = self.loop.time()
        if not self._dropping:
            super().data_received(data)

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
