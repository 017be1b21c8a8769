"""What the service and control ask of the outside, in their own words.

Each port is a handful of methods. Adapters implement them; `wire.py` chooses which.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from huidu.core.evidence import Row
from huidu.core.observation import Observation
from huidu.core.record import Record, Watch
from huidu.core.release import Fleet
from huidu.core.routes import Routes
from huidu.core.safety import Heard
from huidu.core.sockets import SocketReport
from huidu.core.version import Version

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Audio:
    """Decoded mono audio: `samples` of shape (n,), float32 in [-1, 1], at `sample_rate_hz`."""

    samples: Samples
    sample_rate_hz: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.sample_rate_hz


class Engine(Protocol):
    """A loaded recogniser. `transcribe` may be called from several threads."""

    name: str

    def transcribe(self, audio: Audio, hotwords: Sequence[str] = ()) -> str:
        """The text of one audio; raises `UnavailableError` when the device cannot do it."""
        ...


class AudioSource(Protocol):
    """An audio file that is open, as mono audio at `sample_rate_hz`, at most 48 kHz.

    `seconds` is how long its head says that it is; None where that is not known.
    """

    sample_rate_hz: int
    seconds: float | None

    def blocks(self) -> Iterator[Samples]:
        """All of it from its start, once, in blocks of at most half a second, of shape (n,).

        Raises `InvalidError` for what is corrupt, cut short or holds no samples, `TooLargeError` past the limit.
        """
        ...


class AudioReader(Protocol):
    """Opens uploaded files. However long they are, it takes memory for one block."""

    def open(self, file: BinaryIO, filename: str) -> AbstractContextManager[AudioSource]:
        """Raises `InvalidError` for what is empty, corrupt or not audio, `TooLargeError` where the head says so."""
        ...


@dataclass(frozen=True, slots=True)
class Recognition:
    """One row of `recognition_history`, as an instance writes it. Times are epoch seconds."""

    created_time: float
    filename: str
    raw_text: str
    version: str
    fingerprint: str
    request_id: str
    attempt: int
    answered: bool
    purpose: str  # live, golden, probe or warming
    engine: str
    device: str
    audio_seconds: float
    decode_ms: float
    audio_sha256: str
    file_path: str | None = None
    itn_text: str | None = None
    language: str | None = None
    hotwords: str | None = None
    itn_enabled: bool = False
    release_id: int | None = None
    rule: str | None = None
    unit: str | None = None
    user_key: str | None = None
    unit_key_id: str | None = None  # which key made the unit; None: an earlier Huidu's
    options: dict[str, Any] | None = None
    status: str = "done"
    error: str | None = None
    corrected_text: str | None = None
    corrected_by: str | None = None
    corrected_at: float | None = None
    id: int = 0  # given by the store

    @property
    def rtf(self) -> float | None:
        """Real-time factor: seconds of decoding for a second of audio."""
        return self.decode_ms / 1000 / self.audio_seconds if self.audio_seconds else None


class History(Protocol):
    """The record of recognitions. Every method is safe to call from any thread."""

    def add(self, row: Recognition) -> int:
        """Stores a row durably before it returns its id. An answered row unanswers its request's other attempts.

        Raises `UnavailableError` where the store cannot do it now, `InvalidError` where it never takes this row.
        """
        ...

    def add_all(self, rows: Sequence[Recognition], late: bool = False) -> list[int]:
        """As `add`, for several rows in their order: all are stored, or none. Their ids.

        Rows that come `late` waited elsewhere: where their attempt is there already, as old or newer, it stays as it
        is, with its correction, and deleted where it was deleted.
        """
        ...

    def get(self, row_id: int) -> Recognition:
        """Raises `NotFoundError`."""
        ...

    def page(self, limit: int, before: float | None, version: str | None, purpose: str | None) -> list[Recognition]:
        """Rows not deleted, newest first, created before the given time."""
        ...

    def correct(self, row_id: int, text: str, by: str, at: float) -> Recognition:
        """Makes `text` the reference of a row; the same text confirms it. Raises `NotFoundError`."""
        ...

    def corrections(self, release_id: int, known: Collection[int]) -> list[Recognition]:
        """Answered live rows of a release that hold a corrected text and whose id is not known, by correction time."""
        ...


@dataclass(frozen=True, slots=True)
class SpoolState:
    """How much waits in a spool, of how much room, and how many rows nothing could take; no room, no spool."""

    waiting_rows: int = 0
    waiting_bytes: int = 0
    capacity_bytes: int = 0
    lost_rows: int = 0


class Spool(Protocol):
    """Rows that wait on disk for the history, first in, first out. Safe to call from any thread, never raises."""

    def append(self, rows: Sequence[Recognition]) -> int:
        """How many of the rows, from the first on, are in the spool and on the disk: those behind have no room."""
        ...

    def head(self, limit: int) -> list[Recognition]:
        """The rows that wait longest, at most `limit`."""
        ...

    def drop(self, rows: int) -> None:
        """Forgets the rows that waited longest: they are in the history, or never will be."""
        ...

    def lose(self, rows: int) -> None:
        """Counts rows that nothing could take."""
        ...

    def state(self) -> SpoolState: ...


class Spools(Protocol):
    """The spools of a data folder. Never raises: what cannot be opened is said in the log."""

    def own(self) -> Spool | None:
        """The spool of this process, laid out now if there is none yet; None where there is no room."""
        ...

    def left(self) -> Spool | None:
        """One that a process left which ended, held by this one until it is empty; None where there is none."""
        ...

    def close(self, spool: Spool) -> None:
        """Gives a spool that was left, and is empty, out of hand."""
        ...


class Sockets(Protocol):
    """The reports of sockets, as instances write them and control reads them. Safe to call from any thread."""

    def report(self, report: SocketReport) -> None:
        """Stores one report; one that is there already stays as it is. Raises `UnavailableError`."""
        ...

    def after(self, last_id: int, limit: int) -> list[SocketReport]:
        """At most `limit` reports whose id is larger, by id. Ids rise in the order of storing and are never reused."""
        ...

    def newest_id(self) -> int:
        """The id of the newest report; 0 where there is none."""
        ...

    def forget(self, before: float) -> int:
        """Deletes the reports made before a time in epoch seconds; how many these were."""
        ...


@dataclass(frozen=True, slots=True)
class Written:
    """What a gateway says it has put into its log since it started: lines, and writes that failed.

    `life` names the run of the gateway that counts: another one begins at 0.
    """

    lines: int
    failures: int
    life: str


class Gateway(Protocol):
    """The reverse proxy in front. Only this writes its configuration."""

    def swap(self, routes: Routes, fence: int) -> None:
        """Puts routes in force, and lays out the roll back that fits them.

        Raises `FenceError` where somebody rolled back without control since `fence` was adopted, and
        `UnavailableError` where the gateway or the disk refuses them: then those in force stay.
        """
        ...

    def go_back(self) -> Routes | None:
        """Puts the roll back in force that is laid out beside the routes, and returns it; None where there is none.

        Needs no room on the disk, and raises the fence, which is then to be adopted. Raises `UnavailableError` where
        it cannot be done.
        """
        ...

    def refresh(self) -> None:
        """Takes over what has changed beside the routes, such as certificates."""
        ...

    def fence(self) -> int:
        """A number that rises with each roll back done without control."""
        ...

    def routes(self) -> Routes | None:
        """What was last put in force, by whomever; None before the first time."""
        ...

    def applied(self, generation: int, wait_seconds: float) -> bool:
        """Whether the gateway itself reports this generation (or a later one) within the given time."""
        ...

    def in_flight(self, version: str) -> int:
        """Requests that the gateway has open towards a version now."""
        ...

    def written(self) -> Written | None:
        """How many lines the gateway has put into its log since it started, and how many writes failed.

        None when it does not answer.
        """
        ...


class FenceError(Exception):
    """The fence rose: a roll back was done without control and must be adopted, never overwritten."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process as its supervisor sees it. `started_at` is epoch seconds, `rss_bytes` its resident memory."""

    name: str
    state: str  # running, starting, backoff, stopped, exited, fatal
    pid: int
    started_at: float
    rss_bytes: int


