"""The use case: audio in, text out, and the row in the history before the answer leaves."""

import asyncio
import hashlib
import logging
import threading
import time
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, BinaryIO

from huidu.core.errors import HuiduError, UnavailableError
from huidu.ports import Audio, AudioReader, Engine, History, Recognition, Spools
from huidu.recognition.metrics import Metrics
from huidu.recognition.origin import Origin
from huidu.recognition.pieces import PIECE_S, Piece, join, pieces
from huidu.recognition.recorder import Recorded, Recorder, Submitted
from huidu.recognition.warm import clips

_log = logging.getLogger(__name__)
# Of each file that lasts longer than a piece some seconds are in memory: no more of them are worked on at a time.
_LONG_FILES = 32
# What needs no engine gives the turn away after about so long.
_TURN_S = 0.2
_EARLY = "before its turn"
_BLOCK_BYTES, _BLOCKS_A_TURN = 1 << 20, 64


class _Next(Enum):
    """What the recognition of a file needs to go on: just another turn, or to be one of the long files, too."""

    TURN = auto()
    LONG_FILE = auto()


_Work = Generator["_Next | Submitted", None, None]


@dataclass(frozen=True, slots=True)
class Limits:
    """`workers` recognitions at a time, `queue_limit` more that wait; an upload has at most `max_upload_bytes`.

    The engine is late with an audio when it has had it for the audio's own length and `patience_seconds` more.
    """

    workers: int = 1
    queue_limit: int = 64
    max_upload_bytes: int = 2_000_000_000
    patience_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class InstanceInfo:
    """What an instance serves. `model` is a path, `huidu` Huidu's own version."""

    version: str
    fingerprint: str
    engine: str
    device: str
    model: str
    huidu: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One upload and how to recognise it. `file` is read from its start, in another thread."""

    file: BinaryIO
    filename: str
    language: str | None = None
    hotwords: tuple[str, ...] = ()
    options: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What the engine heard in one audio, and how long that took."""

    text: str
    decode_ms: float


@dataclass(slots=True, eq=False)
class Turn:
    """An audio on its way through the engine. `began` is monotonic; None while others have their turn."""

    audio_seconds: float
    began: float | None = None


class GoneError(HuiduError):
    """The client went away before all was recognised: nobody waits for the answer."""


