"""Healthy candidates under odd traffic and under attack: nobody is refused, nothing is rolled back, each is promoted.

Stub services behind a real gateway, under `huidu up`; what happened is read from the gateway's log, from the store and
from `huidu status`.
"""

import asyncio
import itertools
import json
import random
import sqlite3
import time
from collections.abc import Awaitable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest
from crowds import UPGRADE, Answer, Ask, Caller, Crowd, GoneError, Loop, Service, crowd, opus, post, raw, stream, wav
from fronts import require
from installation import Installation, running, until

from huidu.core.bucket import bucket

BASE = """\
data: data
gateway: {{listen: "127.0.0.1:{{gateway}}", engine: {engine}, trusted_proxies: [127.0.0.1], hang_after: {hang_after}}}
control: {{listen: "127.0.0.1:{{control}}"}}
versions:
  old: {{url: "http://127.0.0.1:{old}"}}
  new: {{url: "http://127.0.0.1:{new}"}}
stable: old
"""
# What traffic of half a minute can certify; what rolls back is as it is by default.
GUARDS = """\
guards:
  cer: off
  numerals: off
  errors: {fail_above: +0pp, at_most: +20pp}
  latency: {fail_above: 1.1x, at_most: 3x, quantile: p75}
"""
ATTACKED = """\
plan:
  - {share: 5%, for: 25s, at_least: {recognitions: 20, units: 3}}
  - {share: 20%, for: 25s, at_least: {recognitions: 60, units: 3}}
  - {share: 100%, for: 10s, holdback: 5%}
"""
SAME = """\
plan:
  - {share: 50%, for: 15s, at_least: {recognitions: 100, units: 2}}
  - {share: 100%, for: 6s, holdback: 20%, at_least: {recognitions: 20, units: 2}}
"""
ATTACKED_SHORT = """\
plan:
  - {share: 20%, for: 20s, at_least: {recognitions: 60, units: 3}}
  - {share: 100%, for: 6s, holdback: 5%, at_least: {recognitions: 20, units: 2}}
"""
WATCHED = """\
plan:
  - {share: 20%, for: 10m}
  - {share: 100%, for: 10m}
"""
DEFAULT_GUARDS = """\
guards:
  cer: off
  numerals: off
"""
TEN_USERS = GUARDS.replace("+20pp", "+99pp")
USERS = 400
# The buckets below this are the candidate's in the bake of `SAME`.
BAKED_BP = 8000


@dataclass
class Site:
    up: Installation
    base: str
    loop: Loop
    old: Service
    new: Service

    def start(self, plan: str, guards: str = GUARDS) -> int:
        """Starts a release by a plan and returns its number once it serves."""
        self.new.fails = 0.0
        (self.up.folder / "huidu.yaml").write_text(self.base + plan + guards)
        started = self.up.huidu("release", "start", "new", "--json")
        assert started.returncode == 0, started.stderr
        until(lambda: self.up.routes()["candidate"] == "new")
        return int(json.loads(started.stdout)["id"])

    def over(self, release: int, seconds: float) -> dict[str, Any]:
        """The record of a release when it is over."""

        def ended() -> Any:
            found = self.record(release)
            return found if found["outcome"] else None

        try:
            found: dict[str, Any] = until(ended, seconds)
        except AssertionError:
            print(self.up.huidu("status", "--verbose").stdout)
            raise
        return found

    def record(self, release: int) -> dict[str, Any]:
        (found,) = self.query("select outcome, stage, guard, reason, started_at, ended_at from releases", release)
        return dict(found)

    def query(self, text: str, release: int) -> list[sqlite3.Row]:
        path = self.up.folder / "data/history.db"
        column = "id" if "from releases" in text else "release_id"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as store:
            store.row_factory = sqlite3.Row
            return store.execute(f"{text} where {column} = ?", (release,)).fetchall()

    def lines(self, release: int) -> list[dict[str, Any]]:
        """The gateway's lines of a release."""
        log = (self.up.folder / "data/logs/gateway.jsonl").read_text()
        return [row for row in map(json.loads, log.splitlines()) if row["release"] == release]

    def bad(self, release: int) -> list[str]:
        """Failed recognitions in the evidence."""
        return [
            row["payload"] for row in self.query("select kind, payload from evidence", release) if row["kind"] == "bad"
        ]

    def moves(self, release: int) -> list[tuple[str, str, str]]:
        """How a release went from stage to stage, and by what."""
        rows = self.query("select kind, payload from release_events", release)
        payloads = [(row["kind"], json.loads(row["payload"])) for row in rows]
        return [(payload["from"], payload["to"], kind) for kind, payload in payloads if "to" in payload]

    def back_to_old(self) -> None:
        status = self.up.status()
        if status["stage"] is not None or status["stable"] != "old":
            assert self.up.huidu("rollback").returncode == 0
        until(lambda: self.up.status()["stage"] is None and self.up.status()["stable"] == "old")