class Runtime(Protocol):
    """Starts and stops the processes of versions. Does nothing for versions that already run elsewhere."""

    def start(self, version: Version, address: str) -> None:
        """Asks for a running process; does nothing when it already runs."""
        ...

    def stop(self, version: str) -> None:
        """Ends the process and forgets it; does nothing when there is none."""
        ...

    def processes(self) -> dict[str, Process]:
        """The managed processes by version."""
        ...

    def free_memory_bytes(self) -> int:
        """Memory that new processes can take."""
        ...

    def free_address(self, host: str, first_port: int, taken: Collection[str]) -> str:
        """`host:port` that nothing listens on and that is not taken. Raises `UnavailableError`."""
        ...


@dataclass(frozen=True, slots=True)
class Reach:
    """Whether anybody serves at an address; `detail` is one short line on what was found there."""

    answers: bool
    detail: str


class Instance(Protocol):
    """A running recognition service, reached directly and not through the gateway."""

    def ready(self, address: str) -> bool:
        """Loaded and warmed up."""
        ...

    def reach(self, address: str) -> Reach:
        """Whether anybody serves there, whatever it is; takes about two seconds at most and raises nothing."""
        ...

    def transcribe(self, address: str, audio: Path, request_id: str, timeout_seconds: float = 60.0) -> str:
        """The text of one file, marked as asked for by the golden set. Raises `UnavailableError`.

        Each step (to connect, to send, to be answered) may take `timeout_seconds`.
        """
        ...

    def hear(self, address: str, audio: Path, request_id: str) -> Heard:
        """What a version makes of a clip that control sends itself, marked as such. Never raises."""
        ...

    def trust(self, authorities: Collection[str]) -> None:
        """Takes PEM files on that vouch for versions spoken to by HTTPS. Raises `InvalidError`."""
        ...

    def move_streams(self, address: str) -> int:
        """Asks for open streams to move at their next utterance boundary; their number. Raises `UnavailableError`."""
        ...


