"""A whole installation under `huidu up`: what the end-to-end suites start, ask and kill."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.05)


@dataclass
class Installation:
    folder: Path
    gateway: int
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.gateway}"

    def huidu(self, *words: str, timeout: float = 60) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "huidu", *words, "--config", str(self.folder / "huidu.yaml")]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.huidu("status", "--json").stdout)
        return found

    def operator(self) -> dict[str, str]:
        """The header that opens control's port and everybody's history."""
        return {"authorization": f"Bearer {(self.folder / 'data/run/token').read_text().strip()}"}

    def control_pid(self) -> int:
        return int(json.loads((self.folder / "data/run/control.json").read_text())["pid"])

    def gateway_pid(self) -> int:
        found = subprocess.run(
            ["pgrep", "-f", f"{self.folder}/data/gateway/"], capture_output=True, text=True, check=True
        )
        return int(found.stdout.split()[0])

    def routes(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "data/gateway/routes.json").read_text())
        return found

    def address(self, version: str) -> str:
        """Where a version answers, as the gateway knows it."""
        (found,) = [up["addresses"][0] for up in self.routes()["upstreams"] if up["version"] == version]
        return str(found)

    def releases(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.huidu("release", "list", "--json").stdout)
        return found

    def release_into(self, version: str, stage: str) -> None:
        """Starts a release and waits until it serves in a stage."""
        started = self.huidu("release", "start", version)
        assert started.returncode == 0, started.stderr
        until(lambda: self.status()["stage"] == stage)
        until(lambda: self.routes()["candidate"] == version)


@contextmanager
def running(folder: Path, config: str) -> Iterator[Installation]:
    """`huidu up` over a configuration whose `{gateway}`, `{control}` and `{instances}` are replaced by free ports."""
    gateway, control, instances = free_ports(3)
    text = config.replace("{gateway}", str(gateway)).replace("{control}", str(control))
    (folder / "huidu.yaml").write_text(text.replace("{instances}", str(instances)))
    with (folder / "up.log").open("w") as log:
        command = [sys.executable, "-m", "huidu", "up", "--config", str(folder / "huidu.yaml")]
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            until(lambda: "ready:" in (folder / "up.log").read_text() or process.poll() is not None)
            assert process.poll() is None, (folder / "up.log").read_text()
            yield Installation(folder, gateway, process)
        finally:
            process.terminate()
            process.wait(timeout=60)
