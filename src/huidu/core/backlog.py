"""What waits to be recorded while the store refuses: steps merged into one, in bounded memory.

Written in one transaction it leaves the same rows as its steps would have, one after the other. The log's checkpoint
is part of it: who dies with a backlog reads the log again from the stored one, and counts nothing twice.
"""

from collections.abc import Sequence

from huidu.core.evidence import Kind, Row
from huidu.core.record import Happening, Outcome, Record, Watch
from huidu.core.release import Fleet, Release

# Counts kept in rows: about a hundred MB. Hours of a busy day; then the log itself has to keep the rest.
FULL_COUNTS = 500_000
# Of what may happen again and again no more than so many are kept, the latest.
KEPT_HAPPENINGS = 500
_REPEATED = frozenset({"look", "alarm", "alarm_over"})


class Backlog:
    """Steps of one release at most: none begins while the store refuses."""

    def __init__(self) -> None:
        self._fleet: Fleet | None = None
        self._release: Release | None = None
        self._watch, self._by = Watch(), "control"
        self._outcome: Outcome | None = None
        self._happenings: list[Happening] = []
        self._evidence: list[Row] = []
        self._late: list[tuple[int, Row]] = []
        self._checkpoint: dict[str, object] | None = None
        self._left_out = 0
        self._counts = 0

    def __bool__(self) -> bool:
        return self._fleet is not None

    @property
    def rows(self) -> int:
        """Rows of evidence that wait."""
        return len(self._evidence) + len(self._late)

    @property
    def full(self) -> bool:
        """Whether no more evidence may be added: what is still in the log stays there."""
        return self._counts >= FULL_COUNTS

    @property
    def outcome(self) -> tuple[Release, Outcome] | None:
        """The release that ended meanwhile, and how."""
        return (self._release, self._outcome) if self._release is not None and self._outcome is not None else None

    def add(self, fleet: Fleet, record: Record) -> None:
        """Adds a step: the newest state stands, rows and happenings add up."""
        self._fleet = fleet
        if record.release is not None:
            self._release, self._watch = record.release, record.watch
            self._by = record.by if self._by == "control" else self._by
            self._outcome = record.outcome or self._outcome
        self._evidence += record.evidence
        self._late += record.late
        self._counts += sum(map(_counts, record.evidence)) + sum(_counts(row) for _, row in record.late)
        self._happenings += record.happenings
        if len(self._happenings) > 2 * KEPT_HAPPENINGS:
            self._forget()
        self._checkpoint = record.checkpoint or self._checkpoint

    def _forget(self) -> None:
        self._happenings, left_out = latest(self._happenings)
        self._left_out += left_out

    def whole(self) -> tuple[Fleet, Record]:
        """All of it as one step. Raises `ValueError` where nothing waits."""
        if self._fleet is None:
            raise ValueError("nothing waits")
        happenings = self._happenings
        if self._left_out:
            last = happenings[-1]
            happenings = [*happenings, Happening(last.release, last.time, "left_out", {"count": self._left_out})]
        record = Record(
            self._release,
            self._watch,
            self._outcome,
            self._by,
            tuple(happenings),
            tuple(self._evidence),
            tuple(self._late),
            self._checkpoint,
        )
        return self._fleet, record


def latest(happenings: Sequence[Happening]) -> tuple[list[Happening], int]:
    """Happenings without the oldest of those that come again and again; and how many were left out."""
    repeated = sum(each.kind in _REPEATED for each in happenings)
    left_out, kept = max(0, repeated - KEPT_HAPPENINGS), []
    skip = left_out
    for each in happenings:
        if skip and each.kind in _REPEATED:
            skip -= 1
        else:
            kept.append(each)
    return kept, left_out


def _counts(row: Row) -> int:
    """About how many things a row holds."""
    if row.kind is not Kind.SECOND:
        return 4
    return 4 + sum(
        len(counts["new_units"]) + len(counts["peers"]) + len(counts["marks"]) + 4 * len(counts["groups"])
        for counts in row.payload.values()
    )