@dataclass(frozen=True, slots=True)
class Stored:
    """What control finds when it starts: all it needs to go on where it stopped."""

    fleet: Fleet
    watch: Watch
    checkpoint: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Loss:
    """What is lost of the store, in words, and what is `left` of it.

    `nothing`: it is gone or damaged. `empty`: a database that holds nothing of control's. `copy`: an earlier copy of
    it, which can be gone on with. `file` is what was looked at.
    """

    words: str
    left: Literal["nothing", "empty", "copy"]
    file: tuple[int, int] | None = None


class Store(Protocol):
    """Releases, their events and their evidence. A change and its record share a transaction.

    One control writes at a time, the last that claimed the store (or wrote first): what the others write is refused
    with `TakenOverError`. Where the database is gone, damaged, or another one than control wrote to, everything
    raises `LostError`; where it only cannot be used now (locked, full), `UnavailableError`. Both within a fraction of
    a second.

    `lost` says what was found damaged, and set aside, as the store was opened; empty where nothing was.
    """

    lost: str

    def claim(self) -> None:
        """Makes this the one that writes. Raises `UnavailableError`."""
        ...

    def confirm(self) -> None:
        """Raises `TakenOverError` where another has claimed the store since, `LostError` where it is gone or damaged.

        Never because it cannot be read now.
        """
        ...

    def loss(self) -> Loss | None:
        """What is lost for ever; None where waiting helps. May take seconds. Raises `UnavailableError`."""
        ...

    def begin_again(self, loss: Loss, fleet: Fleet, record: Record) -> str:
        """Begins anew with what control knows, in one transaction; says in words what was lost and is kept where.

        Nothing is deleted. Raises `UnavailableError`, and then all is as before.
        """
        ...

    def load(self) -> Stored | None:
        """The state as last recorded; None in an empty store."""
        ...

    def record(self, fleet: Fleet, record: Record, again: bool = False) -> None:
        """Stores the new state with all that explains it, or nothing. `again`: what is there already is not doubled."""
        ...

    def evidence(self, release: int) -> list[Row]:
        """The evidence of a release in the order of recording."""
        ...

    def each_evidence(self, release: int) -> Iterator[Row]:
        """The same, row by row: that of a day is too much to hold at once."""
        ...

    def releases(self) -> list[dict[str, Any]]:
        """All releases, the newest first, as plain JSON.

        `put_back` of each lists the roll backs that undid it after its promotion: `release` (which, None where no
        promotion made the version left stable), `time, from, to, by, reason, without_control`. Where versions were
        put back before there was any release, a row with id 0 holds them.
        """
        ...

    def release(self, release: int) -> dict[str, Any]:
        """One release with its events. Raises `NotFoundError`."""
        ...

    def peak_memory_bytes(self, version: str) -> int | None:
        """The largest memory that a version's process was seen to use; None where it never ran."""
        ...

    def raise_peak_memory(self, peaks: dict[str, int], now: float) -> None:
        """Keeps the larger of what is stored and what is given, by version."""
        ...

    def memory(self) -> Any:
        """What `keep_memory` was given last, as plain JSON; None before the first time."""
        ...

    def keep_memory(self, lives: dict[str, Any]) -> None:
        """Stores what is known of the memory that versions took lately."""
        ...


@dataclass(frozen=True, slots=True)
class LogRead:
    """What was read of the gateway's log, and the checkpoint behind it, in which `lines` counts lines since ever.

    `trouble` says what is wrong with the log itself, in words; None where nothing is.
    """

    observations: list[Observation]
    checkpoint: dict[str, Any]
    trouble: str | None = None


class GatewayLog(Protocol):
    """The gateway's log, read from a checkpoint on."""

    def rotate_if_due(self, now: float) -> None:
        """Begins a new file when the present one has grown too large, or where there is none."""
        ...

    def reopen(self) -> bool:
        """Has the gateway open its log anew; whether it heard."""
        ...

    def read(self, checkpoint: dict[str, Any] | None) -> LogRead:
        """What was logged since. Half a line stays for the next time.

        A checkpoint's `read` rises with every line. Raises `UnavailableError`.
        """
        ...

    def forget(self, checkpoint: dict[str, Any], now: float) -> None:
        """Deletes old files that are read, going by a checkpoint that is stored."""
        ...


class Clock(Protocol):
    def now(self) -> float:
        """Epoch seconds."""
        ...

    def monotonic(self) -> float:
        """Seconds that only rise, whatever is done to the wall clock."""
        ...
