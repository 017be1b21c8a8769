"""Brings the reports of sockets to the store, in a thread of its own: no stream ever waits for it."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from huidu.core.errors import UnavailableError
from huidu.core.sockets import SocketReport
from huidu.ports import Sockets

_log = logging.getLogger(__name__)

# Control reads reports within seconds and deletes them in days; nobody needs older ones.
_KEPT_SECONDS = 7 * 86_400
# What all streams of an instance report in minutes in which the store takes nothing.
_MAX_WAITING = 4000
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0
_LAST_WORDS_SECONDS = 2.0


class Reporter:
    """Writes reports in their order, and tries again while the store refuses.

    So many may wait; then those of open sockets go first, because later ones of the same socket say the same and
    more. The log says in one line that reports wait, and how many were lost.
    """

    def __init__(self, sockets: Sockets, clock: Callable[[], float] = time.time) -> None:
        self._sockets = sockets
        self._clock = clock
        self._waiting: deque[SocketReport] = deque()
        self._must_forget = False
        self._is_refused = self._is_stopped = False
        self._lost = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Deletes the reports that nobody reads any more."""
        with self._changed:
            self._must_forget = True
            self._wake()

    def write(self, report: SocketReport) -> None:
        """Stores a report soon; returns at once and never raises."""
        with self._changed:
            if self._is_stopped:
                return  # the process is about to end
            if len(self._waiting) >= _MAX_WAITING:
                self._make_room()
            self._waiting.append(report)
            self._wake()

    def stop(self) -> None:
        """Waits a moment for what was reported last, such as the sockets that end with the instance."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and not self._must_forget, _LAST_WORDS_SECONDS)
            self._is_stopped = True
            self._lost += len(self._waiting)
            self._say_lost()
            self._changed.notify_all()

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="reports", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _make_room(self) -> None:
        # The first may be on its way to the store.
        oldest = next((each for each in list(self._waiting)[1:] if not each.ended), self._waiting[-1])
        self._waiting.remove(oldest)
        self._lost += 1
        self._refused("the store is too slow")

    def _run(self) -> None:
        pause_seconds = _FIRST_PAUSE_SECONDS
        while (work := self._next()) is not None:
            if self._try(work):
                pause_seconds = _FIRST_PAUSE_SECONDS
                continue
            with self._changed:
                self._changed.wait_for(lambda: self._is_stopped, pause_seconds)
            pause_seconds = min(_LONGEST_PAUSE_SECONDS, 2 * pause_seconds)

    def _next(self) -> Callable[[], None] | None:
        """What to do next; None when stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_stopped or self._must_forget or self._waiting)
            if self._is_stopped:
                return None
            return self._forget if self._must_forget else self._store

    def _forget(self) -> None:
        self._sockets.forget(self._clock() - _KEPT_SECONDS)
        with self._changed:
            self._must_forget = False
            self._changed.notify_all()

    def _store(self) -> None:
        report = self._waiting[0]
        self._sockets.report(report)
        self._done(report)

    def _done(self, report: SocketReport) -> None:
        with self._changed:
            self._waiting.popleft()
            self._changed.notify_all()

    def _try(self, work: Callable[[], None]) -> bool:
        """Whether it is done with; what the store cannot do now is tried again."""
        try:
            work()
        except UnavailableError as error:
            with self._changed:
                self._refused(str(error))
            return False
        except Exception as error:
            # It will not be better the next time, and others wait.
            with self._changed:
                self._refused(str(error))
                self._give_up(work)
            return True
        with self._changed:
            self._say_lost()
            self._is_refused = False
        return True

    def _give_up(self, work: Callable[[], None]) -> None:
        if work == self._forget:
            self._must_forget = False
        else:
            self._waiting.popleft()
            self._lost += 1
        self._changed.notify_all()

    def _refused(self, why: str) -> None:
        if not self._is_refused:
            _log.warning("the store does not take reports of sockets now: %s", " ".join(why.split()))
        self._is_refused = True

    def _say_lost(self) -> None:
        if self._lost:
            _log.warning("%d reports of sockets were lost", self._lost)
        self._lost = 0
