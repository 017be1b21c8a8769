"""Whether the gateway's lines arrive: lines written, as the gateway counts them, against lines read.

Pure: the state so far and what one tick saw give the next state. Times are seconds of a monotonic clock.
"""

from dataclasses import dataclass, replace

# A gateway flushes its lines every 200 ms and control reads twice a second: a line that is not there by then is lost.
SETTLE_SECONDS = 3.0
# Lines that are lost stay lost. Once as many more arrive as are written, for so long, evidence flows again.
AGAIN_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What one tick saw at a time `at`.

    `written` lines and `failures` to write are the gateway's own counts, for its present run `life`, asked for after
    the log was read; None where it does not answer. `read` is how many lines were ever read. `trouble` says what is
    wrong with the file itself: gone, replaced, unreadable.
    """

    at: float
    written: int | None
    failures: int
    life: str
    read: int
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """How lines arrive in one `life` of the gateway.

    `samples` are what was written at recent times. `lag` is the smallest number by which lines written were ever
    ahead of lines read at the same moment: both counts began at different times. `missing` lines were written long
    enough ago, and are not read. The most that were ever ahead meanwhile, `missing_most`, were so at `missing_since`,
    when `missing_written` had been written. `since` is when the trouble began that still stands, for the reason `why`.
    """

    life: str = ""
    samples: tuple[tuple[float, int], ...] = ()
    lag: int | None = None
    failures: int = 0
    missing: int = 0
    missing_most: int | None = None
    missing_since: float = 0.0
    missing_written: int = 0
    since: float | None = None
    why: str = ""

    def seconds(self, at: float) -> float | None:
        """How long lines have not arrived, or the file has been in trouble; None where all is well."""
        return None if self.since is None else at - self.since


def flowed(flow: Flow, seen: Seen) -> Flow:
    """The flow after a tick."""
    if seen.written is None:
        return _troubled(flow, seen.at, seen.trouble or "the gateway does not answer")
    if seen.life != flow.life or (flow.samples and seen.written < flow.samples[-1][1]):
        # Another run of the gateway counts from the start; what the last one had not flushed is gone.
        flow = Flow(seen.life, failures=seen.failures, since=flow.since, why=flow.why)
    if seen.trouble is not None or seen.failures > flow.failures:
        # Said by itself; what it cost must not be said again in a quiet hour.
        return _judged(replace(flow, samples=(), lag=None, missing=0, missing_most=None), seen, known=False)
    settled = [written for at, written in flow.samples if at <= seen.at - SETTLE_SECONDS]
    recent = tuple(sample for sample in flow.samples if sample[0] > seen.at - SETTLE_SECONDS)
    kept = ((seen.at - SETTLE_SECONDS, settled[-1]),) if settled else ()
    ahead = seen.written - seen.read
    lag = ahead if flow.lag is None else min(flow.lag, ahead)
    flow = replace(flow, samples=(*kept, *recent, (seen.at, seen.written)), lag=lag)
    if settled:
        flow = _missed(flow, max(0, settled[-1] - seen.read - lag), seen)
    return _judged(flow, seen, known=bool(settled))


def _missed(flow: Flow, missing: int, seen: Seen) -> Flow:
    """The flow with so many lines missing now. Those that are lost are forgiven once others arrive as written.

    While users come and go `missing` moves with them; what tells of further losses is how far lines written are ahead.
    """
    assert seen.written is not None
    ahead = seen.written - seen.read
    if not missing:
        return replace(flow, missing=0, missing_most=None)
    if flow.missing_most is None or ahead > flow.missing_most:
        return replace(flow, missing=missing, missing_most=ahead, missing_since=seen.at, missing_written=seen.written)
    again = seen.at - flow.missing_since >= AGAIN_SECONDS and seen.written > flow.missing_written
    return replace(flow, lag=ahead, missing=0, missing_most=None) if again else replace(flow, missing=missing)


def _judged(flow: Flow, seen: Seen, known: bool) -> Flow:
    if seen.failures > flow.failures:
        failed = seen.failures - flow.failures
        return _troubled(replace(flow, failures=seen.failures), seen.at, f"{failed} writes to the log failed")
    if flow.missing:
        return _troubled(flow, seen.at, f"{flow.missing} lines that the gateway wrote have not arrived")
    if seen.trouble is not None:
        return _troubled(flow, seen.at, seen.trouble)
    if flow.since is not None and (not known or seen.at - flow.since < SETTLE_SECONDS):
        # Whether lines arrive again is known only after a while.
        return flow
    return replace(flow, since=None, why="")


def _troubled(flow: Flow, at: float, why: str) -> Flow:
    return replace(flow, since=at if flow.since is None else flow.since, why=why)
