"""Rules that answer what no comparison of many users can see: included users, and clips that control sends itself.

Pure: the state so far and what was seen since give the next state.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from huidu.core.observation import Failure, Sample
from huidu.core.units import key_of

# So many failures in a row of users who chose the candidate end a release.
INCLUDED_FAILURES = 5
# So many probes in a row without a text, where the stable version gives one, are an alarm.
SILENT_PROBES = 3
# A socket without a word may be a muted microphone: it is compared between the sides, and counts for nothing here.
_MUTE = "mute"


@dataclass(frozen=True, slots=True)
class IncludedRun:
    """Failures in a row of users who chose the candidate.

    `units` are those of the failures since the last success, `users` the first two such users of the release.
    """

    units: tuple[str, ...] = ()
    users: tuple[str, ...] = ()

    @property
    def ends_release(self) -> bool:
        """Five failures in a row, of two users or more; of one where there is no other."""
        if len(self.units) < INCLUDED_FAILURES:
            return False
        return len(set(self.units)) > 1 or len(self.users) < 2


def included_run(run: IncludedRun, seen: Iterable[Sample], candidate: str, stable: str) -> IncludedRun:
    """The run after some samples, in order.

    A success of an included user begins it anew; a socket that goes on is none yet. So does a failure of the stable
    version in between: what fails there, too, is not the candidate's doing.
    """
    for sample in seen:
        failed = sample.failure is Failure.BAD
        if sample.reason == _MUTE or not (sample.over or failed):
            continue
        if sample.version == stable and failed:
            run = replace(run, units=())
        elif sample.version == candidate and sample.included:
            if run.users and key_of(run.users[0]) != key_of(sample.user):
                # After an upgrade everybody has another unit: the same user must not stand for two.
                run = IncludedRun()
            users = run.users if sample.user in run.users else (*run.users, sample.user)[:2]
            if not failed:
                # A client that left tells nothing.
                run = IncludedRun(run.units if sample.status_class == "left" else (), users)
            elif len(run.units) < INCLUDED_FAILURES or len(set(run.units)) == 1:
                run = IncludedRun((*run.units, sample.user)[-INCLUDED_FAILURES:], users)
    return run


@dataclass(frozen=True, slots=True)
class Heard:
    """What a version made of a clip: its text (None: it gave none at all) and its status (None: no answer)."""

    text: str | None
    status: int | None
    detail: str = ""

    @property
    def something(self) -> bool:
        return bool(self.text and self.text.strip())

    @property
    def refused(self) -> bool:
        return self.status is not None and 400 <= self.status < 500


@dataclass(frozen=True, slots=True)
class Probe:
    """One clip, given to both versions directly. `number` rises with each."""

    number: int
    stable: Heard
    candidate: Heard


@dataclass(frozen=True, slots=True)
class ProbeState:
    """`silent` probes in a row found a text at the stable version and none at the candidate.

    `measured` is False where the last one found none at the stable version either (another path, another language):
    then a probe tells nothing. None before the first. `refused` says that the candidate refused, with a status of
    4xx, what the stable version took.
    """

    silent: int = 0
    measured: bool | None = None
    refused: bool = False
    number: int = 0

    @property
    def alarming(self) -> bool:
        return self.silent >= SILENT_PROBES


def probed(state: ProbeState, probe: Probe) -> ProbeState:
    """The state after a probe; one that was seen before changes nothing."""
    if probe.number <= state.number:
        return state
    if not probe.stable.something:
        return ProbeState(0, False, False, probe.number)
    silent = 0 if probe.candidate.something else state.silent + 1
    return ProbeState(silent, True, probe.candidate.refused, probe.number)
