"""Brings recognitions to the history, and where that does not take them now to the spool: no answer waits long.

Two threads do it. The writer alone speaks to the history: several rows that wait share a transaction. The spooler
takes what the writer could not store, or has had for too long, puts it on the disk and says so. From then on rows go
to the spool at once, until the writer has replayed all that is in it.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from enum import StrEnum

from huidu.core.errors import UnavailableError
from huidu.ports import History, Recognition, Spool, Spools, SpoolState

_log = logging.getLogger(__name__)

# How long a row may be in the writer's hands, and how often the spooler looks; an answer waits for both at most.
_WAIT_S = 0.15
_TICK_S = 0.05
# A disk that hangs holds up the spool as well: then nobody knows whether the row is kept.
_GIVE_UP_S = 3.0
_BATCH_ROWS = 100
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0
# How often what ended processes left is looked for.
_LOOK_S = 60.0
_LOOK_AGAIN_S = 5.0
# A row that is refused for what it holds gets so many tries.
_TRIES = 3
_LAST_WORDS_S = 2.0


class Kept(StrEnum):
    """Whether a recognition is in the history, will be once that takes rows, or is not known to be kept at all."""

    YES = "yes"
    LATER = "later"
    NO = "no"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recognition, with its id where it is in the history, and how it is kept."""

    row: Recognition
    kept: Kept


@dataclass(slots=True, eq=False)
class Submitted:
    """A row on its way since a monotonic time. Whoever sets `settled`, under the lock, answers."""

    row: Recognition
    since: float
    future: Future[Recorded]
    settled: bool = False


