"""Prunes what is kept no longer: in the background of control once an hour, or when a person says so.

It works in small steps beside everything else. What stands in its way is said, and tried again later; it never prunes
by a clock that it has reason to doubt.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from huidu.core.errors import HuiduError, RefusedError
from huidu.core.retention import COPY_SECONDS, UNDO_SECONDS, Cutoffs, Remembered, cutoffs, doubt, takes_much
from huidu.ports import Clock

_LOG = logging.getLogger(__name__)
_EVERY_SECONDS, _AGAIN_SECONDS, _FIRST_SECONDS = 3600.0, 600.0, 60.0
# Between two transactions others write: this one takes no more than a third of the time.
_PAUSE = 2.0
_EMPTYING_TRIES = 20

Tidy = Callable[[float, float | None], object]


class Taken(Protocol):
    """Rows that were erased, and references that lost their file name."""

    @property
    def erased(self) -> int: ...
    @property
    def unnamed(self) -> int: ...


class Pruning(Protocol):
    """The history, as far as it is pruned. Every method may raise `UnavailableError`."""

    def remembered(self) -> Remembered: ...

    def remember(self, what: Remembered) -> None: ...

    def newest(self) -> float | None:
        """When the newest row was created."""
        ...

    def due(self, cutoffs: Cutoffs) -> Taken: ...

    def copy(self, cutoffs: Cutoffs, now: float) -> Path | None:
        """Copies what a prune will take; None where that is nothing."""
        ...

    def batches(self, cutoffs: Cutoffs) -> Iterator[Taken]:
        """Takes what is due, in small transactions."""
        ...

    def empty_log(self) -> bool:
        """Has nothing of what was taken left in the write-ahead log; False while somebody reads."""
        ...


@dataclass(slots=True)
class Pruned:
    """What a prune took. `before` is the age limit in epoch seconds, None without one; `trouble` why it is not all."""

    before: float | None = None
    erased: int = 0
    unnamed: int = 0
    copy: str | None = None
    copy_goes_at: float | None = None
    trouble: list[str] = field(default_factory=list)


class Retention:
    """Prunes one data folder. `keep_seconds` says how long texts are kept now, None for ever.

    `tidy` are called with the time and with how long texts are kept, for all that lies beside the history. `wait`
    waits for so many seconds, and says whether to end.
    """

    def __init__(
        self,
        store: Pruning,
        clock: Clock,
        keep_seconds: Callable[[], float | None],
        tidy: Sequence[Tidy] = (),
        wait: Callable[[float], bool] = lambda _: False,
    ):
        self._store, self._clock, self._keep_seconds = store, clock, keep_seconds
        self._tidy, self._wait = tidy, wait
        # The time that was believed last in this process, and the monotonic time at that moment.
        self._believed: tuple[float, float] | None = None

    def run(self, keep_seconds: float | None = None, trust_clock: bool = False, copy: bool = True) -> Pruned:
        """Prunes once; `keep_seconds` instead of what is configured. Raises `RefusedError` for a doubtful clock.

        Raises `UnavailableError` where the store refuses; what was taken until then is gone.
        """
        keep = self._keep_seconds() if keep_seconds is None else keep_seconds
        now = self._clock.now()
        before = self._believe(now, keep, trust_clock)
        due = cutoffs(now, keep)
        done = Pruned(before=due.texts_before)
        if copy and takes_much(before, due):
            if (path := self._store.copy(due, now)) is not None:
                done.copy, done.copy_goes_at = str(path), now + min(COPY_SECONDS, keep or COPY_SECONDS)
            # A prune that does not come to its end makes no second copy of the same rows.
            before = replace(before, copied_before=due.texts_before)
            self._store.remember(before)
        if self._take(due, done):
            self._store.remember(before.pruned(due.texts_before))
        if done.erased or done.unnamed:
            self._empty_log(done)
        for each in self._tidy:
            try:
                each(now, keep)
            except HuiduError as error:
                done.trouble.append(str(error))
        return done

    def due(self, keep_seconds: float | None = None) -> tuple[Cutoffs, Taken]:
        """What `run` would take now."""
        found = cutoffs(self._clock.now(), self._keep_seconds() if keep_seconds is None else keep_seconds)
        return found, self._store.due(found)

    def _believe(self, now: float, keep: float | None, trust_clock: bool) -> Remembered:
        before = self._store.remembered()
        own = self._believed if self._believed is not None and self._believed[0] == before.believed_at else None
        passed = None if own is None else self._clock.monotonic() - own[1]
        newest = self._store.newest() if before.believed_at is None else None
        doubtful = "" if trust_clock else doubt(now, before, newest, passed, UNDO_SECONDS if keep is None else keep)
        if doubtful:
            raise RefusedError(doubtful)
        believed = replace(before, believed_at=now)
        self._store.remember(believed)
        self._believed = (now, self._clock.monotonic())
        return believed

    def _take(self, due: Cutoffs, done: Pruned) -> bool:
        """Takes what is due; False where it was ended before the end."""
        begun = self._clock.monotonic()
        for taken in self._store.batches(due):
            done.erased += taken.erased
            done.unnamed += taken.unnamed
            if self._wait(_PAUSE * max(0.0, self._clock.monotonic() - begun)):
                return False
            begun = self._clock.monotonic()
        return True

    def _empty_log(self, done: Pruned) -> None:
        for _ in range(_EMPTYING_TRIES):
            if self._store.empty_log():
                return
            if self._wait(0.1):
                break
        done.trouble.append("somebody reads the history: what was erased leaves its log at the next prune")


class RetentionLoop:
    """The thread that prunes once an hour. `last` says what came of it, for people.

    `make` opens the history; where it cannot now, that is told, and it is asked again.
    """

    def __init__(self, make: Callable[[Callable[[float], bool]], Retention], keep_seconds: Callable[[], float | None]):
        self._stop = threading.Event()
        self._make, self._keep_seconds = make, keep_seconds
        self._retention: Retention | None = None
        self._told: dict[str, Any] = {"last": None, "trouble": None}
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends after the transaction that runs."""
        self._stop.set()
        self._thread.join(timeout=10)

    def last(self) -> dict[str, Any]:
        """How long texts are kept, what the last prune took, and what stood in its way."""
        return {"texts_seconds": self._keep_seconds(), **self._told}

    def _run(self) -> None:
        pause = _FIRST_SECONDS
        while not self._stop.wait(pause):
            pause = self.once()

    def once(self) -> float:
        """Prunes once; returns after how many seconds to do it again."""
        try:
            self._retention = self._retention or self._make(self._stop.wait)
            done = self._retention.run()
        except (HuiduError, OSError) as error:
            self._note(str(error))
            return _AGAIN_SECONDS
        except Exception as error:  # a bug here must end nothing else
            _LOG.exception("retention failed")
            self._note(f"{type(error).__name__}: {error}")
            return _EVERY_SECONDS
        shown = {"before": done.before, "erased": done.erased, "unnamed": done.unnamed}
        self._told = {"last": shown | {"copy": done.copy}, "trouble": "; ".join(done.trouble) or None}
        if done.copy:
            _LOG.info("retention: a copy of what was pruned lies in %s for %g days", done.copy, COPY_SECONDS / 86_400)
        if done.erased or done.unnamed:
            _LOG.info("retention: %d rows erased, %d references lost their file name", done.erased, done.unnamed)
        return _AGAIN_SECONDS if done.trouble else _EVERY_SECONDS

    def _note(self, trouble: str) -> None:
        if trouble != self._told["trouble"]:
            _LOG.error("retention: %s", trouble)
        self._told = {**self._told, "trouble": trouble}
