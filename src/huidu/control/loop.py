"""The thread that ticks."""

import logging
import threading
from collections.abc import Callable

from huidu.core.errors import HuiduError, TakenOverError

_LOG = logging.getLogger(__name__)


class Loop:
    """Calls `tick` every `interval_seconds` until it is stopped. An error is logged once until it changes.

    Where another control has taken over it ticks no more, and `on_taken_over` hears of it.
    """

    def __init__(
        self, tick: Callable[[], None], interval_seconds: float, on_taken_over: Callable[[TakenOverError], None]
    ):
        self._tick, self._interval_seconds = tick, interval_seconds
        self._on_taken_over = on_taken_over
        self._stop = threading.Event()
        self._last_error = ""
        self._thread = threading.Thread(target=self._run, name="tick", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._tick()
                self._last_error = ""
            except TakenOverError as error:
                self._on_taken_over(error)
                return
            except (HuiduError, OSError) as error:
                self._note(str(error), None)
            except Exception as error:  # a bug must not end the watch over users
                self._note(repr(error), error)
            self._stop.wait(self._interval_seconds)

    def _note(self, text: str, error: Exception | None) -> None:
        if text != self._last_error:
            _LOG.error("tick: %s", text, exc_info=error)
        self._last_error = text
