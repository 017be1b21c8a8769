"""The streaming client: audio in while it is spoken, text out at each pause, whatever happens to the connection.

It keeps the audio since the end of the last final result. When the connection ends before the stream does, it connects
again to the same address with the same cookies and sends that audio again. The service starts afresh at each final
result, so that nothing is lost and nothing comes twice, and all positions are those of the whole stream.
"""

import contextlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from types import TracebackType
from typing import TypeVar

from websockets.exceptions import ConnectionClosed, InvalidStatus, InvalidURI, WebSocketException
from websockets.sync.client import ClientConnection, connect

_MOVED = 4012
# Going away, nothing said, cut off, internal error, restarting, too much load: the stream can go on elsewhere.
_PASSING = frozenset({1001, 1005, 1006, 1011, 1012, 1013})
_PASSING_STATUSES = frozenset({408, 425, 429})
_SAMPLE_BYTES = 2
_MESSAGE_BYTES = 32_768
_OPEN_TIMEOUT_S = 10
_CLOSE_TIMEOUT_S = 2
# The answer to a ping lies behind the audio that the service has not taken yet: at most a window of it.
_PING_TIMEOUT_S = 60
_LONGEST_PAUSE_S = 5.0
# The service ends an utterance after 25 s at most.
_SHORTEST_WINDOW_S = 30
# Several rolls one after the other move a stream as often; more moves than this without a result between them are
# slowed down as failures are.
_MOVES_AT_ONCE = 3


class StreamError(Exception):
    """The stream cannot go on, or was used wrongly. One line: what happened, and what would be accepted."""


@dataclass(frozen=True, slots=True)
class Final:
    """What was said between two positions of the whole stream; it does not change any more.

    `version` is the version of the service that heard it. Everything before `end_sample` is done with.
    """

    text: str
    start_sample: int
    end_sample: int
    start_seconds: float
    end_seconds: float
    version: str


@dataclass(frozen=True, slots=True)
class Partial:
    """What the utterance that is being spoken sounds like so far. The next result replaces it."""

    text: str
    start_sample: int
    end_sample: int
    start_seconds: float
    end_seconds: float
    version: str


_Result = TypeVar("_Result", Final, Partial)


class _PassingError(Exception):
    """The connection ended, but another may go on. `moved`: because the service asked for it."""

    def __init__(self, text: str, moved: bool = False) -> None:
        super().__init__(text)
        self.moved = moved


