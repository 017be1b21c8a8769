"""What control asks of versions by itself, in the background: whether they are there, and a clip now and then.

Nothing of it is evidence: it shows what the traffic cannot (a foreign service that answers 200 without a text).
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from huidu.core.errors import HuiduError
from huidu.core.plan import Golden, Plan
from huidu.core.safety import Probe
from huidu.core.version import Version
from huidu.ports import Clock, Instance, Reach

_REACH_SECONDS = 3.0
# Less than a minute: with the two that follow a silent one, a minute after its texts stop a candidate is held.
_CLIP_SECONDS = 45.0
# What looks silent is asked again soon: it takes three of these to be sure.
_SUSPICIOUS_SECONDS = 4.0
# Of two answers in a row that nobody is there the second is believed.
_TIMES_GONE = 2


class Reached:
    """Looks every few seconds whether anybody serves at the URLs of foreign versions."""

    def __init__(self, instance: Instance, clock: Clock):
        self._instance, self._clock = instance, clock
        self._found: dict[str, Reach] = {}
        self._gone: dict[str, int] = {}
        self._looking: threading.Thread | None = None
        self._next = 0.0

    @property
    def found(self) -> dict[str, Reach]:
        """What was found last, by version."""
        return dict(self._found)

    def gone(self, versions: Iterable[str]) -> list[tuple[str, Reach]]:
        """Those of some versions at which nobody has answered for a while."""
        counts = {name: self._gone.get(name, 0) for name in versions}
        return [(name, self._found[name]) for name, count in counts.items() if count >= _TIMES_GONE]

    def look(self, versions: list[Version]) -> None:
        """Begins to look in the background, if it is time to."""
        now = self._clock.monotonic()
        if now < self._next or (self._looking is not None and self._looking.is_alive()):
            return
        self._next = now + _REACH_SECONDS
        foreign = [version for version in versions if not version.managed]
        for left in self._found.keys() - {version.name for version in foreign}:
            # What was found of a version that nobody looks at any more tells nothing when it comes back.
            del self._found[left]
            self._gone.pop(left, None)
        if foreign:
            self._looking = threading.Thread(target=self._look, args=(foreign,), daemon=True)
            self._looking.start()

    def _look(self, versions: list[Version]) -> None:
        for version in versions:
            reach = self._any(version)
            self._found[version.name] = reach
            self._gone[version.name] = 0 if reach.answers else self._gone.get(version.name, 0) + 1

    def _any(self, version: Version) -> Reach:
        """The first of its addresses that answers, else what the last one said."""
        reach = Reach(False, "no address")
        for url in version.urls:
            reach = self._instance.reach(url)
            if reach.answers:
                break
            reach = Reach(False, f"{version.name} at {url} {reach.detail}")
        return reach


@dataclass(frozen=True, slots=True)
class _Pair:
    """The two sides of a release that a clip goes to."""

    release: int
    stable: str
    candidate: str
    clip: Callable[[], Path | None]


class ClipProbe:
    """Gives a clip to both versions of a release every 45 s, directly; sooner where the candidate said nothing."""

    def __init__(self, instance: Instance, clock: Clock):
        self._instance, self._clock = instance, clock
        self._asking: threading.Thread | None = None
        self._made: Probe | None = None
        self._release: int | None = None
        self._next = 0.0

    def take(self) -> Probe | None:
        """What came of the last clip, once."""
        made, self._made = self._made, None
        return made

    def stop(self) -> None:
        """Forgets a release that does not serve any more."""
        self._release, self._made = None, None

    def ask(self, release: int, stable: str, candidate: str, clip: Callable[[], Path | None], last: int) -> None:
        """Gives a clip in the background, if it is time to. Addresses; `last` is the number of the last probe."""
        now = self._clock.monotonic()
        if release != self._release:
            self._release, self._next, self._made = release, now, None
        if now < self._next or (self._asking is not None and self._asking.is_alive()):
            return
        if self._made is not None:
            # It took so long that the next one is due: first it is told, or both would have one number.
            return
        self._next = now + _CLIP_SECONDS
        pair = _Pair(release, stable, candidate, clip)
        self._asking = threading.Thread(target=self._ask, args=(pair, last + 1), daemon=True)
        self._asking.start()

    def _ask(self, pair: _Pair, number: int) -> None:
        clip = pair.clip()
        if clip is None:
            return
        heard = [
            self._instance.hear(address, clip, f"probe-{pair.release}-{side}-{number}")
            for side, address in (("stable", pair.stable), ("candidate", pair.candidate))
        ]
        if pair.release != self._release:
            return
        self._made = Probe(number, *heard)
        if heard[0].something and not heard[1].something:
            self._next = self._clock.monotonic() + _SUSPICIOUS_SECONDS


def clip_of(plan: Plan, utterance: Callable[[Path], Path | None], otherwise: Callable[[], Path | None]) -> Path | None:
    """The clip that a release is probed with: the shortest of its golden set that has a text, else another."""
    for stage in plan.stages:
        if isinstance(stage, Golden):
            try:
                found = utterance(Path(stage.set))
            except HuiduError:
                break
            if found is not None:
                return found
    return otherwise()
