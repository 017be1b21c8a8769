"""Streams: a WebSocket takes audio while it is spoken, and gives text at each pause.

One task reads the socket all the time and puts what came into a bounded inbox; another takes it out, finds the
utterances and has them recognised by the service, one at a time. While the inbox is full the socket is not read, which
slows a client down that sends faster than is recognised. A stream that is to move ends at its next boundary
with a close code of its own: what was said before has been answered, and the client sends the rest to whoever takes
its next connection. Because nothing is carried over a boundary, that gives the same text.

Each socket of a user is reported at its end, and now and then while it is open.
"""

import asyncio
import contextlib
import hashlib
import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np
import orjson
from fastapi import APIRouter
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect

from huidu.core.errors import HuiduError, InvalidError, UnavailableError
from huidu.core.fairness import Holding, admits, giving_way, nearly_full
from huidu.core.sockets import SocketReport
from huidu.ports import Audio, Recognition
from huidu.recognition.border import error_response
from huidu.recognition.crowd import client_address
from huidu.recognition.meter import CLIENT, SERVICE, VANISHED, Meter, Silence
from huidu.recognition.pace import Pace
from huidu.recognition.pieces import join
from huidu.recognition.recorder import Kept
from huidu.recognition.schemas import Move, OpenStreams, StreamStart, read_form
from huidu.recognition.transcribe import Heard, Service, Turn
from huidu.recognition.utterances import Passage, Utterances

_log = logging.getLogger(__name__)

PATH = "/ws/stream-transcribe"
MOVED = 4012
MOVED_REASON = "moved: connect again"
_SAMPLE_BYTES = 2
_FULL_SCALE = np.float32(32768)
# A partial result is made of at least so much new audio, and of several times what the last one took to make: the
# final result, which waits for it, must not come much later because of it.
_PARTIAL_S = 1.0
_PARTIAL_COST = 4
# Between two pieces of this length the event loop sees to the other streams.
_PIECE_S = 1
# Live audio brings at least four times as much.
_LEAST_BYTES_PER_SECOND = 4_000
# How long the server may take to say how a socket ended on which nothing can be sent any more.
_LAST_WORD_S = 1.0


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """At most `max_streams` are open; `queue_seconds` of audio may wait in each, and for `stall_seconds` untouched.

    The start message comes within `start_seconds`, and then something at least every `idle_seconds`. A stream that is
    to move does so within `move_seconds`, even when its audio has stopped coming in the middle of a word. An open
    stream is reported every `report_seconds`. When nearly all are open, one address opens no more than half of them,
    and of an address that has more those end that brought next to nothing for `rest_seconds`.
    """

    max_streams: int = 64
    queue_seconds: float = 60
    stall_seconds: float = 60
    start_seconds: float = 10
    idle_seconds: float = 120
    move_seconds: float = 30
    report_seconds: float = 10
    rest_seconds: float = 10


class OverloadError(UnavailableError):
    """More comes than can be done."""


@dataclass(frozen=True, slots=True)
class _Failure:
    family: str
    close_code: int


# How each family of errors is told; looked up along the class hierarchy.
_FAILURES: dict[type[HuiduError], _Failure] = {
    InvalidError: _Failure("invalid", 1008),
    OverloadError: _Failure("unavailable", 1013),
    UnavailableError: _Failure("unavailable", 1011),
}
_INTERNAL = _Failure("internal", 1011)