@dataclass
class _State:
    """What a stream knows, for all its threads. Everything is guarded by `changed`, which is told of each change."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    audio: bytearray = field(default_factory=bytearray)  # what has no final result yet
    done_samples: int = 0  # where that begins in the whole stream
    finals: list[Final] = field(default_factory=list)
    partial: Partial | None = None
    partials: int = 0  # how many there were
    started: bool = False
    stopping: bool = False
    closed: bool = False
    ended: bool = False
    failure: StreamError | None = None
    version: str = ""
    connections: int = 0
    cookies: dict[str, str] = field(default_factory=dict)
    socket: ClientConnection | None = None


class Stream:
    """One stream of mono PCM16LE audio to `ws://HOST:PORT/ws/stream-transcribe`.

        with Stream("ws://127.0.0.1:8080/ws/stream-transcribe", sample_rate_hz=16_000) as stream:
            for pcm in microphone:
                stream.send(pcm)
            finals = stream.finish()

    Every method may be called from any thread; each raises `StreamError` once the stream has failed. `headers` and
    `cookies` go with each connection, together with the cookies that the server sets. `on_partial` is called with each
    `Partial`, in a thread of the stream. A connection that fails once the stream has begun is replaced, after a pause
    that doubles from `first_pause_s`; the stream fails when `tries` in a row brought no result. A move is no failure.
    At most `window_s` of audio are kept: `send` waits while so much has no final result yet.
    """

    def __init__(
        self,
        url: str,
        sample_rate_hz: int = 16_000,
        *,
        headers: Mapping[str, str] | None = None,
        cookies: Mapping[str, str] | None = None,
        language: str | None = None,
        hotwords: Sequence[str] = (),
        itn: bool | None = None,
        on_partial: Callable[[Partial], None] | None = None,
        tries: int = 6,
        first_pause_s: float = 0.2,
        window_s: float = 40.0,
    ) -> None:
        if not 8_000 <= sample_rate_hz <= 48_000:
            raise StreamError(f"{sample_rate_hz} samples a second are not accepted; accepted: 8000 to 48000")
        if window_s < _SHORTEST_WINDOW_S:
            raise StreamError(f"a window of {window_s:g} s holds no utterance; accepted: {_SHORTEST_WINDOW_S} or more")
        start = {"type": "start", "sample_rate_hz": sample_rate_hz, "language": language, "itn": itn}
        start["hotwords"] = list(hotwords)
        self._start = json.dumps({name: value for name, value in start.items() if value is not None})
        self._url = url
        self._rate_hz = sample_rate_hz
        given = headers or {}
        self._headers = {name: value for name, value in given.items() if name.lower() != "cookie"}
        self._on_partial = on_partial
        self._tries = tries
        self._first_pause_s = first_pause_s
        self._window_bytes = int(window_s * sample_rate_hz) * _SAMPLE_BYTES
        self._state = _State()
        self._state.cookies |= _cookies_of(value for name, value in given.items() if name.lower() == "cookie")
        self._state.cookies |= cookies or {}
        self._thread = threading.Thread(target=self._run, name="huidu-stream", daemon=True)

    def __enter__(self) -> "Stream":
        """Connects; raises `StreamError` when that fails."""
        self._thread.start()
        with self._state.changed:
            self._state.changed.wait_for(lambda: self._state.started or self._state.ended)
            failure = self._state.failure
        if failure is not None:
            raise failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def version(self) -> str:
        """The version of the service that hears the stream now."""
        with self._state.changed:
            return self._state.version

    @property
    def connections(self) -> int:
        """How many connections the stream has tried so far."""
        with self._state.changed:
            return self._state.connections

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that the next connection would send."""
        with self._state.changed:
            return dict(self._state.cookies)

    def send(self, pcm: bytes, timeout_s: float | None = None) -> None:
        """Takes audio of any length. Waits while the window is full, which is how a fast sender is slowed down."""
        state, left = self._state, memoryview(pcm).cast("B")
        with state.changed:
            while True:
                self._check()
                if state.stopping or state.closed:
                    raise StreamError("audio came after finish or close; accepted: a new Stream")
                room = self._window_bytes - len(state.audio)
                state.audio += left[:room]
                left = left[room:]
                state.changed.notify_all()
                if not left:
                    return
                if not state.changed.wait_for(self._may_send, timeout_s):
                    raise StreamError(f"no final result came within {timeout_s:g} s; accepted: more time")

    def finish(self, timeout_s: float | None = None) -> list[Final]:
        """Ends the stream: waits for the results of all that was sent, and gives every final one, in order."""
        state = self._state
        with state.changed:
            self._check()
            state.stopping = True
            state.changed.notify_all()
            if not state.changed.wait_for(lambda: state.ended, timeout_s):
                raise StreamError(f"the stream was not finished within {timeout_s:g} s; accepted: more time")
            self._check()
            return list(state.finals)

    def results(self) -> Iterator[Final | Partial]:
        """Every final result from the first on, and the newest partial one, as they come; ends with the stream."""
        state, finals, partials = self._state, 0, 0

        def news() -> bool:
            return len(state.finals) > finals or state.partials > partials or state.ended

        while True:
            with state.changed:
                state.changed.wait_for(news)
                result: Final | Partial | None = None
                if len(state.finals) > finals:
                    result = state.finals[finals]
                    finals += 1
                elif state.partials > partials:
                    partials, result = state.partials, state.partial
                else:
                    self._check()
                    return
            if result is not None:
                yield result

    def close(self) -> None:
        """Gives up what has no final result yet, and ends the connection. Changes nothing after `finish`."""
        with self._state.changed:
            self._state.closed = True
            socket = self._state.socket
            self._state.changed.notify_all()
        if socket is not None:
            socket.close()
        if self._thread.ident is not None and threading.current_thread() is not self._thread:
            self._thread.join()

    def _may_send(self) -> bool:
        state = self._state
        return state.ended or state.stopping or state.closed or len(state.audio) < self._window_bytes

    def _check(self) -> None:
        if self._state.failure is not None:
            raise self._state.failure
        if not self._state.started:
            raise StreamError("the stream is not open; accepted: use it inside `with Stream(...) as stream`")

    def _run(self) -> None:
        failure: StreamError | None = None
        try:
            self._keep_connected()
        except StreamError as error:
            failure = error
        except Exception as error:
            failure = StreamError(f"the stream failed: {_one_line(error)}")
            failure.__cause__ = error
        state = self._state
        with state.changed:
            if state.closed:
                failure = StreamError("the stream was closed before it was finished; accepted: a new Stream")
            state.failure = failure
            state.ended = True
            state.changed.notify_all()

    def _keep_connected(self) -> None:
        """Uses one connection after the other until the stream has ended."""
        state = self._state
        failures = moves = 0
        while not state.closed:
            before = state.done_samples, state.partials
            try:
                self._connect()
                return
            except _PassingError as error:
                if not state.started and not error.moved:
                    raise StreamError(f"no stream to {self._url}: {error}") from error
                if (state.done_samples, state.partials) != before:
                    failures = moves = 0
                failures, moves = (failures, moves + 1) if error.moved else (failures + 1, moves)
                if failures >= self._tries:
                    raise StreamError(
                        f"the stream was lost and {failures} connections in a row failed: {error}"
                    ) from error
            slowed = failures or moves - _MOVES_AT_ONCE
            pause_s = min(_LONGEST_PAUSE_S, self._first_pause_s * 2 ** min(slowed - 1, 10)) if slowed > 0 else 0
            with state.changed:
                state.changed.wait_for(lambda: state.closed, pause_s)

    def _connect(self) -> None:
        """Uses one connection until the stream has ended; raises `_PassingError` where another may go on."""
        state = self._state
        headers = dict(self._headers)
        if state.connections:
            # The history has one row for a request id: a second one with the same would replace the first.
            headers = {name: value for name, value in headers.items() if name.lower() != "x-request-id"}
        if state.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in state.cookies.items())
        with state.changed:
            state.connections += 1
        try:
            with connect(
                self._url,
                additional_headers=headers,
                compression=None,
                open_timeout=_OPEN_TIMEOUT_S,
                ping_timeout=_PING_TIMEOUT_S,
                close_timeout=_CLOSE_TIMEOUT_S,
            ) as socket:
                if socket.response is not None:
                    self._keep_cookies(socket.response.headers.get_all("set-cookie"))
                _Connection(state, socket, self._rate_hz, self._on_partial).use(self._start)
        except InvalidStatus as error:
            self._keep_cookies(error.response.headers.get_all("set-cookie"))
            status = error.response.status_code
            if status >= 500 or status in _PASSING_STATUSES:
                raise _PassingError(f"the server answered with status {status}") from error
            raise StreamError(
                f"{self._url} answered with status {status}; accepted: the address of a /ws/stream-transcribe"
            ) from error
        except InvalidURI as error:
            raise StreamError(f"'{self._url}' is no address; accepted: ws://HOST:PORT/ws/stream-transcribe") from error
        except (OSError, EOFError, WebSocketException) as error:
            raise _PassingError(_one_line(error)) from error

    def _keep_cookies(self, set_cookies: Sequence[str]) -> None:
        with self._state.changed:
            self._state.cookies |= _cookies_of(set_cookies)


