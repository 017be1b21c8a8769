"""What control asks by itself, in the background."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import Clock, FakeInstance

from huidu.control.probing import ClipProbe, Reached, clip_of
from huidu.core.errors import InvalidError
from huidu.core.plan import Golden, Plan, Share
from huidu.core.safety import Heard, Probe
from huidu.core.version import Version
from huidu.ports import Reach

CLIP = Path("clip.wav")
SILENT, HEARD = Heard("", 200), Heard("一", 200)


class Hanging:
    """Lets nobody pass until it is told to; `entered` says that somebody waits."""

    def __init__(self) -> None:
        self.entered, self._go_on = threading.Event(), threading.Event()

    def __call__(self, address: str) -> None:
        self.entered.set()
        assert self._go_on.wait(10)

    def go_on(self) -> None:
        self._go_on.set()


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    found = Hanging()
    yield found
    # Nobody is left behind.
    found.go_on()


class Site:
    """A probe of release 1, and what came of it."""

    def __init__(self) -> None:
        self.clock, self.instance = Clock(), FakeInstance()
        self.probe = ClipProbe(self.instance, self.clock)
        self.last = 0

    def ask(self, release: int = 1, clip: Callable[[], Path | None] = lambda: CLIP) -> None:
        self.probe.ask(release, "stable", "candidate", clip, self.last)

    def made(self) -> Probe | None:
        """What came of the last clip, once it is there."""
        thread = self.probe._asking
        if thread is not None:
            thread.join(10)
            assert not thread.is_alive()
        found = self.probe.take()
        self.last = found.number if found else self.last
        return found

    def tick(self, seconds: float, **named: Any) -> Probe | None:
        self.clock.go_on(seconds)
        self.ask(**named)
        return self.made()


@pytest.fixture
def site() -> Site:
    return Site()


def test_a_clip_goes_to_both_versions_at_once_and_then_every_45_seconds(site: Site) -> None:
    assert site.tick(0.5) == Probe(1, HEARD, HEARD)
    assert site.instance.heard == [("stable", "probe-1-stable-1"), ("candidate", "probe-1-candidate-1")]
    made = [site.tick(0.5) for _ in range(89)]
    assert made == [None] * 89
    assert site.tick(0.5) == Probe(2, HEARD, HEARD)
    # What came of it is told once.
    assert site.probe.take() is None


def test_a_candidate_that_was_silent_is_asked_again_after_four_seconds(site: Site) -> None:
    site.instance.deaf["candidate"] = SILENT
    numbers = []
    for _ in range(24):
        found = site.tick(0.5)
        numbers += [found.number] if found else []
    # Three of them within ten seconds: enough to be sure.
    assert numbers == [1, 2, 3]
    site.instance.deaf.clear()
    assert [site.tick(4.0), site.tick(4.0)] == [Probe(4, HEARD, HEARD), None]


@pytest.mark.parametrize("stable", [SILENT, Heard(None, 404), Heard(None, None, "refused")])
def test_where_the_stable_version_says_nothing_either_it_is_asked_no_sooner(site: Site, stable: Heard) -> None:
    site.instance.deaf |= {"stable": stable, "candidate": SILENT}
    assert site.tick(0.5) == Probe(1, stable, SILENT)
    assert [site.tick(10.0) for _ in range(4)] == [None] * 4
    assert site.tick(10.0) == Probe(2, stable, SILENT)


def test_a_wall_clock_that_is_set_asks_neither_sooner_nor_later(site: Site) -> None:
    site.tick(0.5)
    for seconds in (86_400.0, -172_800.0):
        site.clock.set_by(seconds)
        assert site.tick(10.0) is None
    assert site.tick(40.0) is not None


def test_a_clip_that_hangs_delays_nobody_and_is_never_sent_twice(site: Site, hanging: Hanging) -> None:
    site.instance.before_hearing = hanging
    site.ask()
    assert hanging.entered.wait(10)
    for _ in range(10):
        site.clock.go_on(60.0)
        # Returns at once: nothing waits for what hangs.
        site.ask()
        assert site.probe.take() is None
    hanging.go_on()
    assert site.made() == Probe(1, HEARD, HEARD)
    assert len(site.instance.heard) == 2


def test_what_came_late_is_told_before_the_next_clip_takes_its_number(site: Site, hanging: Hanging) -> None:
    site.instance.before_hearing = hanging
    site.instance.deaf |= {"stable": SILENT}
    site.ask()
    assert hanging.entered.wait(10)
    site.clock.go_on(90.0)
    hanging.go_on()
    assert site.probe._asking is not None
    site.probe._asking.join(10)
    # As a tick does: it asks, then takes.
    site.ask()
    assert site.made() == Probe(1, SILENT, HEARD)
    assert site.tick(0.5) == Probe(2, SILENT, HEARD)


def test_the_clip_of_a_release_that_is_over_tells_nothing_about_the_next(site: Site, hanging: Hanging) -> None:
    site.instance.before_hearing = hanging
    site.ask()
    assert hanging.entered.wait(10)
    site.probe.stop()
    site.ask(release=2)
    hanging.go_on()
    assert site.made() is None
    # The next one begins at once.
    assert site.tick(0.5, release=2) == Probe(1, HEARD, HEARD)
    site.probe.stop()
    assert site.probe.take() is None


def test_without_a_clip_nobody_is_asked(site: Site) -> None:
    assert site.tick(0.5, clip=lambda: None) is None
    assert site.instance.heard == []


# ------------------------------------------------------------------ which clip

SHARES = (Share(500, 8.0), Share(10_000, 8.0))
WITH_GOLDEN = Plan((Golden("set.tsv"), *SHARES))


def refusing(path: Path) -> Path | None:
    raise InvalidError(f"{path} is gone")


@pytest.mark.parametrize(
    ("plan", "utterance", "found"),
    [
        (WITH_GOLDEN, lambda path: path / "a.wav", Path("set.tsv/a.wav")),
        (WITH_GOLDEN, lambda path: None, Path("kit.wav")),
        (WITH_GOLDEN, refusing, Path("kit.wav")),
        (Plan(SHARES), refusing, Path("kit.wav")),
    ],
)
def test_the_golden_sets_own_clip_comes_before_the_kits(
    plan: Plan, utterance: Callable[[Path], Path | None], found: Path
) -> None:
    assert clip_of(plan, utterance, lambda: Path("kit.wav")) == found


# ------------------------------------------------------------------ whether anybody is there


class Looking:
    """A look at two services of another make, beside one of ours."""

    def __init__(self) -> None:
        self.clock, self.instance = Clock(), FakeInstance()
        self.reached = Reached(self.instance, self.clock)
        self.versions = [
            Version("v1", urls=("http://a:80", "http://b:80")),
            Version("v2", urls=("http://c:80",)),
            Version("ours", model="m"),
        ]

    def look(self, seconds: float = 3.0) -> list[tuple[str, Reach]]:
        """Who is gone after another look."""
        self.clock.go_on(seconds)
        self.reached.look(self.versions)
        if self.reached._looking is not None:
            self.reached._looking.join(10)
        return self.reached.gone(("v1", "v2", "ours", "unknown"))


@pytest.fixture
def looking() -> Looking:
    return Looking()


def test_of_two_answers_in_a_row_that_nobody_is_there_the_second_is_believed(looking: Looking) -> None:
    assert looking.look() == []
    looking.instance.gone.add("http://c:80")
    assert looking.look() == []
    # What was found is shown at once.
    assert looking.reached.found["v2"] == Reach(False, "v2 at http://c:80 refuses connections")
    assert looking.look() == [("v2", Reach(False, "v2 at http://c:80 refuses connections"))]
    looking.instance.gone.clear()
    assert looking.look() == []
    looking.instance.gone.add("http://c:80")
    assert looking.look() == []


def test_a_version_is_there_while_one_of_its_addresses_is(looking: Looking) -> None:
    looking.instance.gone.add("http://a:80")
    assert [looking.look(), looking.look()] == [[], []]
    assert looking.reached.found["v1"].answers
    looking.instance.gone.add("http://b:80")
    assert [[name for name, _ in looking.look()] for _ in range(2)] == [[], ["v1"]]
    assert set(looking.reached.found) == {"v1", "v2"}


def test_a_look_is_taken_every_three_seconds_and_one_that_hangs_delays_nothing(
    looking: Looking, hanging: Hanging
) -> None:
    asked: list[str] = []
    looking.instance.before_reaching = asked.append
    for _ in range(12):
        looking.look(0.5)
    assert asked == ["http://a:80", "http://c:80"] * 2
    looking.instance.before_reaching = hanging
    for _ in range(4):
        looking.clock.go_on(3.0)
        looking.reached.look(looking.versions)
        assert hanging.entered.wait(10)
    assert looking.reached._looking is not None
    thread = looking.reached._looking
    hanging.go_on()
    thread.join(10)
    assert not thread.is_alive()


def test_what_was_found_of_a_version_that_ran_long_ago_is_forgotten(looking: Looking) -> None:
    looking.instance.gone.add("http://c:80")
    looking.look()
    assert len(looking.look()) == 1
    versions = looking.versions
    looking.versions = versions[:1]
    assert looking.look() == []
    # It comes back with the next release, and is there.
    looking.instance.gone.clear()
    looking.versions = versions
    looking.clock.go_on(3.0)
    assert looking.reached.gone(("v1", "v2")) == []
    assert set(looking.reached.found) == {"v1"}
