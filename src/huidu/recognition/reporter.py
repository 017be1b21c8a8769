"""Brings the reports of sockets to the store, in a thread of its own: no stream ever waits for it."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from huidu.core.sockets import SocketReport
from huidu.ports import Sockets

_log = logging.getLogger(__name__)

# Control reads reports within seconds and deletes them in days; nobody needs older ones.
_KEPT_SECONDS = 7 * 86_400
# Several times what all streams of an instance report in the time that a store may be busy.
_MAX_WAITING = 1000
_LAST_WORDS_SECONDS = 2.0


class Reporter:
    """Writes reports one after the other. Where the store refuses, reports are lost and one line of the log says so."""

    def __init__(self, sockets: Sockets, clock: Callable[[], float] = time.time) -> None:
        self._sockets = sockets
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reports")
        self._waiting: set[Future[None]] = set()
        self._lock = threading.Lock()
        self._is_refused = False

    def start(self) -> None:
        """Deletes the reports that nobody reads any more."""
        self._submit(lambda: self._sockets.forget(self._clock() - _KEPT_SECONDS))

    def write(self, report: SocketReport) -> None:
        """Stores a report soon; returns at once and never raises."""
        if len(self._waiting) < _MAX_WAITING:
            self._submit(lambda: self._sockets.report(report))
        else:
            self._refused("the store is too slow")

    def stop(self) -> None:
        """Waits a moment for what was reported last, such as the sockets that end with the instance."""
        with self._lock:
            last = set(self._waiting)
        wait(last, timeout=_LAST_WORDS_SECONDS)
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _submit(self, work: Callable[[], object]) -> None:
        try:
            job = self._thread.submit(self._try, work)
        except RuntimeError:
            return  # stopped: the process is about to end
        with self._lock:
            self._waiting.add(job)
        job.add_done_callback(self._done)

    def _done(self, job: Future[None]) -> None:
        with self._lock:
            self._waiting.discard(job)

    def _try(self, work: Callable[[], object]) -> None:
        try:
            work()
            self._is_refused = False
        except Exception as error:
            self._refused(str(error))

    def _refused(self, why: str) -> None:
        if not self._is_refused:
            _log.warning("reports of sockets are lost until the store takes them again: %s", " ".join(why.split()))
        self._is_refused = True