class Recorder:
    """Records from any thread; without `spools` what the history does not take is lost. Nothing here raises."""

    def __init__(
        self, history: History, spools: Spools | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._history = history
        self._spools = spools
        self._clock = clock
        self._spool: Spool | None = None
        self._lost = 0
        self._new: deque[Submitted] = deque()
        self._flight: list[Submitted] = []
        self._late: list[Submitted] = []
        self._is_down = False
        self._is_spooling = False
        self._is_watching = False
        self._active_at = 0.0
        self._pause_s = _FIRST_PAUSE_S
        self._retry_at = 0.0
        self._look_at = 0.0
        self._left: Spool | None = None
        # Rows to be replayed one by one, and how often the first of them was refused.
        self._singly = self._tries = 0
        self._is_told = self._was_slow = False
        self._threads: list[threading.Thread] = []
        self._is_stopping = self._has_ended = False
        self._lock = threading.Lock()
        self._for_writer = threading.Condition(self._lock)
        self._for_spooler = threading.Condition(self._lock)
        self._changed = threading.Condition(self._lock)

    def start(self) -> None:
        """Lays out the spool, and begins with what waits in it and in those that ended processes left."""
        with self._lock:
            if not self._threads:
                self._find_spool()
                self._threads = [
                    threading.Thread(target=work, name=name, daemon=True)
                    for work, name in ((self._write, "history"), (self._put_late, "spool"))
                ]
                for thread in self._threads:
                    thread.start()

    def submit(self, row: Recognition) -> Submitted:
        """Takes a row; returns at once. What comes of it is told by `recorded`."""
        job = Submitted(row, self._clock(), Future())
        # Who waits for it may leave: then it is recorded all the same.
        job.future.set_running_or_notify_cancel()
        if not self._threads:
            self.start()
        with self._lock:
            is_ending = self._is_stopping
            if not is_ending:
                self._take(job)
        if is_ending:
            self._record_last(job)
        return job

    def record(self, row: Recognition) -> Recorded:
        """As `submit`, and waits for it, for a few seconds at most."""
        try:
            return self.submit(row).future.result(_GIVE_UP_S)
        except TimeoutError:
            return Recorded(row, Kept.NO)

    async def recorded(self, job: Submitted) -> Recorded:
        """What came of a row, waited for a few seconds at most."""
        done, _ = await asyncio.wait([asyncio.wrap_future(job.future)], timeout=_GIVE_UP_S)
        return done.pop().result() if done else Recorded(job.row, Kept.NO)

    def state(self) -> SpoolState:
        """How much waits here, and how much was lost."""
        state = self._spool.state() if self._spool is not None else SpoolState()
        return replace(state, lost_rows=state.lost_rows + self._lost)

    def stop(self) -> None:
        """Waits a moment for what is on its way. What waits in the spool is for whoever starts next."""
        with self._lock:
            self._is_stopping = True
            self._changed.wait_for(lambda: not self._is_busy, _LAST_WORDS_S)
            self._has_ended = True
            self._for_writer.notify_all()
            self._for_spooler.notify_all()
        for thread in self._threads:
            thread.join(_LAST_WORDS_S)

    @property
    def _is_busy(self) -> bool:
        return bool(self._new or self._flight or self._late or self._is_spooling)

    def _take(self, job: Submitted) -> None:
        if self._is_down:
            self._late.append(job)
            self._for_spooler.notify()
            return
        self._new.append(job)
        self._active_at = job.since
        self._for_writer.notify()
        if not self._is_watching:
            self._for_spooler.notify()

    def _record_last(self, job: Submitted) -> None:
        """A row that comes when the threads have ended, of a recognition that outlived its service."""
        try:
            row_id = self._history.add_all([job.row])[0]
            job.future.set_result(Recorded(replace(job.row, id=row_id), Kept.YES))
        except Exception as error:
            _log.warning("the history does not take a recognition: %s", _line(error))
            self._spool_them([job])

    # The writer

    def _write(self) -> None:
        while True:
            with self._lock:
                while not self._new and not self._has_ended and (wait_s := self._due_in()) > 0:
                    self._for_writer.wait(wait_s)
                if self._has_ended:
                    return
                self._flight = [self._new.popleft() for _ in range(min(_BATCH_ROWS, len(self._new)))]
            try:
                if self._flight:
                    self._store(self._flight)
                else:
                    self._catch_up()
            except Exception:
                # Whatever this was: who waits for it is answered by the spooler.
                _log.exception("recording failed")
                self._goes_down("it failed within")
            with self._lock:
                self._flight = []
                self._changed.notify_all()

    def _due_in(self) -> float:
        """Seconds until the writer has something to do beside new rows."""
        due_at = self._retry_at if self._is_down else self._look_at
        return due_at - self._clock()

    def _store(self, jobs: Sequence[Submitted]) -> None:
        try:
            ids = self._history.add_all([job.row for job in jobs])
        except UnavailableError as error:
            self._goes_down(_line(error))
        except Exception as error:
            if len(jobs) > 1:
                for job in jobs:
                    if not job.settled:
                        self._store([job])
            else:
                self._refused(jobs[0], error)
        else:
            self._works()
            for job, row_id in zip(jobs, ids, strict=True):
                self._settle(job, Recorded(replace(job.row, id=row_id), Kept.YES))

    def _refused(self, job: Submitted, error: Exception) -> None:
        """Something is wrong with this row; the others are no worse for it."""
        for _ in range(_TRIES - 1):
            try:
                row_id = self._history.add_all([job.row])[0]
            except UnavailableError as gone:
                self._goes_down(_line(gone))
                return
            except Exception as again:
                error = again
            else:
                self._settle(job, Recorded(replace(job.row, id=row_id), Kept.YES))
                return
        _log.error("recognition %s is lost: %s", job.row.request_id, _line(error))
        self._lose(1)
        self._settle(job, Recorded(job.row, Kept.NO))

    def _catch_up(self) -> None:
        """One step: rows of the spool into the history, or of one that was left, or a look for such."""
        if self._spool is not None and self._waiting_rows():
            self._replay(self._spool)
        elif self._spools is None:
            self._look_at = self._clock() + _LOOK_S
        elif not self._is_down:
            self._look(self._spools)
        self._comes_up()

    def _look(self, spools: Spools) -> None:
        """Replays a step of a spool that was left, if there is one."""
        self._find_spool()
        if self._left is None:
            self._left = spools.left()
        if self._left is None:
            self._look_at = self._clock() + _LOOK_S
        elif not self._replay(self._left) or self._is_down:
            # Where the history does not take it, its version may start again and need it.
            spools.close(self._left)
            self._left = None
            self._look_at = self._clock() + (_LOOK_AGAIN_S if self._is_down else 0.0)

    def _find_spool(self) -> None:
        self._spool = self._spools.own() if self._spools is not None else None
        # What waits there goes first.
        self._is_down = self._is_down or self._waiting_rows() > 0

    def _replay(self, spool: Spool) -> bool:
        """Brings rows that waited into the history; whether there were any."""
        rows = spool.head(1 if self._singly else _BATCH_ROWS)
        if not rows:
            return False
        try:
            self._history.add_all(rows, late=True)
        except UnavailableError as error:
            self._goes_down(_line(error))
            return True
        except Exception as error:
            if len(rows) > 1:
                self._singly = len(rows)  # to find the one
                return True
            self._tries += 1
            if self._tries < _TRIES:
                return True
            _log.error("recognition %s is lost: %s", rows[0].request_id, _line(error))
            spool.lose(1)
        self._tries, self._singly = 0, max(0, self._singly - len(rows))
        spool.drop(len(rows))
        self._works()
        return True

    def _works(self) -> None:
        self._pause_s = _FIRST_PAUSE_S
        if self._is_told:
            _log.warning("the history takes recognitions again")
        self._is_told = False

    def _goes_down(self, why: str) -> None:
        with self._lock:
            self._tell(why)
            self._is_down = True
            self._late += [*self._flight, *self._new]
            self._flight = []
            self._new.clear()
            self._retry_at = self._clock() + self._pause_s
            self._pause_s = min(_LONGEST_PAUSE_S, 2 * self._pause_s)
            self._for_spooler.notify()

    def _tell(self, why: str) -> None:
        if not self._is_told:
            _log.warning("the history does not take recognitions, they wait in the spool: %s", why)
        self._is_told = True

    def _comes_up(self) -> None:
        """Lets rows go to the history again once nothing waits before them."""
        with self._lock:
            if self._late or self._is_spooling:
                self._for_writer.wait(_TICK_S)
            elif self._is_down and self._due_in() <= 0 and not self._waiting_rows():
                self._is_down = False

    def _waiting_rows(self) -> int:
        return self._spool.state().waiting_rows if self._spool is not None else 0

    # The spooler

    def _put_late(self) -> None:
        while True:
            with self._lock:
                while not (jobs := self._overdue()) and not self._has_ended:
                    self._for_spooler.wait(self._tick())
                if not jobs:
                    return
                self._is_spooling = True
            self._spool_them(jobs)
            with self._lock:
                self._is_spooling = False
                self._for_writer.notify()
                self._changed.notify_all()

    def _tick(self) -> float | None:
        """How long the spooler may sleep; None: until it is woken, which costs each row a little."""
        now = self._clock()
        if self._is_busy:
            self._active_at = now
        self._is_watching = now - self._active_at < 1.0
        return _TICK_S if self._is_watching else None

    def _overdue(self) -> list[Submitted]:
        """What the writer will not store in time; from the first such row on all go this way."""
        limit = self._clock() - (0.0 if self._has_ended else _WAIT_S)
        waiting = [job for job in (*self._flight, *self._new) if not job.settled]
        is_slow = any(job.since <= limit for job in waiting)
        if is_slow and (self._was_slow or self._has_ended):
            self._tell("it is slow")
            self._is_down = True
            self._late += waiting
            self._new.clear()
        # Only at the second look: where the whole process stood still, the writer has a moment to go on.
        self._was_slow = is_slow
        jobs = [job for job in self._late if not job.settled]
        self._late = []
        for job in jobs:
            job.settled = True
        return jobs

    def _spool_them(self, jobs: list[Submitted]) -> None:
        """Answers jobs that are settled for this purpose."""
        taken = self._spool.append([job.row for job in jobs]) if self._spool is not None else 0
        if taken < len(jobs):
            self._lose(len(jobs) - taken)
        for number, job in enumerate(jobs):
            job.future.set_result(Recorded(job.row, Kept.LATER if number < taken else Kept.NO))

    def _lose(self, rows: int) -> None:
        if self._spool is not None:
            self._spool.lose(rows)
        else:
            self._lost += rows

    def _settle(self, job: Submitted, recorded: Recorded) -> None:
        with self._lock:
            mine, job.settled = not job.settled, True
        if mine:
            job.future.set_result(recorded)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