class Service:
    """Recognises with one engine, which it loads in the background once started.

    `load` makes the engine. When that or warming up fails, `on_failure` is told and the service never gets ready.
    `hotwords` are those of the version; a request's own come after them.
    """

    def __init__(
        self,
        load: Callable[[], Engine],
        reader: AudioReader,
        history: History,
        info: InstanceInfo,
        limits: Limits,
        hotwords: tuple[str, ...] = (),
        on_failure: Callable[[HuiduError], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
        spools: Spools | None = None,
    ) -> None:
        self._load = load
        self._reader = reader
        self.recorder = Recorder(history, spools)
        self._info = info
        self._limits = limits
        self._hotwords = hotwords
        self._on_failure = on_failure
        self._clock = clock
        self._engine: Engine | None = None
        self._failure: HuiduError | None = None
        self._pool = ThreadPoolExecutor(limits.workers, thread_name_prefix="decode")
        self._depth = 0
        self._running: set[Turn] = set()
        self._lock = threading.Lock()
        self._long_files = asyncio.Semaphore(_LONG_FILES)
        self.metrics = Metrics(info.version, lambda: self._depth, self.recorder.state)

    def start(self) -> Future[None]:
        """Begins to load and to warm up; the future ends when that is done or has failed, and never raises."""
        self.recorder.start()
        return self._pool.submit(self._prepare)

    def stop(self) -> None:
        """Takes no more work; what is being decoded ends."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    @property
    def failure(self) -> HuiduError | None:
        """Why the model could not be loaded; None while nothing is known to be wrong."""
        return self._failure

    def require_ready(self) -> None:
        """Raises `UnavailableError` until loaded and warmed up."""
        if self._failure is not None:
            raise UnavailableError(f"version {self._info.version} could not be loaded; its instance's log says why")
        if self._engine is None:
            raise UnavailableError(f"version {self._info.version} is loading; come again when /readyz says so")

    def admit(self) -> None:
        """Raises `UnavailableError` when a request that came now could not be taken."""
        self.require_ready()
        if self._depth >= self._limits.workers + self._limits.queue_limit:
            raise UnavailableError(f"the queue is full ({self._limits.queue_limit} wait); come again in a second")

    @property
    def idle(self) -> bool:
        """Whether a recognition that came now would begin at once."""
        return self._depth < self._limits.workers

    async def transcribe(self, asked: Asked, origin: Origin, gone: threading.Event) -> Recorded:
        """The recognition, recorded. Once `gone` is set nobody waits for it any more: it ends with the present piece.

        A long file is recognised piece by piece, and goes to the end of the queue after each.
        Raises `InvalidError` for audio that is none, `UnavailableError` when it cannot be done now, `GoneError`.
        """
        self.admit()
        work = self._recognise(asked, origin, self._clock(), gone)
        with self._counted():
            async with AsyncExitStack() as held:
                while True:
                    reached = await asyncio.wrap_future(self._pool.submit(next, work))
                    if isinstance(reached, Submitted):
                        return await self.recorder.recorded(reached)
                    if reached is _Next.LONG_FILE:
                        await held.enter_async_context(self._long_files)

    def is_late(self, turn: Turn | None) -> bool:
        """Whether the engine hangs for whoever has this turn, or has none yet.

        It does when it is late with his audio. Who waits behind others has no claim yet, unless the engine is late
        with everything that it was given: then no turn will ever come.
        """
        now = time.monotonic()
        with self._lock:
            running = list(self._running)
        if turn is not None and self._is_late(turn, now):
            return True
        return len(running) >= self._limits.workers and all(self._is_late(each, now) for each in running)

    async def hear(self, audio: Audio, hotwords: tuple[str, ...], turn: Turn) -> Heard:
        """What is said in a piece of a stream; nothing is recorded. It waits its turn and is never refused.

        The caller was admitted when its stream began, and asks for one piece at a time. Cancelled while it waits, it
        is not begun. Raises `UnavailableError` when it cannot be done now.
        """
        self.require_ready()
        with self._counted():
            return await asyncio.wrap_future(self._pool.submit(self._hear, audio, hotwords, turn))

    def blank(self, origin: Origin, filename: str) -> Recognition:
        """The row of a recognition that begins now, with nothing heard yet."""
        return self._row(origin, self._clock(), filename, hashlib.sha256().hexdigest())

    async def record(self, row: Recognition) -> Recorded:
        """Records the row of a stream."""
        return await self.recorder.recorded(self.recorder.submit(row))

    def _is_late(self, turn: Turn, now: float) -> bool:
        return turn.began is not None and now - turn.began > turn.audio_seconds + self._limits.patience_seconds

    @contextmanager
    def _its_turn(self, turn: Turn) -> Iterator[None]:
        turn.began = time.monotonic()
        with self._lock:
            self._running.add(turn)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(turn)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            self._depth += 1
        try:
            yield
        finally:
            with self._lock:
                self._depth -= 1

    def _prepare(self) -> None:
        try:
            engine = self._load()
            for clip in clips():
                origin = Origin(request_id=f"warming-{uuid.uuid4().hex}", purpose="warming")
                row = self._row(origin, self._clock(), "warming", hashlib.sha256(clip.samples.tobytes()).hexdigest())
                list(self._decode(engine, [Piece(clip, clip.seconds)], row, self._hotwords, threading.Event()))
            self._engine = engine
            self.metrics.ready.set(1)
        except Exception as error:
            if not isinstance(error, HuiduError):
                _log.exception("loading version %s failed", self._info.version)
                error = UnavailableError(f"{type(error).__name__}: {error}")
            self._failure = error
            self._on_failure(error)

    def _recognise(self, asked: Asked, origin: Origin, created: float, gone: threading.Event) -> _Work:
        """Does one turn's work with each step, and gives the row on its way to the history with the last."""
        assert self._engine is not None
        digest = hashlib.sha256()
        asked.file.seek(0)
        for number, block in enumerate(iter(lambda: asked.file.read(_BLOCK_BYTES), b""), start=1):
            digest.update(block)
            if number % _BLOCKS_A_TURN == 0:
                yield _Next.TURN
        row = self._row(origin, created, asked.filename, digest.hexdigest())
        row = replace(
            row, language=asked.language, hotwords="\n".join(asked.hotwords) or None, options=asked.options or None
        )
        if gone.is_set():
            raise self._left(row, _EARLY)
        with self._reader.open(asked.file, asked.filename) as source:
            if source.seconds is None or source.seconds > PIECE_S:
                yield _Next.LONG_FILE
            yield from self._decode(self._engine, pieces(source), row, (*self._hotwords, *asked.hotwords), gone)

    def _hear(self, audio: Audio, hotwords: tuple[str, ...], turn: Turn) -> Heard:
        assert self._engine is not None
        started = time.perf_counter()
        try:
            with self._its_turn(turn):
                text = self._engine.transcribe(audio, (*self._hotwords, *hotwords))
        except Exception as error:
            self.metrics.failed(type(error).__name__)
            raise
        took_s = time.perf_counter() - started
        self.metrics.decoded(audio.seconds, took_s)
        return Heard(text, took_s * 1000)

    def _decode(
        self, engine: Engine, parts: Iterable[Piece], row: Recognition, hotwords: tuple[str, ...], gone: threading.Event
    ) -> _Work:
        """Recognises pieces, one a turn, and hands the row over in the last turn."""
        texts: list[str] = []
        took_s = 0.0
        turn_began, has_heard = time.perf_counter(), False
        for piece in parts:
            if has_heard or time.perf_counter() - turn_began > _TURN_S:
                yield _Next.TURN
                turn_began, has_heard = time.perf_counter(), False
            if gone.is_set():
                raise self._left(row, f"after {row.audio_seconds:.0f} s of its audio" if row.audio_seconds else _EARLY)
            row = replace(row, audio_seconds=piece.end_seconds)
            if piece.audio is None:
                continue
            started = time.perf_counter()
            try:
                with self._its_turn(Turn(piece.audio.seconds)):
                    texts.append(engine.transcribe(piece.audio, hotwords))
            except Exception as error:
                took_s += time.perf_counter() - started
                self._record_failure(replace(row, decode_ms=took_s * 1000), error)
                raise
            took_s += time.perf_counter() - started
            has_heard = True
        self.metrics.decoded(row.audio_seconds, took_s)
        answered = row.purpose == "live" and not gone.is_set()
        text = texts[0] if len(texts) == 1 else join(texts)
        done = replace(row, raw_text=text, decode_ms=took_s * 1000, answered=answered, status="done")
        # Whoever waits for the answer waits for this, and not the thread that could decode the next audio.
        yield self.recorder.submit(done)

    def _left(self, row: Recognition, when: str) -> GoneError:
        """The error of a client that does not wait any more, recorded."""
        error = GoneError(f"the client went away {when}")
        self._record_failure(row, error)
        return error

    def _record_failure(self, row: Recognition, error: Exception) -> None:
        self.metrics.failed(type(error).__name__)
        # The error itself is what the caller must hear of, however this is kept.
        self.recorder.record(replace(row, error=" ".join(str(error).split())[:500] or type(error).__name__))

    def _row(self, origin: Origin, created: float, filename: str, digest: str) -> Recognition:
        """A row as it stands before anything is recognised."""
        return Recognition(
            created_time=created,
            filename=filename,
            raw_text="",
            version=self._info.version,
            fingerprint=self._info.fingerprint,
            request_id=origin.request_id,
            attempt=origin.attempt,
            answered=False,
            purpose=origin.purpose,
            engine=self._info.engine,
            device=self._info.device,
            audio_seconds=0.0,
            decode_ms=0.0,
            audio_sha256=digest,
            release_id=origin.release_id,
            rule=origin.rule,
            unit=origin.unit,
            user_key=origin.unit,
            unit_key_id=origin.key_id if origin.unit else None,
            status="error",
        )
