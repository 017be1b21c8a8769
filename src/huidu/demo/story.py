"""The story of the demo: three releases and one way back, with real recognition, gateway and traffic.

Acts are fixed, outcomes are not: what happens is up to the models in the kit. Truth reaches Huidu only as the
texts of a golden set and through reviewers.
"""

import json
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huidu.cli.control_client import ask_control
from huidu.core.errors import UnavailableError
from huidu.core.places import Places
from huidu.demo import figures
from huidu.demo.kit import Kit, Parts, divide, references, write_set
from huidu.demo.narrator import Narrator
from huidu.demo.people import Counted, Crowd, reviewer, users
from huidu.owner import Token, bearer

USERS = 420
REQUESTS_PER_SECOND = 40.0
REVIEWS_PER_SECOND = 24.0
GOLDEN_SIZE = 100
# An act that has not ended by then ends undecided.
ACT_SECONDS = 180.0

_READY_SECONDS = 60.0
_POLL_SECONDS = 0.25
_QUIET_SECONDS = 1.5

_CONFIG = """\
# The demo's own plan: short stages, and margins that so little traffic can certify.
data: {data}
gateway: {{listen: "127.0.0.1:{gateway}"}}
control: {{listen: "127.0.0.1:{control}", share_expiry: 30s}}
instances: {{listen: "127.0.0.1:{instances}"}}
admission: {{reserve: 200MB}}
versions:
{versions}
stable: {stable}
plan:
  - golden: {{set: {golden}, undecided: go_on}}
  - {{share: 5%, for: 12s, at_least: 30}}
  - {{share: 20%, for: 18s, at_least: 60}}
  - {{share: 50%, for: 28s}}
  - {{share: 100%, for: 6s}}
guards:
  errors:   {{fail_above: +0pp, at_most: +5pp}}
  latency:  {{fail_above: 1.5x, at_most: 2x, quantile: p95}}
  cer:      {{fail_above: +3pp, at_most: +5pp}}
  numerals: {{fail_above: +0pp, at_most: +12pp}}
alpha: 0.01
beta: 0.05
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """The demo's installation: where it lies and listens."""

    folder: Path
    gateway: int
    control: int
    instances: int

    @property
    def config(self) -> Path:
        return self.folder / "huidu.yaml"

    @property
    def places(self) -> Places:
        return Places(self.folder / "data")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.gateway}"

    def write_config(self, kit: Kit, golden: str) -> None:
        listed = "\n".join(
            f"  {json.dumps(name)}: {{model: {json.dumps(str(kit.model(name)))}}}" for name in kit.versions
        )
        text = _CONFIG.format(
            data="data",
            gateway=self.gateway,
            control=self.control,
            instances=self.instances,
            versions=listed,
            stable=json.dumps(kit.stable),
            golden=golden,
        )
        self.config.write_text(text, encoding="utf-8")

    def plan_text(self) -> str:
        """The part of the configuration that decides: the plan, the guards and the two error probabilities."""
        text = self.config.read_text(encoding="utf-8")
        return text[text.index("plan:") :].rstrip()

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return ask_control(self.config, method, path, body)

    def operator(self) -> dict[str, str]:
        """The header that opens everybody's history to those who own the installation."""
        return bearer(Token(self.places).read())

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", "/api/v1/status")
        return found

    def rollback(self, reason: str) -> tuple[dict[str, Any], float]:
        """The command as a person gives it; its answer and its wall time in ms."""
        started = time.monotonic()
        command = [
            sys.executable,
            "-m",
            "huidu",
            "rollback",
            "--config",
            str(self.config),
            "--json",
            "--reason",
            reason,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise UnavailableError(f"rollback failed: {done.stderr.strip()}")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer, round((time.monotonic() - started) * 1000, 1)


def play(kit: Kit, seed: int, keep: bool, narrator: Narrator) -> dict[str, Any]:
    """Plays the whole story; returns what `--json` prints."""
    chance = random.Random(seed)
    parts = divide(kit, GOLDEN_SIZE, chance)
    stage = _prepare(kit, parts)
    counted = Counted()
    with _up(stage, keep, narrator):
        crowd = Crowd()
        try:
            crowd.let_in(users(stage.url, USERS, REQUESTS_PER_SECOND, parts.spoken, seed, counted))
            listening = reviewer(lambda: _stable_url(stage), stage.operator, references(kit), REVIEWS_PER_SECOND, seed)
            crowd.let_in([listening])
            outcomes = _acts(stage, kit, counted, narrator)
            back = _way_back(stage, kit, outcomes, narrator)
        finally:
            crowd.send_home()
        _settle(stage, counted)
    return _summary(stage, kit, outcomes, back, counted)


def _prepare(kit: Kit, parts: Parts) -> Stage:
    folder = Path(tempfile.mkdtemp(prefix="huidu-demo-"))
    write_set(folder / "golden.tsv", parts.golden)
    write_set(folder / "golden-without-digits.tsv", parts.golden_without_digits)
    stage = Stage(folder, _free_port(8080), _free_port(7900), _free_port(7860))
    stage.write_config(kit, "golden.tsv")
    return stage


@contextmanager
def _up(stage: Stage, keep: bool, narrator: Narrator) -> Iterator[None]:
    """`huidu up` while the story lasts, or with `keep` longer."""
    log = (stage.folder / "up.log").open("w")
    command = [sys.executable, "-m", "huidu", "up", "--config", str(stage.config)]
    process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    narrator.say(f"data and logs: {stage.folder}")
    narrator.say(stage.plan_text())
    finished = False
    try:
        _await_ready(stage, process)
        yield
        finished = True
    finally:
        log.close()
        if keep and finished:
            narrator.say(f"still running: recognition {stage.url}, control http://127.0.0.1:{stage.control}")
            narrator.say(f"end it with: kill {process.pid}")
        else:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def _await_ready(stage: Stage, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _READY_SECONDS
    text = ""
    while time.monotonic() < deadline and process.poll() is None:
        text = (stage.folder / "up.log").read_text(encoding="utf-8")
        if "ready:" in text:
            return
        time.sleep(_POLL_SECONDS)
    raise UnavailableError(f"`huidu up` did not become ready: {' '.join(text.split()) or 'it said nothing'}")


def _stable_url(stage: Stage) -> str:
    """An instance's own address: reviewers use it until access control exists."""
    routes = json.loads((stage.places.gateway / "routes.json").read_text())
    (address,) = [up["addresses"][0] for up in routes["upstreams"] if up["version"] == routes["stable"]]
    return f"http://{address}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an act ended. `undecided` where its time was over first."""

    release: int
    version: str
    outcome: str


def _acts(stage: Stage, kit: Kit, counted: Counted, narrator: Narrator) -> list[Outcome]:
    first, second = kit.candidates
    acts = (
        (first, "golden.tsv", "is judged by the golden set before any user meets it"),
        (first, "golden-without-digits.tsv", "again, with a golden set that holds no digit strings, as real ones do"),
        (second, "golden.tsv", "the next candidate, with the full golden set"),
    )
    outcomes = []
    for number, (version, golden, text) in enumerate(acts, start=1):
        narrator.heading(f"Act {number}. {version}: {text}")
        stage.write_config(kit, golden)
        outcome = _act(stage, version, counted, narrator)
        outcomes.append(outcome)
        if outcome.outcome == "promoted" and number < len(acts):
            _, took_ms = stage.rollback("before the next act")
            narrator.say(f"   {kit.stable} is put back for the next act ({took_ms:.0f} ms)")
    return outcomes


def _act(stage: Stage, version: str, counted: Counted, narrator: Narrator) -> Outcome:
    body = {"version": version, "by": "demo", "reason": "the demo's story"}
    number = int(stage.ask("POST", "/api/v1/releases", body)["id"])
    deadline = time.monotonic() + ACT_SECONDS
    while True:
        status = stage.status()
        narrator.show(status, counted.requests)
        if status["release"] is None:
            # A step back is made before it is recorded: the record of the end may be a moment behind.
            ended = stage.ask("GET", f"/api/v1/releases/{number}")
            if ended["outcome"] is not None:
                narrator.say(f"   {ended['outcome']} in {ended['stage']}: {ended['reason']}")
                return Outcome(number, version, ended["outcome"])
        if time.monotonic() > deadline:
            stage.rollback("the act's time is over")
            narrator.say("   undecided when the act's time was over")
            return Outcome(number, version, "undecided")
        time.sleep(_POLL_SECONDS)


def _way_back(stage: Stage, kit: Kit, outcomes: list[Outcome], narrator: Narrator) -> dict[str, Any] | None:
    if outcomes[-1].outcome != "promoted":
        return None
    narrator.heading(f"The way back. huidu rollback puts {kit.stable} back")
    # Some traffic on the promoted version first, or there is nothing to come back from.
    time.sleep(_QUIET_SECONDS)
    answer, command_ms = stage.rollback("the end of the story")
    narrator.say(f"   everybody is on {answer['to']} again; the command took {command_ms:.0f} ms")
    time.sleep(_QUIET_SECONDS)
    return {"to": answer["to"], "from": answer["from"], "command_ms": command_ms}


def _settle(stage: Stage, counted: Counted) -> None:
    """Waits until the gateway has written every request down."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if len(figures.read_log(stage.places.gateway_log)) >= counted.requests - counted.failed:
            return
        time.sleep(_POLL_SECONDS)


def _summary(
    stage: Stage, kit: Kit, outcomes: list[Outcome], back: dict[str, Any] | None, counted: Counted
) -> dict[str, Any]:
    lines = figures.read_log(stage.places.gateway_log)
    database = stage.places.data / "history.db"
    releases = []
    for outcome in outcomes:
        releases.append(figures.release(outcome.release, lines, database) | {"outcome": outcome.outcome})
    if back is not None:
        back |= figures.rollback(lines, back["from"], figures.received_at(database, "put_back"))
    return {
        "data": str(stage.places.data),
        "releases": releases,
        "rollback": back,
        "requests": len(lines),
        "failed_requests": max(counted.failed, sum(1 for line in lines if line["status"] != 200)),
        "versions": figures.versions(lines, database, kit.versions),
    }


def _free_port(first: int) -> int:
    for port in range(first, first + 1000):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise UnavailableError(f"no free port from {first} on; accepted: a machine with one")
