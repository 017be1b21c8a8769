from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fakes import Clock

from huidu.control.retention import Pruned, Retention, RetentionLoop
from huidu.core.errors import RefusedError, UnavailableError
from huidu.core.retention import Cutoffs, Remembered

DAY = 86_400.0
KEEP = 30 * DAY


@dataclass
class Took:
    erased: int = 0
    unnamed: int = 0


@dataclass
class Rows:
    """A history of rows that are nothing but their creation. It may refuse, or stop in the middle."""

    rows: list[float] = field(default_factory=list)
    memory: Remembered = field(default_factory=Remembered)
    copies: list[int] = field(default_factory=list)
    error: Exception | None = None
    fails_after: int | None = None
    busy: int = 0

    def remembered(self) -> Remembered:
        if self.error is not None:
            raise self.error
        return self.memory

    def remember(self, what: Remembered) -> None:
        self.memory = what

    def newest(self) -> float | None:
        return max(self.rows, default=None)

    def _due(self, limits: Cutoffs) -> list[float]:
        return [] if limits.texts_before is None else [each for each in self.rows if each < limits.texts_before]

    def due(self, cutoffs: Cutoffs) -> Took:
        return Took(len(self._due(cutoffs)))

    def copy(self, cutoffs: Cutoffs, now: float) -> Path | None:
        if found := self._due(cutoffs):
            self.copies.append(len(found))
        return Path("copy") if found else None

    def batches(self, cutoffs: Cutoffs) -> Iterator[Took]:
        for number, each in enumerate(self._due(cutoffs)):
            if number == self.fails_after:
                raise UnavailableError("the store cannot do it now: database is locked")
            self.rows.remove(each)
            yield Took(1)

    def empty_log(self) -> bool:
        self.busy -= 1
        return self.busy < 0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rows(clock: Clock) -> Rows:
    """A row for each of the last fifty days, twenty of which are old."""
    return Rows([clock.now() - (day + 0.5) * DAY for day in range(50)])


def pruning(rows: Rows, clock: Clock, keep: float | None = KEEP) -> Retention:
    return Retention(rows, clock, lambda: keep)


def test_what_is_older_than_texts_are_kept_is_taken(rows: Rows, clock: Clock) -> None:
    done = pruning(rows, clock).run()
    assert (done.erased, len(rows.rows), done.before) == (20, 30, clock.now() - KEEP)
    assert (done.copy, done.copy_goes_at) == ("copy", clock.now() + 7 * DAY)
    assert rows.memory == Remembered(clock.now(), clock.now() - KEEP, clock.now() - KEEP)


def test_without_a_limit_nothing_is_pruned(rows: Rows, clock: Clock) -> None:
    assert pruning(rows, clock, None).run() == Pruned()
    assert len(rows.rows) == 50


def test_hour_by_hour_no_copy_is_made(rows: Rows, clock: Clock) -> None:
    found = pruning(rows, clock)
    for hour in range(72):
        done = found.run()
        assert (done.copy is None) is (hour > 0)
        clock.go_on(3600)
    assert rows.copies == [20]
    assert len(rows.rows) == 27


@pytest.mark.parametrize("days", [1, 8, 400, 4000])
def test_a_clock_that_jumps_while_control_runs_prunes_nothing(rows: Rows, clock: Clock, days: int) -> None:
    found = pruning(rows, clock)
    found.run()
    left = list(rows.rows)
    clock.go_on(3600)
    clock.set_by(days * DAY)
    rows.rows.append(clock.now())  # recognitions go on, with the wrong time
    for _ in range(3):
        with pytest.raises(RefusedError, match="nothing is pruned by it"):
            found.run()
        clock.go_on(3600)
    assert rows.rows[:-1] == left
    clock.set_by(-days * DAY)
    found.run()
    assert rows.rows[:-1] == left
    assert rows.copies == [20]


def test_a_clock_that_jumps_while_nothing_runs_prunes_nothing(rows: Rows, clock: Clock) -> None:
    pruning(rows, clock).run()
    clock.set_by(4000 * DAY)
    with pytest.raises(RefusedError):
        pruning(rows, clock).run()
    assert len(rows.rows) == 30


def test_a_person_may_vouch_for_the_clock(rows: Rows, clock: Clock) -> None:
    found = pruning(rows, clock)
    found.run()
    clock.set_by(10 * DAY)
    with pytest.raises(RefusedError):
        found.run()
    # By the command line, beside control.
    assert pruning(rows, clock).run(trust_clock=True).erased == 10
    clock.go_on(3600)
    assert found.run().erased == 0


def test_a_prune_that_fails_in_the_middle_goes_on_without_a_second_copy(rows: Rows, clock: Clock) -> None:
    rows.fails_after = 5
    with pytest.raises(UnavailableError):
        pruning(rows, clock).run()
    assert (len(rows.rows), rows.memory.pruned_before) == (45, None)
    rows.fails_after = None
    assert pruning(rows, clock).run().erased == 15
    assert rows.copies == [20]


def test_an_end_of_control_ends_a_prune_after_a_step(rows: Rows, clock: Clock) -> None:
    done = Retention(rows, clock, lambda: KEEP, wait=lambda _: True).run()
    assert done.erased == 1
    assert rows.memory.pruned_before is None


def test_a_log_that_cannot_be_emptied_is_said(rows: Rows, clock: Clock) -> None:
    rows.busy = 5
    assert pruning(rows, clock).run().trouble == []
    rows.rows.append(0.0)
    rows.busy = 100
    assert pruning(rows, clock).run().trouble == [
        "somebody reads the history: what was erased leaves its log at the next prune"
    ]


def test_what_lies_beside_the_history_is_tidied_and_its_trouble_said(rows: Rows, clock: Clock) -> None:
    asked: list[tuple[float, float | None]] = []

    def broken(now: float, keep: float | None) -> None:
        raise UnavailableError("the log cannot be tidied")

    def noted(now: float, keep: float | None) -> None:
        asked.append((now, keep))

    done = Retention(rows, clock, lambda: KEEP, (broken, noted)).run()
    assert done.trouble == ["the log cannot be tidied"]
    assert asked == [(clock.now(), KEEP)]


def test_the_loop_tells_what_was_taken_and_what_stands_in_the_way(rows: Rows, clock: Clock) -> None:
    loop = RetentionLoop(lambda wait: pruning(rows, clock), lambda: KEEP)
    assert loop.last() == {"texts_seconds": KEEP, "last": None, "trouble": None}
    assert loop.once() == 3600
    last = {"before": clock.now() - KEEP, "erased": 20, "unnamed": 0, "copy": "copy"}
    assert loop.last() == {"texts_seconds": KEEP, "last": last, "trouble": None}
    rows.error = UnavailableError("the store cannot do it now: disk I/O error")
    assert loop.once() == 600
    assert loop.last() == {"texts_seconds": KEEP, "last": last, "trouble": str(rows.error)}
    rows.error = ValueError("a bug")
    assert loop.once() == 3600
    assert loop.last()["trouble"] == "ValueError: a bug"
    rows.error = None
    loop.once()
    assert loop.last()["trouble"] is None


def test_the_loop_ends_at_once(rows: Rows, clock: Clock) -> None:
    loop = RetentionLoop(lambda wait: pruning(rows, clock), lambda: KEEP)
    loop.start()
    loop.stop()
    assert len(rows.rows) == 50
