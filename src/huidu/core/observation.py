"""What a gateway's log line, or an instance's report on a socket, says about one recognition.

`Observation` is a line as it stands in the log. `Sample` is what counts of it: which side of which stage, whether
users got what was due to them, and how long the version took. Both are plain values; nothing here looks at a clock.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from huidu.core.audience import COMPARED, Rule
from huidu.core.faces import RequestKind, hang_after_seconds
from huidu.core.plan import Share
from huidu.core.sockets import BAD_CODES, SocketReport, bad_close
from huidu.core.units import keyed

# What gateways log when the client went away before its answer; 100 is what Envoy says where it had been told to go on,
# 408 that its upload came too slowly and was ended.
CLIENT_LEFT = frozenset({0, 100, 408, 499})
# A socket to which audio has been sent for so long without a word is mute.
MUTE_MS = 10_000
# Behind nginx only bytes are seen: an answer of no more than this after the 101 holds no message worth the name.
MUTE_BYTES = 129
# A client that gave up a socket after so long was never let in: libraries wait ten seconds for that, and less by ours.
UNANSWERED_MS = 5_000
# What instances close a socket with that is to be opened again elsewhere.
MOVED_CODE = 4012
# A socket is counted once: at its end, or where it lasts, at its first report after this.
FIRST_REPORT_MS = 10_000

# Upper edges of the bands of length in which latencies are compared; the last band has none.
BANDS_SECONDS = (3.0, 10.0, 30.0, 120.0)
# The same lengths as bytes of 16 kHz PCM, where nobody knows seconds.
BANDS_BYTES = tuple(seconds * 32_000 for seconds in BANDS_SECONDS)
# Bands that are none of length: the first message of a socket, and what was measured before there were bands.
SOCKET_BAND, OLD_BAND = "socket", "old"


class Failure(StrEnum):
    """What users did not get, in three ways that are judged apart."""

    BAD = "bad"
    REJECTED = "rejected"
    EMPTY = "empty"


class Observation(NamedTuple):
    """One request as the gateway saw it. `version` is the one chosen, whoever served it in the end.

    `ms` runs from the request's start to the answer's end, `upload_ms` to the end of the upload (None: it never
    ended), `service_ms` from there to the answer's first byte. Bytes are of bodies, for a socket of all messages;
    what a gateway cannot see is None. `open` marks a socket that goes on, `broken` an answer that its version did not
    bring to its end. `key_id` says which key made unit and peer (`units.py`).
    """

    time: float
    request_id: str
    release: int | None
    version: str
    served_by: str | None
    generation: int
    rule: str
    unit: str
    share_bp: int
    attempts: int
    status: int
    ms: float
    audio_seconds: float | None = None
    kind: str = RequestKind.RECOGNITION
    peer: str | None = None
    service_ms: float | None = None
    upload_ms: float | None = None
    bytes_up: int | None = None
    bytes_down: int | None = None
    chars: int | None = None
    close_code: int | None = None
    closed_by: str | None = None
    first_message_ms: float | None = None
    frames_up: int | None = None
    frames_down: int | None = None
    open: bool = False
    broken: bool = False
    key_id: str | None = None

    @property
    def fell_back(self) -> bool:
        """Whether another version than the chosen one had to answer, or be asked."""
        return self.attempts > 1 or self.served_by not in (None, self.version)

    @property
    def left(self) -> bool:
        """Whether the client went away, or sent what no version was asked about: nobody's failure by itself."""
        if self.status in CLIENT_LEFT and self.service_ms is not None:
            # A version may answer so, too; of who leaves before an answer there is no time to its first byte.
            return False
        return self.status in CLIENT_LEFT or (self.attempts == 0 and 400 <= self.status < 500)

    @property
    def refused(self) -> bool:
        """Whether the version answered, and gave nothing: 4xx, another address, no socket, or a body without a byte."""
        if self.left or self.status >= 500:
            return False
        if self.kind == RequestKind.SOCKET:
            return self.status != 101
        return not 200 <= self.status < 300 or (self.bytes_down == 0 and self.chars is None)

    def failure(self, hang_seconds: float) -> str | None:
        """Why this is a failure of the version chosen, in a word; None where it is none.

        It fell back, or was answered with 500 and more, or its answer broke off, or its client gave up after waiting
        longer than is called a hang, or its answer began later than that: alike on both versions, whether or not
        another stands in.
        """
        if self.fell_back:
            return "fell_back"
        hang_ms = hang_after_seconds(hang_seconds, self.bytes_up or 0) * 1000
        if self.left:
            longest_ms = UNANSWERED_MS if self.kind == RequestKind.SOCKET else hang_ms
            return "left" if self.waited_ms > longest_ms else None
        if self.status >= 500:
            return "5xx"
        if self.service_ms is not None and self.service_ms > hang_ms:
            return "late"
        if self.kind == RequestKind.SOCKET:
            return self._socket_failure()
        return "broken" if self.broken else None

    @property
    def waited_ms(self) -> float:
        """How long the client waited after its upload; leaving during it says nothing about a version."""
        if self.kind == RequestKind.SOCKET:
            return self.ms
        return 0.0 if self.upload_ms is None else self.ms - self.upload_ms

    def _socket_failure(self) -> str | None:
        if self.closed_by == "service" and self.close_code in BAD_CODES:
            return f"close_{self.close_code}"
        sent_away = self.closed_by == "service" and self.close_code != MOVED_CODE
        return "mute" if (sent_away or self.ms >= MUTE_MS) and self._heard_nothing() else None

    def _heard_nothing(self) -> bool:
        if self.status != 101:
            return False
        if self.frames_down is not None:
            return self.frames_down == 0 and bool(self.frames_up)
        return self.bytes_down is not None and self.bytes_down <= MUTE_BYTES

    @property
    def status_class(self) -> str:
        return "left" if self.left else f"{self.status // 100}xx"