class Streams:
    """The open streams of an instance. `report` takes what is to be told of them; it returns at once."""

    def __init__(
        self,
        service: Service,
        version: str,
        limits: StreamLimits,
        report: Callable[[SocketReport], None] = lambda _: None,
    ) -> None:
        self._service = service
        self._version = version
        self._limits = limits
        self._report = report
        self._open: set[_Stream] = set()

    @property
    def count(self) -> int:
        return len(self._open)

    def move(self) -> int:
        """Asks every stream that is open now to move at its next boundary; how many these are."""
        for stream in self._open:
            stream.move()
        return len(self._open)

    def look(self) -> None:
        """Ends streams that rest while others may want in; to be called about once a second."""
        if not nearly_full(len(self._open), self._limits.max_streams):
            return
        streams = list(self._open)
        rest_seconds = self._limits.rest_seconds
        holdings = [Holding(stream.address, stream.resting_seconds(rest_seconds)) for stream in streams]
        for place in giving_way(holdings, self._limits.max_streams, rest_seconds):
            streams[place].end_resting()

    def _find_room(self, address: str) -> None:
        most, taken = self._limits.max_streams, len(self._open)
        if taken >= most:
            raise OverloadError(f"no more than {most} streams are accepted at a time; come again in a second")
        held = sum(stream.address == address for stream in self._open)
        if not admits(held, taken, most):
            raise OverloadError(
                f"{held} of at most {most} streams are this address's own, and few are left for others; "
                "come again in a second"
            )

    async def serve(self, socket: WebSocket) -> None:
        """Serves one stream to its end.

        What cannot be taken is refused before the socket opens, with status 503: then a gateway can still ask
        another instance.
        """
        try:
            self._service.admit()
            self._find_room(client_address(socket.scope))
        except UnavailableError as error:
            await socket.send_denial_response(error_response(PATH, 503, str(error)))
            return
        stream = _Stream(socket, self._service, self._version, self._limits, self._report)
        self._open.add(stream)
        try:
            await stream.serve()
        except WebSocketDisconnect:
            pass  # nobody is left to be told anything
        finally:
            self._open.discard(stream)


def stream_routes(streams: Streams) -> APIRouter:
    routes = APIRouter()

    @routes.websocket(PATH)
    async def stream_transcribe(socket: WebSocket) -> None:
        await streams.serve(socket)

    @routes.get("/api/v1/drain", tags=["operation"])
    async def open_streams() -> OpenStreams:
        """How many streams are open."""
        return OpenStreams(streams=streams.count)

    @routes.post("/api/v1/drain", tags=["operation"])
    async def drain(_: Move) -> OpenStreams:
        """Moves every open stream away at its next pause; how many were asked to. Later ones are not affected."""
        return OpenStreams(streams=streams.move())

    return routes


class _Inbox:
    """What came over the socket and was not worked on yet. `news` is set with every change."""

    def __init__(self, limits: StreamLimits) -> None:
        self._limits = limits
        self._max_bytes = 0
        self.news = asyncio.Event()
        self._taken = asyncio.Event()
        self.start: StreamStart | None = None
        self.audio = bytearray()
        self.audio_bytes = 0  # of all audio that was taken so far
        self.stopped = False

    async def fill(self, receive: Callable[[], Awaitable[Message]]) -> NoReturn:
        """Reads the socket. Raises `WebSocketDisconnect` when it closes, and the error of anything wrong that comes."""
        while True:
            await self._room()
            try:
                async with asyncio.timeout(self._patience_s()):
                    message = await receive()
            except TimeoutError:
                wanted = "audio, or stop" if self.start else "a start message"
                raise InvalidError(
                    f"nothing came for {self._patience_s():g} s; accepted: {wanted} within that"
                ) from None
            self._take(message)
            self.news.set()

    def take_audio(self, max_bytes: int) -> bytes:
        """The first whole samples that wait."""
        whole = min(len(self.audio) // _SAMPLE_BYTES * _SAMPLE_BYTES, max_bytes)
        taken = bytes(self.audio[:whole])
        del self.audio[:whole]
        self._taken.set()
        return taken

    @property
    def has_samples(self) -> bool:
        return len(self.audio) >= _SAMPLE_BYTES

    async def _room(self) -> None:
        """Waits while the inbox is full. Nothing is read meanwhile, so that the client has to wait, too."""
        while self.start is not None and len(self.audio) >= self._max_bytes:
            self._taken.clear()
            try:
                async with asyncio.timeout(self._limits.stall_seconds):
                    await self._taken.wait()
            except TimeoutError:
                raise OverloadError(
                    f"{self._limits.queue_seconds:g} s of audio wait, and nothing was recognised of them for "
                    f"{self._limits.stall_seconds:g} s; come again later"
                ) from None

    def _patience_s(self) -> float | None:
        if self.stopped:
            return None
        return self._limits.idle_seconds if self.start else self._limits.start_seconds

    def _take(self, message: Message) -> None:
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1006))
        if (audio := message.get("bytes")) is not None:
            self._take_audio(audio)
        else:
            self._take_text(message["text"])

    def _take_audio(self, audio: bytes) -> None:
        if self.start is None:
            raise InvalidError('audio came before the start message; accepted first: {"type": "start", ...}')
        if self.stopped:
            raise InvalidError("audio came after stop; accepted: a new connection")
        self.audio += audio
        self.audio_bytes += len(audio)

    def _take_text(self, text: str) -> None:
        try:
            said = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise InvalidError(
                f"a text message is not JSON ({error}); accepted: start and stop as JSON, audio as binary"
            ) from error
        kind = said.get("type") if isinstance(said, dict) else None
        if kind == "start" and self.start is None:
            self.start = read_form(StreamStart, said)
            self._max_bytes = int(self._limits.queue_seconds * self.start.sample_rate_hz) * _SAMPLE_BYTES
        elif kind == "stop" and self.start is not None and not self.stopped:
            self.stopped = True
        else:
            accepted = "start" if self.start is None else "nothing more" if self.stopped else "audio and stop"
            raise InvalidError(f"a message of type {str(kind)[:40]!r} is not accepted now; accepted: {accepted}")