class _Connection:
    """One connection of a stream: a thread of its own sends what waits, the caller's takes what comes."""

    def __init__(
        self,
        state: _State,
        socket: ClientConnection,
        rate_hz: int,
        on_partial: Callable[[Partial], None] | None,
    ) -> None:
        self._state = state
        self._socket = socket
        self._rate_hz = rate_hz
        self._on_partial = on_partial
        self._sender = threading.Thread(target=self._send_all, name="huidu-stream-send", daemon=True)
        self._base_samples = state.done_samples
        self._sent_bytes = state.done_samples * _SAMPLE_BYTES
        self._stop_sent = False
        self._over = False
        self._error = ""

    def use(self, start: str) -> None:
        """Returns when the stream has ended or is closed; raises `_PassingError` and `StreamError`."""
        with self._state.changed:
            self._state.socket = self._socket
            # Whoever closes the stream from now on closes this socket too.
            closed = self._state.closed
        try:
            if not closed:
                self._socket.send(start)
                while self._take(self._socket.recv(None if self._sender.ident else _OPEN_TIMEOUT_S)):
                    pass
        except TimeoutError:
            raise _PassingError(f"no answer to the start message within {_OPEN_TIMEOUT_S} s") from None
        except ConnectionClosed as error:
            self._explain(error)
        finally:
            with self._state.changed:
                self._over = True
                self._state.socket = None
                self._state.changed.notify_all()
            self._socket.close()
            if self._sender.ident:
                self._sender.join()

    def _send_all(self) -> None:
        try:
            while (message := self._next_message()) is not None:
                self._socket.send(message)
        except ConnectionClosed:
            pass  # whoever receives hears of it too, and explains it

    def _next_message(self) -> bytes | str | None:
        """Waits for something to send; None when the connection is over."""
        state = self._state

        def waiting() -> int:
            return state.done_samples * _SAMPLE_BYTES + len(state.audio) - self._sent_bytes

        with state.changed:
            state.changed.wait_for(lambda: self._over or waiting() or (state.stopping and not self._stop_sent))
            if self._over:
                return None
            if not waiting():
                self._stop_sent = True
                return json.dumps({"type": "stop"})
            begin = self._sent_bytes - state.done_samples * _SAMPLE_BYTES
            message = bytes(state.audio[begin : begin + _MESSAGE_BYTES])
            self._sent_bytes += len(message)
            return message

    def _take(self, message: bytes | str) -> bool:
        """Takes one message of the server; False when the stream has ended."""
        try:
            said = json.loads(message)
            kind = said["type"]
            if kind == "started":
                self._begin(str(said["version"]))
            elif kind == "final":
                self._take_final(self._rebased(Final, said))
            elif kind == "partial":
                self._take_partial(self._rebased(Partial, said))
            elif kind == "error":
                self._error = str(said["detail"])
        except (ValueError, TypeError, KeyError) as error:
            raise StreamError(f"{message[:80]!r} came, which is no message of a stream ({_one_line(error)})") from error
        return bool(kind != "done")

    def _begin(self, version: str) -> None:
        with self._state.changed:
            self._state.version = version
            self._state.started = True
            self._state.changed.notify_all()
        if not self._sender.ident:
            self._sender.start()

    def _rebased(self, kind: type[_Result], said: dict[str, object]) -> _Result:
        """A result with the positions of the whole stream."""
        start, end = (self._base_samples + int(str(said[name])) for name in ("start_sample", "end_sample"))
        if not self._state.done_samples <= start <= end <= self._sent_bytes // _SAMPLE_BYTES:
            raise ValueError("its samples were not sent, or have a final result already")
        times = (start / self._rate_hz, end / self._rate_hz)
        return kind(str(said["text"]), start, end, *times, self._state.version)

    def _take_final(self, final: Final) -> None:
        state = self._state
        with state.changed:
            del state.audio[: (final.end_sample - state.done_samples) * _SAMPLE_BYTES]
            state.done_samples = final.end_sample
            state.partial = None
            if final.text:
                state.finals.append(final)
            state.changed.notify_all()

    def _take_partial(self, partial: Partial) -> None:
        with self._state.changed:
            self._state.partial = partial
            self._state.partials += 1
            self._state.changed.notify_all()
        if self._on_partial is not None:
            try:
                self._on_partial(partial)
            except Exception as error:
                raise StreamError(f"on_partial raised {_one_line(error)}") from error

    def _explain(self, error: ConnectionClosed) -> None:
        """Raises what the end of the connection means; returns where the stream itself was closed."""
        code, reason = (error.rcvd.code, error.rcvd.reason) if error.rcvd else (1006, "")
        if self._state.closed:
            return
        if code == _MOVED:
            raise _PassingError("the service asked the stream to move", moved=True)
        said = self._error or reason or f"the connection ended with code {code}"
        if code in _PASSING:
            raise _PassingError(said) from error
        raise StreamError(said) from error


def _cookies_of(headers: Iterable[str]) -> dict[str, str]:
    """The cookies in `Cookie` or `Set-Cookie` headers, as they are to be sent; what is malformed is left out."""
    found: dict[str, str] = {}
    for header in headers:
        with contextlib.suppress(CookieError):
            found |= {name: morsel.coded_value for name, morsel in SimpleCookie(header).items()}
    return found


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