def site_of(engine: str, folder: Any, hang_after: str = "30s", part_of_length: float = 0.05) -> Iterator[Site]:
    require(engine)
    loop = Loop()
    old, new = (Service(name, loop, part_of_length) for name in ("old", "new"))
    ports = {"old": old.port, "new": new.port}
    try:
        with running(folder, BASE.format(engine=engine, hang_after=hang_after, **ports) + SAME + GUARDS) as up:
            # The ports that were chosen stand in the file now.
            base = (folder / "huidu.yaml").read_text().partition("plan:")[0]
            yield Site(up, base, loop, old, new)
    finally:
        for service in (old, new):
            service.close()
        loop.close()


# What is told of an attack is the same behind both: nginx's turn is deep, for the time it takes.
@pytest.fixture(scope="module", params=["envoy", pytest.param("nginx", marks=pytest.mark.deep)])
def shared_site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    yield from site_of(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture
def site(shared_site: Site) -> Iterator[Site]:
    """Where no release runs, and the old version is stable."""
    yield shared_site
    shared_site.back_to_old()


@pytest.fixture(params=["envoy", "nginx"])
def patient_site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """All times a hundredth: recordings of half an hour are 18 s long, and the usual 30 s are 0.3."""
    yield from site_of(request.param, tmp_path_factory.mktemp(request.param), "0.3s", 0.1)


# ------------------------------------------------------------------ people


def people(number: int, salt: str = "", apart: bool = False) -> list[Caller]:
    """Users with a cookie each; `apart`: with an address each, too."""
    address = [f"10.{index // 250 + 1}.{index % 250 + 1}.7" if apart else None for index in range(number)]
    return [Caller(f"user-{salt}{index}", address[index]) for index in range(number)]


def lengths(seed: int) -> Iterator[float]:
    """Seconds of clips as people speak them: one to six."""
    chance = random.Random(seed)
    while True:
        yield chance.uniform(1, 6)


def speaking(port: int, callers: list[Caller], bytes_per_second: float = 0.0) -> Ask:
    """Each in turn speaks a clip."""
    spoken = lengths(len(callers))

    async def ask(turn: int) -> Answer:
        return await post(port, callers[turn % len(callers)], wav(next(spoken)), bytes_per_second)

    return ask


def well(found: Crowd) -> None:
    """Nobody of a crowd was refused anything."""
    assert (found.refused, found.troubles) == ({}, [])


def promoted(site: Site, release: int, seconds: float) -> None:
    """Waits until a release is promoted by its evidence, which nobody held and nothing alarmed."""
    ended = site.over(release, seconds)
    assert ended["outcome"] == "promoted", ended
    assert ended["reason"] == "every stage passed"
    assert {kind for _, _, kind in site.moves(release)} <= {"admitted", "stage_passed"}


def missed_nothing(site: Site, release: int, users: Crowd) -> None:
    """Nobody of a crowd that has left missed anything, and in the bake each side served exactly its buckets."""
    well(users)
    lines = [line for line in site.lines(release) if line["kind"] != "other"]
    assert [line for line in lines if line["attempts"] != 1 or line["served_by"] != line["version"]] == []
    assert site.bad(release) == []
    bake = {(line["version"], line["bucket"] < BAKED_BP) for line in lines if line["share_bp"] == 10_000}
    assert bake == {("new", True), ("old", False)}


# ------------------------------------------------------------------ the same version twice


@pytest.mark.deep
def test_all_users_behind_one_address(site: Site) -> None:
    release = site.start(SAME)
    with crowd(site.loop, speaking(site.up.gateway, people(USERS))) as users:
        promoted(site, release, 60)
    missed_nothing(site, release, users)
    assert len({line["peer"] for line in site.lines(release)}) == 1


@pytest.mark.deep
def test_ten_users(site: Site) -> None:
    release = site.start(SAME, TEN_USERS)
    # Ten who are split as a half may split them, 10:0 left out.
    salt = site.up.routes()["salt"]
    ten = next(
        found
        for found in (people(10, f"{draw}-") for draw in itertools.count())
        if 3 <= sum(bucket(salt, each.uid or "") < 5000 for each in found) <= 7
        and any(bucket(salt, each.uid or "") >= BAKED_BP for each in found)
    )
    with crowd(site.loop, speaking(site.up.gateway, ten)) as users:
        promoted(site, release, 90)
    missed_nothing(site, release, users)


@pytest.mark.deep
def test_slow_uploads(site: Site) -> None:
    release = site.start(SAME)
    with crowd(site.loop, speaking(site.up.gateway, people(USERS, apart=True), bytes_per_second=20_000)) as users:
        promoted(site, release, 90)
    missed_nothing(site, release, users)


@pytest.mark.deep
def test_sockets_only(site: Site) -> None:
    release, callers = site.start(SAME), people(USERS, apart=True)

    async def ask(turn: int) -> Answer:
        return await stream(site.up.gateway, callers[turn % USERS], 2.0)

    with crowd(site.loop, ask, 10) as users:
        promoted(site, release, 90)
    missed_nothing(site, release, users)


@pytest.mark.deep
def test_long_recordings_only(patient_site: Site) -> None:
    site = patient_site
    release, callers = site.start(SAME), people(USERS, apart=True)

    async def ask(turn: int) -> Answer:
        make = (wav, opus)[turn % 2]
        return await post(site.up.gateway, callers[turn % USERS], make(18.0))

    with crowd(site.loop, ask, 10) as users:
        promoted(site, release, 90)
    missed_nothing(site, release, users)
    served = [line["service_ms"] for line in site.lines(release)]
    assert min(served) > 1500, "each took longer than what a short upload may wait"


# ------------------------------------------------------------------ attacks


@dataclass
class Attacker:
    """Somebody at one address who asks until the candidate answers, keeps those cookies, and uses no others."""

    port: int
    address: str = "192.0.2.66"
    cookies: list[Caller] = field(default_factory=list)

    async def collect(self, wanted: int) -> None:
        while len(self.cookies) < wanted:
            answer = await post(self.port, Caller(None, self.address), wav(1))
            if answer.name == "new" and answer.minted:
                self.cookies.append(Caller(answer.minted, self.address))

    def callers(self, number: int) -> list[Caller]:
        return list(itertools.islice(itertools.cycle(self.cookies), number))

    async def trickle(self) -> None:
        """120 uploads that take five seconds each, whatever their length."""

        async def upload(number: int, caller: Caller, clip: bytes) -> None:
            # To end all at once would make this process slow, not the candidate.
            await asyncio.sleep(number / 40)
            await post(self.port, caller, clip, bytes_per_second=len(clip) / 5)

        clips = [wav(length) for length in itertools.islice(lengths(120), 120)]
        callers = self.callers(120)
        await self._all(upload(number, callers[number], clip) for number, clip in enumerate(clips))

    async def send_long(self) -> None:
        """160 long clips at once."""
        await self._all(post(self.port, each, wav(20)) for each in self.callers(160))

    async def fill_band(self) -> None:
        """160 clips as long as those of a band may be that others fill with shorter ones."""
        for _ in range(8):
            await self._all(post(self.port, each, wav(3)) for each in self.callers(20))

    async def stall(self) -> None:
        """100 uploads that stop on the way, and leave after three seconds."""
        await self._all(leave_in_upload(self.port, each, 3) for each in self.callers(100))

    async def fail(self, seconds: float) -> None:
        """Ten requests a second that fail in every way a client can bring about."""
        ways = itertools.cycle((bad_body, leave_before_answer, leave_in_upload, oversized, garbage_socket, vanish))
        ends = asyncio.get_running_loop().time() + seconds
        sent = []
        for way, caller in zip(ways, itertools.cycle(self.cookies), strict=False):
            sent.append(asyncio.create_task(self._all([way(self.port, caller)])))
            await asyncio.sleep(0.1)
            if asyncio.get_running_loop().time() > ends:
                break
        await asyncio.gather(*sent)

    async def _all(self, asked: Iterable[Awaitable[Any]]) -> None:
        for result in await asyncio.gather(*asked, return_exceptions=True):
            # To be refused, or cut off, is an attacker's lot.
            if isinstance(result, BaseException) and not isinstance(result, (GoneError, OSError)):
                raise result


async def bad_body(port: int, caller: Caller) -> None:
    await post(port, caller, b"no audio at all")


async def leave_before_answer(port: int, caller: Caller) -> None:
    await post(port, caller, wav(10), leave_at=-1)


async def leave_in_upload(port: int, caller: Caller, seconds: float = 0.0) -> None:
    await post(port, caller, wav(3), leave_at=10_000, stays=seconds)


async def oversized(port: int, caller: Caller) -> None:
    await raw(port, caller, ["POST /asr HTTP/1.1", "Content-Length: 9000000000"], b"RIFF" * 1000)


async def garbage_socket(port: int, caller: Caller) -> None:
    await raw(port, caller, ["GET /asr HTTP/1.1", *UPGRADE], b"\xff\xfe no frames of any kind" * 50)


async def vanish(port: int, caller: Caller) -> None:
    await raw(port, caller, ["GET /asr HTTP/1.1", *UPGRADE], b"")


async def attack(attacker: Attacker, seconds: float) -> None:
    """All of it, one after the other, for about so long; failing requests go beside the rest."""
    failing = asyncio.create_task(attacker.fail(seconds))
    for way in (attacker.trickle, attacker.stall, attacker.send_long):
        await way()
    await failing


def went_on(site: Site, release: int, most_seconds: float) -> None:
    """The release is promoted by its evidence, and its stages lasted as long as the plan says, and little longer."""
    ended = site.over(release, most_seconds)
    assert (ended["outcome"], ended["reason"]) == ("promoted", "every stage passed"), ended
    assert {kind for _, _, kind in site.moves(release)} <= {"admitted", "stage_passed"}


def test_a_healthy_candidate_is_promoted_under_attack(site: Site) -> None:
    release = site.start(ATTACKED_SHORT)
    attacker = Attacker(site.up.gateway)
    with crowd(site.loop, speaking(site.up.gateway, people(USERS, apart=True))) as users:
        site.loop.run(attacker.collect(8)).result(30)
        site.loop.run(attack(attacker, 15)).result(60)
        went_on(site, release, 60)
    well(users)


@pytest.mark.deep
def test_clips_longer_than_others_in_their_band_prove_nothing(site: Site) -> None:
    release = site.start(ATTACKED_SHORT)
    attacker = Attacker(site.up.gateway)
    with crowd(site.loop, speaking(site.up.gateway, people(USERS, apart=True))):
        site.loop.run(attacker.collect(12)).result(30)
        site.loop.run(attacker.fill_band()).result(60)
        went_on(site, release, 60)


WAYS = {"trickled": Attacker.trickle, "long": Attacker.send_long, "stalled": Attacker.stall}


@pytest.mark.deep
@pytest.mark.parametrize("way", ["trickled", "long", "stalled", "failing"])
def test_each_attack_at_small_and_larger_shares(site: Site, way: str) -> None:
    release = site.start(ATTACKED)
    attacker = Attacker(site.up.gateway)
    with crowd(site.loop, speaking(site.up.gateway, people(USERS, apart=True))) as users:
        site.loop.run(attacker.collect(12)).result(60)
        for stage in ("share:500", "share:2000"):
            until(lambda: site.up.status()["stage"] == stage)  # noqa: B023
            site.loop.run(WAYS[way](attacker) if way in WAYS else attacker.fail(20)).result(60)
        went_on(site, release, 60)
    well(users)


# ------------------------------------------------------------------ what is really worse


@pytest.mark.deep
@pytest.mark.parametrize("who", ["behind one address", "one recorder"])
def test_a_candidate_that_fails_one_in_twenty_is_rolled_back(site: Site, who: str) -> None:
    release = site.start(WATCHED, DEFAULT_GUARDS)
    callers = [Caller()] if who == "one recorder" else people(USERS)
    with crowd(site.loop, speaking(site.up.gateway, callers)):
        until(lambda: len(site.lines(release)) > 200)
        site.new.fails = 0.05
        begun = time.monotonic()
        ended = site.over(release, 300)
    print(f"{who}: rolled back after {time.monotonic() - begun:.0f} s")
    assert (ended["outcome"], ended["guard"]) == ("rolled_back", "errors"), ended
