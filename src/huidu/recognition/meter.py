"""What one open socket has carried, and how much speech went by in it without a text."""

import time
from collections.abc import Callable

from starlette.types import Message

from huidu.core.sockets import SocketReport
from huidu.recognition.origin import Origin
from huidu.recognition.utterances import Passage, Pcm, speech_seconds

CLIENT, SERVICE = "client", "service"
VANISHED, RESTART = 1006, 1012
_NO_CODE = 1005
# With these the server's own protocol code closes: the peer broke the protocol, or sent text that is none or too much.
_BROKEN = (1002, 1007, 1009)


class Meter:
    """Counts one socket from its opening to its end. Made when the socket opens."""

    def __init__(self, origin: Origin, version: str, clock: Callable[[], float] = time.time) -> None:
        self._origin = origin
        self._version = version
        self._clock = clock
        self._opened_at = clock()
        self._opened = time.monotonic()
        self._number = 0
        self._frames_up = self._frames_down = 0
        self._bytes_up = self._bytes_down = 0
        self._first_message_ms: float | None = None
        self._closing: tuple[int, str] | None = None

    @property
    def is_closed(self) -> bool:
        return self._closing is not None

    def came(self, message: Message) -> None:
        """Counts a message from the server: a frame of the client's, or how the socket ended."""
        if message["type"] == "websocket.disconnect":
            self.closed(*_who_closed(message))
        elif message["type"] == "websocket.receive":
            audio = message.get("bytes")
            self._frames_up += 1
            self._bytes_up += len(message["text"].encode()) if audio is None else len(audio)

    def went(self, payload: bytes, has_text: bool) -> None:
        """Counts a message that was sent."""
        self._frames_down += 1
        self._bytes_down += len(payload)
        if has_text and self._first_message_ms is None:
            self._first_message_ms = (time.monotonic() - self._opened) * 1000

    def closed(self, code: int, by: str) -> None:
        """Who closed first is who closed: what follows answers that."""
        self._closing = self._closing or (code, by)

    def report(self, ended: bool, audio_seconds: float, mute_speech_seconds: float) -> SocketReport:
        """The next report. A socket that ended although nobody closed it was cut off by the service going down."""
        self._number += 1
        code, by = (self._closing or (RESTART, SERVICE)) if ended else (None, None)
        origin = self._origin
        return SocketReport(
            request_id=origin.request_id,
            number=self._number,
            ended=ended,
            time=self._clock(),
            opened_at=self._opened_at,
            version=self._version,
            release_id=origin.release_id,
            rule=origin.rule,
            unit=origin.unit,
            peer=origin.peer,
            share_bp=origin.share_bp,
            close_code=code,
            closed_by=by,
            first_message_ms=self._first_message_ms,
            frames_up=self._frames_up,
            frames_down=self._frames_down,
            bytes_up=self._bytes_up,
            bytes_down=self._bytes_down,
            audio_seconds=audio_seconds,
            mute_speech_seconds=mute_speech_seconds,
            unit_key_id=origin.key_id,
        )


def _who_closed(message: Message) -> tuple[int, str]:
    """The code of the server's last word on a socket, and who closed it.

    Only a close frame, of either side, comes with a reason, even an empty one. Without a reason the connection was
    lost, which the server calls 1005, or the server itself is going down, 1012. One that it gives up, because the
    client answers no ping any more, counts as lost: what it tells that client then (1011) is no fault of a version.
    """
    code = int(message.get("code", VANISHED))
    if message.get("reason") is None:
        return (RESTART, SERVICE) if code == RESTART else (VANISHED if code == _NO_CODE else code, CLIENT)
    return code, SERVICE if code in _BROKEN else CLIENT


class Silence:
    """How much speech has gone by in a stream without any text: the most of it so far is `largest_seconds`.

    Speech counts once the engine had it and heard nothing in it. What is not heard yet counts only where it can be
    told that the engine hangs, see `Service.is_late`: audio that waits its turn on a busy machine, or that comes
    faster than it is spoken, is nobody's silence. A text begins the count anew behind the audio that it was made of.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate_hz = sample_rate_hz
        self._told_to = 0
        self._finished_seconds = 0.0
        self.largest_seconds = 0.0

    def told(self, end_sample: int) -> None:
        """A text was sent, of the audio up to there."""
        self._told_to = end_sample
        self._finished_seconds = 0.0

    def nothing_in(self, passage: Passage, is_final: bool) -> None:
        """The engine heard nothing in a passage; if it is not final, a longer form of it will come."""
        seconds = self._finished_seconds + self._speech_seconds(passage)
        self.largest_seconds = max(self.largest_seconds, seconds)
        if is_final:
            self._finished_seconds = seconds

    def waits(self, passages: list[Passage], behind: Pcm) -> None:
        """These passages and what came behind them wait for an engine that hangs."""
        waiting = sum(self._speech_seconds(passage) for passage in passages) + speech_seconds(behind, self._rate_hz)
        self.largest_seconds = max(self.largest_seconds, self._finished_seconds + waiting)

    def _speech_seconds(self, passage: Passage) -> float:
        untold = passage.samples[max(0, self._told_to - passage.first_sample) :]
        return speech_seconds(untold, self._rate_hz)
