"""The use case: audio in, text out, and the row in the history before the answer leaves."""

import asyncio
import hashlib
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, TypeVar

from huidu.core.errors import HuiduError, UnavailableError
from huidu.ports import Audio, AudioReader, Engine, History, Recognition
from huidu.recognition.metrics import Metrics
from huidu.recognition.origin import Origin
from huidu.recognition.warm import clips

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


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
    """The client went away before its turn: nobody waits for the answer."""


class Service:
    """Recognises with one engine, which it loads in the background once started.

    `load` makes the engine. When that or warming up fails, `on_failure` is told and the service never gets ready.
    `hotwords` are those of the version; a request's own come after them. `honours` names the fields of a request that
    the engine decodes with.
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
        honours: frozenset[str] = frozenset(),
    ) -> None:
        self.honours = honours
        self._load = load
        self._reader = reader
        self._history = history
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
        self.metrics = Metrics(info.version, lambda: self._depth)

    def start(self) -> Future[None]:
        """Begins to load and to warm up; the future ends when that is done or has failed, and never raises."""
        return self._pool.submit(self._prepare)

    def stop(self) -> None:
        """Takes no more work; what is being decoded ends."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def require_ready(self) -> None:
        """Raises `UnavailableError` until loaded and warmed up."""
        if self._failure is not None:
            raise UnavailableError(f"version {self._info.version} could not be loaded: {self._failure}")
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

    async def transcribe(self, asked: Asked, origin: Origin, gone: threading.Event) -> Recognition:
        """The stored recognition. Once `gone` is set nobody waits for it any more: it is not begun, or unanswered.

        Raises `InvalidError` for audio that is none, `UnavailableError` when it cannot be done now, `GoneError`.
        """
        self.admit()
        return await self._queued(self._recognise, asked, origin, self._clock(), gone)

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
        return await self._queued(self._hear, audio, hotwords, turn)

    def blank(self, origin: Origin, filename: str) -> Recognition:
        """The row of a recognition that begins now, with nothing heard yet."""
        return self._row(origin, self._clock(), filename, hashlib.sha256().hexdigest())

    async def record(self, row: Recognition) -> Recognition:
        """Stores the row of a stream. Raises `UnavailableError`."""
        # Not in the pool of the decoders: the row of a stream that has ended should not wait behind recognitions.
        return replace(row, id=await asyncio.to_thread(self._history.add, row))

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

    async def _queued(self, work: Callable[..., _Result], *arguments: Any) -> _Result:
        with self._lock:
            self._depth += 1
        job = self._pool.submit(work, *arguments)
        job.add_done_callback(self._leave)
        return await asyncio.wrap_future(job)

    def _leave(self, _job: Future[Any]) -> None:
        with self._lock:
            self._depth -= 1

    def _prepare(self) -> None:
        try:
            engine = self._load()
            for clip in clips():
                origin = Origin(request_id=f"warming-{uuid.uuid4().hex}", purpose="warming")
                row = self._row(origin, self._clock(), "warming", hashlib.sha256(clip.samples.tobytes()).hexdigest())
                self._decode(engine, clip, row, self._hotwords, threading.Event())
            self._engine = engine
            self.metrics.ready.set(1)
        except Exception as error:
            if not isinstance(error, HuiduError):
                _log.exception("loading version %s failed", self._info.version)
                error = UnavailableError(f"{type(error).__name__}: {error}")
            self._failure = error
            self._on_failure(error)

    def _recognise(self, asked: Asked, origin: Origin, created: float, gone: threading.Event) -> Recognition:
        assert self._engine is not None
        row = self._row(origin, created, asked.filename, _digest(asked.file))
        row = replace(
            row, language=asked.language, hotwords="\n".join(asked.hotwords) or None, options=asked.options or None
        )
        if gone.is_set():
            error = GoneError("the client went away before its turn")
            self._record_failure(row, error)
            raise error
        asked.file.seek(0)
        audio = self._reader.read(asked.file, asked.filename)
        return self._decode(self._engine, audio, row, (*self._hotwords, *asked.hotwords), gone)

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
        self, engine: Engine, audio: Audio, row: Recognition, hotwords: tuple[str, ...], gone: threading.Event
    ) -> Recognition:
        started = time.perf_counter()
        try:
            with self._its_turn(Turn(audio.seconds)):
                text = engine.transcribe(audio, hotwords)
        except Exception as error:
            took_ms = (time.perf_counter() - started) * 1000
            self._record_failure(replace(row, audio_seconds=audio.seconds, decode_ms=took_ms), error)
            raise
        took_s = time.perf_counter() - started
        self.metrics.decoded(audio.seconds, took_s)
        answered = row.purpose == "live" and not gone.is_set()
        done = replace(
            row, raw_text=text, audio_seconds=audio.seconds, decode_ms=took_s * 1000, answered=answered, status="done"
        )
        return replace(done, id=self._history.add(done))

    def _record_failure(self, row: Recognition, error: Exception) -> None:
        self.metrics.failed(type(error).__name__)
        try:
            self._history.add(replace(row, error=" ".join(str(error).split())[:500] or type(error).__name__))
        except HuiduError:
            # The error itself is what the caller must hear of.
            _log.exception("the failed recognition %s could not be recorded", row.request_id)

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
            status="error",
        )


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()
