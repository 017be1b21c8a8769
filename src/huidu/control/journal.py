"""Records what control does: at once where the store takes it, in one piece later where it refuses.

A step towards the stable version is kept: recorded when the store allows. Any other is insisted on: recorded first, or
refused. A store that is gone or damaged begins anew with what control knows.
"""

import logging
from dataclasses import replace
from typing import Any

from huidu.control.decide import View
from huidu.core.alarms import Alarm, AlarmKind
from huidu.core.backlog import Backlog, latest
from huidu.core.condensed import condensed_rows
from huidu.core.errors import HuiduError, LostError, TakenOverError, UnavailableError
from huidu.core.record import Happening, Outcome, Record
from huidu.core.release import Fleet, Release
from huidu.ports import Clock, Loss, Store

_LOG = logging.getLogger(__name__)
# Other processes hold the lock for moments, and more often on a busy machine: one race that was lost is no alarm.
_GRACE_SECONDS = 5.0
# Somebody may be about to put another file in the place of one that has just gone.
_GONE_SECONDS = 2.0
# A store that refuses slowly, and not just once, is not asked all the time.
_PAUSE_FACTOR = 20.0
# Looks and what they saw went with the rows that they were made of.
_LOST_WITH_ROWS = frozenset({"look"})


class Journal:
    """The way to the store of the one that writes. Used under control's lock."""

    def __init__(self, store: Store, clock: Clock):
        self._store, self._clock = store, clock
        self._backlog = Backlog()
        # Whether what waits was tried to be written: nobody can tell then whether it was.
        self._tried = False
        self._refusing: tuple[float, str] | None = None
        self._lost_since: float | None = None
        self._try_at = 0.0
        self._peaks: dict[str, int] = {}
        # What is known of the running release's record, for a store that begins anew.
        self._told: list[Happening] = []
        # The log's checkpoint as the store holds it.
        self.checkpoint: dict[str, Any] | None = None

    # ------------------------------------------------------------------ what stands

    @property
    def waiting(self) -> int:
        """Rows of evidence that wait to be recorded."""
        return self._backlog.rows

    @property
    def full(self) -> bool:
        """Whether no more evidence can be kept."""
        return self._backlog.full

    @property
    def outcome(self) -> tuple[Release, Outcome] | None:
        """The release that has ended, and how, where that is not recorded yet."""
        return self._backlog.outcome

    @property
    def refusal(self) -> tuple[float, str] | None:
        """For how many seconds the store has refused, and with which words; None where it takes what it is given."""
        if self._refusing is None:
            return None
        return self._clock.monotonic() - self._refusing[0], self._refusing[1]

    def alarms(self, at_once: bool = False) -> tuple[Alarm, ...]:
        """The alarm that the store refuses; `at_once` also where it has only begun to."""
        refusal = self.refusal
        if refusal is None or (refusal[0] < _GRACE_SECONDS and not at_once):
            return ()
        return (Alarm(AlarmKind.STORE_UNWRITABLE, refusal[1], seconds=refusal[0]),)

    def confirm(self) -> None:
        """Raises `TakenOverError` where another control writes now; notes where the store is lost."""
        try:
            self._store.confirm()
        except LostError as error:
            self._refused(error)
        else:
            self._lost_since = None

    # ------------------------------------------------------------------ recording

    def keep(self, fleet: Fleet, record: Record) -> None:
        """Records a step, now or when the store allows. Raises `TakenOverError`."""
        self._backlog.add(fleet, record)
        self._tell(record)
        self.try_again()

    def insist(self, fleet: Fleet, record: Record) -> None:
        """Records a step now, behind all that waits. Raises `UnavailableError`: then it has not happened."""
        self._write()
        try:
            self._store.record(fleet, record)
        except TakenOverError:
            raise
        except UnavailableError as error:
            self._refused(error)
            raise
        self.checkpoint = record.checkpoint or self.checkpoint
        self._tell(record)

    def try_again(self) -> None:
        """Writes what waits, where that is likely to succeed. Raises `TakenOverError`."""
        if self._clock.monotonic() < self._try_at:
            return
        try:
            self._write()
            self._write_peaks()
        except TakenOverError:
            raise
        except UnavailableError:
            return

    def _write(self) -> None:
        if not self._backlog:
            return
        began = self._clock.monotonic()
        fleet, record = self._backlog.whole()
        try:
            self._store.record(fleet, record, again=self._tried)
        except TakenOverError:
            raise
        except UnavailableError as error:
            self._tried = True
            self._refused(error)
            now = self._clock.monotonic()
            if self.alarms():
                self._try_at = now + _PAUSE_FACTOR * (now - began)
            raise
        if self._refusing is not None:
            _LOG.warning("the store takes again what happens; %d rows had waited", self._backlog.rows)
        self.checkpoint = record.checkpoint or self.checkpoint
        self._backlog, self._tried, self._refusing, self._try_at = Backlog(), False, None, 0.0

    def _refused(self, error: UnavailableError) -> None:
        at = self._clock.monotonic()
        if self._refusing is None or self._refusing[1] != str(error):
            _LOG.error("what happens cannot be recorded: %s", error)
        self._refusing = (at if self._refusing is None else self._refusing[0], str(error))
        if isinstance(error, LostError) and self._lost_since is None:
            self._lost_since = at

    def note_peaks(self, peaks: dict[str, int]) -> None:
        """Has the largest memory of versions stored, now or when the store allows. Raises `TakenOverError`."""
        self._peaks |= peaks
        self.try_again()

    def _write_peaks(self) -> None:
        if self._peaks:
            self._store.raise_peak_memory(self._peaks, self._clock.now())
            self._peaks = {}

    # ------------------------------------------------------------------ a store that is lost

    def remember(self, release: Release | None, checkpoint: dict[str, Any] | None) -> None:
        """Begins where a stored state begins."""
        self.checkpoint, self._told = checkpoint, []
        if release is None:
            return
        try:
            events = self._store.release(release.id)["events"]
        except HuiduError as error:
            _LOG.warning("the record of release %d cannot be read: %s", release.id, error)
            return
        told = [Happening(release.id, each["time"], each["kind"], each["payload"]) for each in events]
        self._told = [each for each in told if each.kind not in _LOST_WITH_ROWS]

    def _tell(self, record: Record) -> None:
        """Remembers what the record says of the running release."""
        if record.release is None:
            return
        if self._told and self._told[0].release != record.release.id:
            self._told = []
        self._told += [each for each in record.happenings if each.kind not in _LOST_WITH_ROWS]
        if len(self._told) > 2000:
            self._told = latest(self._told)[0]

    def loss(self) -> Loss | None:
        """What is lost for ever, once that has stood for a moment. Without control's lock: it may take seconds."""
        if self._lost_since is None or self._clock.monotonic() - self._lost_since < _GONE_SECONDS:
            return None
        try:
            return self._store.loss()
        except TakenOverError:
            raise
        except UnavailableError as error:
            self._refused(error)
            return None

    def begin_again(self, loss: Loss, view: View, peaks: dict[str, int]) -> View:
        """Begins a new store with all that is known; the view whose rows it holds. Raises `UnavailableError`."""
        now = self._clock.now()
        record = self._backlog.whole()[1] if self._backlog else Record()
        release = record.release or view.fleet.release
        rows = condensed_rows(view.sums, view.golden, view.known, now) if release is not None else ()
        told = [replace(each, payload=_without_rows(each.payload)) for each in self._told if release is not None]
        others = [each for each in record.happenings if each not in self._told and each.kind not in _LOST_WITH_ROWS]
        # A control that begins has said so already.
        if not any(each.kind == "store_lost" for each in others):
            last = release.id if release is not None else view.fleet.last_release
            others.append(Happening(last, now, "store_lost", {"reason": loss.words, "rows": len(rows)}))
        whole = replace(
            record,
            release=release,
            watch=record.watch if record.release is not None else view.watch,
            by=next((each.payload.get("by", record.by) for each in told if each.kind == "started"), record.by),
            happenings=(*told, *others),
            evidence=rows,
            # Ids begin anew, too.
            checkpoint={**(record.checkpoint or self.checkpoint or {}), "reports": 0},
        )
        self._store.begin_again(loss, view.fleet, whole)
        _LOG.error("the store was lost and has begun anew: %s", loss.words)
        self._told = [*whole.happenings]
        self.checkpoint, self._peaks = whole.checkpoint, dict(peaks)
        self._backlog, self._tried, self._refusing, self._try_at = Backlog(), False, None, 0.0
        self._lost_since = None
        return replace(view, rows=len(rows))

    def drop(self) -> None:
        """Forgets what waits: an earlier copy of the store is gone on with, and the log is read again from there."""
        self._backlog, self._tried, self._refusing, self._try_at = Backlog(), False, None, 0.0
        self._lost_since = None


def _without_rows(payload: dict[str, Any]) -> dict[str, Any]:
    """What was derived from so many rows cannot be derived again from others."""
    return {name: value for name, value in payload.items() if name != "rows"}