class _Stream:
    """One open stream."""

    def __init__(
        self,
        socket: WebSocket,
        service: Service,
        version: str,
        limits: StreamLimits,
        report: Callable[[SocketReport], None],
    ) -> None:
        self._socket = socket
        self._service = service
        self._version = version
        self._limits = limits
        self._origin = socket.scope["huidu.origin"]
        self._inbox = _Inbox(limits)
        self._move_by: float | None = None
        self._work: _Work | None = None
        self._report = report
        self._meter = Meter(self._origin, version)
        self._silence: Silence | None = None
        self.address = client_address(socket.scope)
        self._pace = Pace(limits.rest_seconds)
        self._waiting_since: float | None = None
        self._rest: asyncio.Timeout | None = None

    def resting_seconds(self, window_seconds: float) -> float:
        """For how long has been waited for a client that brings next to nothing; 0 while there is work to do."""
        if self._waiting_since is None or self._inbox.stopped or self._inbox.has_samples:
            return 0.0
        waiting_seconds = asyncio.get_running_loop().time() - self._waiting_since
        return self._pace.slow_for(window_seconds, _LEAST_BYTES_PER_SECOND, waiting_seconds)

    def end_resting(self) -> None:
        """Ends it where it is waited for."""
        if self._rest is not None:
            self._rest.reschedule(asyncio.get_running_loop().time())

    def move(self) -> None:
        if self._move_by is None:
            self._move_by = asyncio.get_running_loop().time() + self._limits.move_seconds
            self._inbox.news.set()

    async def serve(self) -> None:
        await self._socket.accept()
        self._meter = Meter(self._origin, self._version)
        reporting = asyncio.create_task(self._report_while_open())
        try:
            code, reason = await self._answer()
            self._meter.closed(code, SERVICE)
        except WebSocketDisconnect:
            await self._learn_who_closed()
            raise
        finally:
            reporting.cancel()
            self._tell(ended=True)
        with contextlib.suppress(RuntimeError):  # closed already, see `_send`
            await self._socket.close(code, reason)

    async def _answer(self) -> tuple[int, str]:
        """Answers until the stream ends, and records it; how to close the socket."""
        try:
            moved = await self._converse_while_reading()
            kept = await self._record(None)
        except WebSocketDisconnect:
            await self._record(None)
            raise
        except HuiduError as error:
            return await self._fail(error)
        except Exception as error:
            error_id = uuid.uuid4().hex
            _log.exception("internal error %s in stream %s", error_id, self._origin.request_id)
            return await self._fail(error, f"an internal error; the log knows it as {error_id}")
        if moved:
            return MOVED, MOVED_REASON
        await self._send({"type": "done", "recorded": kept})
        return 1000, ""

    async def _fail(self, error: Exception, detail: str | None = None) -> tuple[int, str]:
        failure = next((_FAILURES[kind] for kind in type(error).__mro__ if kind in _FAILURES), _INTERNAL)
        detail = detail or " ".join(str(error).split())
        await self._record(detail)
        await self._send({"type": "error", "error": failure.family, "detail": detail})
        return failure.close_code, ""

    async def _converse_while_reading(self) -> bool:
        """As `_converse`, until something wrong comes, which ends it at once."""
        tasks = asyncio.create_task(self._converse()), asyncio.create_task(self._inbox.fill(self._receive))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return next(task for task in tasks if task in done).result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _converse(self) -> bool:
        """Works on what comes until it ends; whether the stream is to move."""
        while True:
            self._inbox.news.clear()
            if self._must_move():
                return True
            if self._work is None:
                if self._inbox.start is None:
                    await self._news()
                else:
                    await self._begin(self._inbox.start)
            elif self._inbox.has_samples:
                self._work.feed(self._inbox.take_audio(self._work.piece_bytes))
                while await self._work.finish_next():
                    if self._is_moving:
                        return True
                # The reader and other streams have their turn, however much waits here.
                await asyncio.sleep(0)
            elif self._inbox.stopped:
                await self._work.end()
                return False
            elif self._work.wants_partial():
                await self._work.partial()
            else:
                await self._news()

    @property
    def _is_moving(self) -> bool:
        # After stop the little that is left is done here.
        return self._move_by is not None and not self._inbox.stopped

    def _must_move(self) -> bool:
        """Whether this is the moment to move: nothing is pending, or it has been for too long."""
        if not self._is_moving:
            return False
        assert self._move_by is not None
        late = asyncio.get_running_loop().time() >= self._move_by
        return late or self._work is None or not self._work.in_speech

    async def _news(self) -> None:
        """Waits until something has changed, or until the stream must move."""
        try:
            async with asyncio.timeout_at(self._move_by):
                await self._inbox.news.wait()
        except TimeoutError:
            pass

    async def _begin(self, start: StreamStart) -> None:
        row = self._service.blank(self._origin, "stream")
        hotwords = tuple(word for line in start.hotwords.splitlines() if (word := line.strip()))
        row = replace(row, language=start.language, hotwords="\n".join(hotwords) or None)
        self._silence = Silence(start.sample_rate_hz)
        self._work = _Work(self._service, start.sample_rate_hz, hotwords, row, self._send, self._silence, self._inbox)
        await self._send({"type": "started", "version": self._version, "request_id": self._origin.request_id})

    async def _record(self, error: str | None) -> Kept | None:
        """Records the row of this stream, once, and says how; a stream that never began has none."""
        work, self._work = self._work, None
        if work is None:
            return None
        work.look_for_silence()
        return (await self._service.record(work.row(error))).kept

    async def _send(self, message: dict[str, Any]) -> None:
        payload = orjson.dumps(message)
        try:
            await self._socket.send_text(payload.decode())
        except RuntimeError as error:
            # The server's word for a socket that it has closed itself, as after a message over its limit.
            raise WebSocketDisconnect from error
        self._meter.went(payload, has_text=bool(message.get("text", "").strip()))

    async def _receive(self) -> Message:
        loop = asyncio.get_running_loop()
        started = self._waiting_since = loop.time()
        try:
            async with asyncio.timeout(None) as self._rest:
                message = await self._socket.receive()
        except TimeoutError:
            raise InvalidError(
                f"next to no audio came for {self._limits.rest_seconds:g} s, and others want a stream; "
                "accepted: audio as it is spoken, or stop"
            ) from None
        finally:
            self._waiting_since = self._rest = None
        audio = message.get("bytes")
        self._pace.came(len(audio) if audio is not None else 0, loop.time() - started)
        self._meter.came(message)
        return message

    async def _learn_who_closed(self) -> None:
        """Reads on to the server's last word on this socket, where it was in sending that it proved to be closed."""
        with contextlib.suppress(TimeoutError, RuntimeError):
            async with asyncio.timeout(_LAST_WORD_S):
                while not self._meter.is_closed:
                    await self._receive()
        self._meter.closed(VANISHED, CLIENT)

    async def _report_while_open(self) -> None:
        while True:
            await asyncio.sleep(self._limits.report_seconds)
            self._tell(ended=False)

    def _tell(self, ended: bool) -> None:
        """Reports this socket as it stands; the golden set and probes are nobody's."""
        if self._origin.purpose != "live":
            return
        audio_seconds = mute_seconds = 0.0
        if self._silence is not None and self._inbox.start is not None:
            if self._work is not None:
                self._work.look_for_silence()
            audio_seconds = self._inbox.audio_bytes // _SAMPLE_BYTES / self._inbox.start.sample_rate_hz
            mute_seconds = self._silence.largest_seconds
        self._report(self._meter.report(ended, audio_seconds, mute_seconds))