@dataclass(frozen=True, slots=True)
class Sample:
    """What one recognition adds to the evidence of its stage.

    `counts` is False for what only mends an earlier count: a socket that turned bad after it was counted. `answered`
    says whether the length of a text is known (`failure` EMPTY: there is none). `latency_ms` is None where there
    was no answer whose time tells anything; then the bands do not matter. `over` is False for a socket that goes on:
    how it ends is not known yet.
    """

    time: float
    request_id: str
    release: int | None
    stage: str
    version: str
    rule: str
    unit: str
    peer: str | None
    status_class: str
    status: int
    attempts: int
    ms: float
    audio_ms: int = 0
    counts: bool = True
    failure: Failure | None = None
    reason: str | None = None
    answered: bool = False
    latency_ms: float | None = None
    bands: tuple[str, ...] = ()
    generation: int | None = None
    over: bool = True
    key_id: str | None = None

    @property
    def user(self) -> str:
        """The unit, as one of its key."""
        return keyed(self.key_id, self.unit)

    @property
    def compared(self) -> bool:
        return self.rule in COMPARED

    @property
    def socket(self) -> bool:
        return self.bands == (SOCKET_BAND,)

    @property
    def included(self) -> bool:
        return self.rule == Rule.INCLUDED


def samples(
    observations: Iterable[Observation],
    reports: Iterable[SocketReport],
    hang_seconds: float,
    reported: Collection[str],
) -> Iterator[Sample]:
    """What lines and reports add to the evidence, in order. Requests of other kinds are left out.

    `reported` are the versions whose instances report their sockets themselves: of theirs the gateway tells only
    what they never opened. What another version reports is left out, for there the gateway tells; so is a report that
    names no user, which no gateway sent: whoever reaches an instance's port can cause one.
    """
    for observation in observations:
        sample = _of_line(observation, hang_seconds, reported)
        if sample is not None:
            yield sample
    for report in reports:
        if report.version in reported and report.unit is not None:
            yield _of_report(report)


@cache
def stage_name(share_bp: int) -> str:
    """The name of the stage in which this share of the users meets the candidate."""
    return Share(share_bp, 0.0).name


def _of_line(seen: Observation, hang_seconds: float, reported: Collection[str]) -> Sample | None:
    socket = seen.kind == RequestKind.SOCKET
    if not socket and seen.kind != RequestKind.RECOGNITION:
        return None
    if socket and seen.status == 101 and seen.version in reported and not seen.fell_back:
        return None
    counts = not socket or (seen.ms < 2 * FIRST_REPORT_MS if seen.open else not _was_open(seen))
    reason = seen.failure(hang_seconds)
    if not counts and reason is None and seen.open:
        return None
    return Sample(
        seen.time,
        seen.request_id,
        seen.release,
        stage_name(seen.share_bp),
        seen.version,
        seen.rule,
        seen.unit,
        seen.peer,
        seen.status_class,
        seen.status,
        seen.attempts,
        seen.ms,
        audio_ms=round((seen.audio_seconds or 0.0) * 1000),
        counts=counts,
        failure=_failure(seen, reason),
        reason=reason,
        answered=200 <= seen.status < 300 and seen.chars is not None,
        latency_ms=None if reason and reason != "late" else _latency_ms(seen),
        bands=(SOCKET_BAND,) if socket else _bands(seen),
        generation=seen.generation,
        over=not seen.open,
        key_id=seen.key_id,
    )


def _was_open(seen: Observation) -> bool:
    """Whether an ended socket was counted while it was open: only gateways that see frames report those."""
    return seen.ms >= FIRST_REPORT_MS and seen.frames_up is not None


def _failure(seen: Observation, reason: str | None) -> Failure | None:
    if reason is not None:
        return Failure.BAD
    if seen.refused:
        return Failure.REJECTED
    return Failure.EMPTY if 200 <= seen.status < 300 and seen.chars == 0 else None


def _latency_ms(seen: Observation) -> float | None:
    if seen.kind == RequestKind.SOCKET:
        return seen.first_message_ms
    if seen.left:
        # It would have taken longer still: a version that hangs is slow to those, too, who do not wait for it.
        return seen.waited_ms if seen.attempts and seen.upload_ms is not None else None
    # What was refused took no time to recognise: it would make a version look fast.
    return seen.service_ms if 200 <= seen.status < 300 else None


def _bands(seen: Observation) -> tuple[str, ...]:
    """The bands of length that a request belongs to: by bytes always, by seconds where they are known."""
    found = () if seen.bytes_up is None else (f"b{bisect_left(BANDS_BYTES, seen.bytes_up)}",)
    if seen.audio_seconds is None:
        return found
    return (*found, f"s{bisect_left(BANDS_SECONDS, seen.audio_seconds)}")


def _of_report(report: SocketReport) -> Sample:
    reason = bad_close(report)
    return Sample(
        report.opened_at,
        report.request_id,
        report.release_id,
        stage_name(report.share_bp or 0),
        report.version,
        report.rule or "",
        report.unit or "",
        report.peer,
        "1xx",
        101,
        1,
        (report.time - report.opened_at) * 1000,
        audio_ms=round(report.audio_seconds * 1000) if report.ended else 0,
        counts=report.number == 1,
        failure=Failure.BAD if reason else None,
        reason=reason,
        latency_ms=None if reason else report.first_message_ms,
        bands=(SOCKET_BAND,),
        over=report.ended,
        key_id=report.unit_key_id,
    )
