"""A release as those see it who run it: what the suites ask of control, the record and the command line."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
import yaml
from installation import Installation, until

ALARM_SECONDS, SEEN_SECONDS = 5.0, 60.0


@dataclass
class Watched:
    """An installation whose releases are watched. `figures` is what was measured, for whoever reads along."""

    up: Installation
    stable: str
    figures: list[str] = field(default_factory=list)

    def status(self) -> dict[str, Any]:
        """What control says now: `huidu status --json` says the same a second later."""
        control = json.loads((self.up.folder / "data/run/control.json").read_text())
        answer = httpx.get(f"{control['url']}/api/v1/status", headers=self.up.operator(), timeout=10)
        found: dict[str, Any] = answer.json()
        return found

    def start(self, candidate: str, plan: list[dict[str, Any]]) -> None:
        """Starts a release by a plan and waits until it serves in its first stage."""
        file = self.up.folder / "huidu.yaml"
        file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"plan": plan}, sort_keys=False))
        applied = self.up.huidu("config", "apply")
        assert applied.returncode == 0, applied.stderr
        started = self.up.huidu("release", "start", candidate)
        assert started.returncode == 0, started.stderr
        until(lambda: (self.status()["stage"] or "").startswith("share:"))
        until(lambda: self.up.routes()["candidate"] == candidate)

    def evidence(self) -> None:
        """Waits until recognitions of both sides are counted."""
        until(lambda: min(side["requests"] for side in self.status()["release"]["compared"].values()) >= 10)

    def went_forward(self, since: float) -> bool:
        """Whether the newest release went on to another stage by itself after a time, by the record."""
        number = self.up.releases()[0]["id"]
        events = json.loads(self.up.huidu("release", "show", str(number), "--json").stdout)["events"]
        return any(event["kind"] == "stage_passed" and event["time"] > since for event in events)

    def figure(self, what: str, began: float) -> None:
        self.figures.append(f"{what} after {time.time() - began:.1f} s")

    def alarm(self, name: str, began: float) -> None:
        """Waits for an alarm, and for the command line to say it, too."""
        until(lambda: any(each["alarm"] == name for each in self.status()["alarms"]), 30)
        self.figure(f"alarm {name}", began)
        assert time.time() - began < ALARM_SECONDS
        assert f"alarm      {name}: " in self.up.huidu("status").stdout

    def held_or_gone(self, began: float, seconds: float = SEEN_SECONDS) -> str:
        """Waits until nothing goes forward by itself any more, and says why: held, an alarm, or rolled back."""

        def why() -> str | None:
            found = self.status()
            if found["release"] is None:
                return str(self.up.releases()[0]["reason"])
            return found["release"]["held"] or next((each["reason"] for each in found["alarms"]), None)

        reason = str(until(why, seconds))
        self.figure(f"held or gone ({reason[:60]})", began)
        assert time.time() - began < seconds
        assert not self.went_forward(began)
        return reason

    def end(self) -> None:
        """Ends what runs, and waits until all is well again."""
        if self.status()["stage"] is not None:
            self.up.huidu("rollback")
        until(lambda: self.status()["stage"] is None and not self.status()["alarms"])
        until(lambda: self.up.routes()["candidate"] is None)