class _Work:
    """The recognition of one stream: passages in, messages out, and the row that is left of it."""

    def __init__(
        self,
        service: Service,
        sample_rate_hz: int,
        hotwords: tuple[str, ...],
        row: Recognition,
        send: Callable[[dict[str, Any]], Awaitable[None]],
        silence: Silence,
        inbox: _Inbox,
    ) -> None:
        self._service = service
        self._rate_hz = sample_rate_hz
        self._hotwords = hotwords
        self._row = row
        self._send = send
        self._silence = silence
        self._inbox = inbox
        # What the engine has been asked for now, and the passage of it where that is behind the last boundary no more.
        self._turn: Turn | None = None
        self._cut: Passage | None = None
        self._utterances = Utterances(sample_rate_hz)
        self._texts: list[str] = []
        self._decode_ms = 0.0
        self._done_samples = 0
        self._digest = hashlib.sha256()
        self._next_partial_sample = 0
        self._last_partial = ""

    @property
    def in_speech(self) -> bool:
        """Whether something was said that no final result holds yet."""
        return self._utterances.in_speech

    @property
    def piece_bytes(self) -> int:
        return _PIECE_S * self._rate_hz * _SAMPLE_BYTES

    def feed(self, audio: bytes) -> None:
        self._utterances.feed(np.frombuffer(audio, "<i2"))

    async def finish_next(self) -> bool:
        """Answers the next passage in what was fed; False when its boundary is not there yet."""
        passage = self._utterances.next()
        if passage is not None:
            await self._finish(passage)
        return passage is not None

    async def end(self) -> None:
        """Finishes what is left. An odd last byte is half a sample, and no audio."""
        await self._finish(self._utterances.rest())

    def wants_partial(self) -> bool:
        pending = self._utterances.pending()
        due = max(self._next_partial_sample, pending.start_sample + int(_PARTIAL_S * self._rate_hz))
        return pending.speech_from is not None and pending.end_sample >= due and self._service.idle

    async def partial(self) -> None:
        """Sends what the utterance sounds like so far, where that has changed."""
        pending = self._utterances.pending()
        heard = await self._hear(pending, is_final=False)
        pause_s = max(_PARTIAL_S, _PARTIAL_COST * heard.decode_ms / 1000)
        self._next_partial_sample = pending.end_sample + int(pause_s * self._rate_hz)
        if heard.text and heard.text != self._last_partial:
            self._last_partial = heard.text
            await self._send({"type": "partial", "text": heard.text, **self._place(pending)})

    def row(self, error: str | None) -> Recognition:
        """The row as it stands: of the audio that final results were sent for."""
        return replace(
            self._row,
            raw_text=join(self._texts),
            audio_seconds=self._done_samples / self._rate_hz,
            decode_ms=self._decode_ms,
            audio_sha256=self._digest.hexdigest(),
            answered=self._row.purpose == "live" and (error is None or any(self._texts)),
            status="done" if error is None else "error",
            error=error and error[:500],
        )

    async def _finish(self, passage: Passage) -> None:
        """Sends the final result of a passage; an empty one where nothing is said in it, without recognising it."""
        text = ""
        if passage.speech_from is not None:
            heard = await self._hear(passage, is_final=True)
            text = heard.text
            self._decode_ms += heard.decode_ms
        elif not len(passage.samples):
            return
        await self._send({"type": "final", "text": text, **self._place(passage)})
        self._texts.append(text)
        self._done_samples = passage.end_sample
        self._digest.update(passage.samples.astype("<i2").tobytes())
        self._last_partial = ""

    def look_for_silence(self) -> None:
        """Counts the speech that waits for an engine that hangs, if it does."""
        if self._service.is_late(self._turn):
            passages = [self._utterances.pending()] if self._cut is None else [self._cut, self._utterances.pending()]
            waiting = self._inbox.audio
            behind = np.frombuffer(bytes(waiting[: len(waiting) // _SAMPLE_BYTES * _SAMPLE_BYTES]), "<i2")
            self._silence.waits(passages, behind)

    async def _hear(self, passage: Passage, is_final: bool) -> Heard:
        audio = Audio(passage.speech.astype(np.float32) / _FULL_SCALE, self._rate_hz)
        self._turn, self._cut = Turn(audio.seconds), passage if is_final else None
        try:
            heard = await self._service.hear(audio, self._hotwords, self._turn)
        finally:
            self.look_for_silence()
            self._turn = self._cut = None
        if heard.text.strip():
            self._silence.told(passage.end_sample)
        else:
            self._silence.nothing_in(passage, is_final)
        return heard

    def _place(self, passage: Passage) -> dict[str, float]:
        return {
            "start_sample": passage.start_sample,
            "end_sample": passage.end_sample,
            "start_seconds": passage.start_sample / self._rate_hz,
            "end_seconds": passage.end_sample / self._rate_hz,
        }
