"""Another Unix user on the machine: reads nothing and commands nothing. And the owner: commands by socket or token."""

import fnmatch
import json
import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from fronts import Backend, require
from installation import Installation, running, until
from strangers import below, stranger

KIT = Path(__file__).parents[2] / "src" / "huidu" / "demo" / "kit"
CONFIG = """\
data: data
gateway: {listen: "127.0.0.1:{gateway}", engine: {engine}}
control: {listen: "127.0.0.1:{control}", share_expiry: 60s}
instances: {listen: "127.0.0.1:{instances}"}
versions:
  v1: {model: {model}}
  new: {url: "http://127.0.0.1:{new}"}
stable: v1
plan:
  - {share: 20%, for: 1h}
  - {share: 100%, for: 1h}
guards:
  errors: {fail_above: +99pp, at_most: +100pp}
  latency: {fail_above: 50x, at_most: 60x}
"""

# All that lies in a data folder, by pattern, and with which mode. What fits no pattern fails the test.
FOLDER, FILE, SOCKET = 0o700, 0o600, 0o600
MODES = {
    "": FOLDER,
    "history.db": FILE,
    "history.db-*": FILE,
    "history.db.*": FILE,
    "spool": FOLDER,
    "spool/*": FILE,
    "logs": FOLDER,
    "logs/gateway*.jsonl": FILE,
    "logs/*.log": FILE,
    "run": FOLDER,
    "run/control.json": FILE,
    "run/control.lock": FILE,
    "run/control.sock": SOCKET,
    "run/gateway.sock": SOCKET,
    "run/probe.wav": FILE,
    "run/programs": FOLDER,
    "run/programs/*.conf": FILE,
    "run/status.json": FILE,
    "run/supervisor.sock": SOCKET,
    "run/supervisord.conf": FILE,
    "run/supervisord.pid": FILE,
    "run/token": FILE,
    # What is replaced at once is written aside first.
    "run/.*": FILE,
    "gateway": FOLDER,
    "gateway/*": FILE,
    "gateway/back": FOLDER,
    "gateway/back/*": FOLDER,
    "gateway/back/*/*": FILE,
    "gateway/next": FOLDER,
    "gateway/next/*": FILE,
    "gateway/next/back": FOLDER,
    "gateway/envoy": FOLDER,
    "gateway/envoy/*.json": FILE,
    "gateway/envoy/certificate": FOLDER,
    "gateway/envoy/certificate/*.json": FILE,
    "gateway/envoy/clusters": FOLDER,
    "gateway/envoy/clusters/*.json": FILE,
    "gateway/envoy/tokens": FOLDER,
    "gateway/envoy/tokens/*.json": FILE,
    "gateway/nginx": FOLDER,
    "gateway/nginx/*": FILE,
    "gateway/nginx/*_temporary": FOLDER,
    "gateway/nginx/*_temporary/*": FILE,
    "gateway/nginx/lua": FOLDER,
    "gateway/nginx/lua/*.lua": FILE,
}


@dataclass
class Site:
    up: Installation
    new: Backend

    @property
    def data(self) -> Path:
        return self.up.folder / "data"

    def said(self) -> dict[str, object]:
        found: dict[str, object] = json.loads((self.data / "run/control.json").read_text())
        return found

    def control_port(self) -> int:
        return int(str(self.said()["url"]).rpartition(":")[2])

    def instance_port(self) -> int:
        return int(self.up.address("v1").rpartition(":")[2])

    def command(self) -> list[str]:
        return ["--config", str(self.up.folder / "huidu.yaml")]


@pytest.fixture(scope="module", params=["envoy", pytest.param("nginx", marks=pytest.mark.deep)])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    require(request.param)
    new = Backend("new")
    text = CONFIG.replace("{engine}", request.param).replace("{new}", str(new.port))
    # Where others may look for it, so that it is its own modes that keep them out.
    folder = Path(tempfile.mkdtemp(prefix="huidu-doors-"))
    folder.chmod(0o755)
    try:
        with running(folder, text.replace("{model}", str(KIT / "models/v1"))) as up:
            up.release_into("new", "share:2000")
            with httpx.Client() as client:
                for clip in sorted((KIT / "audio").iterdir())[:3]:
                    client.post(f"{up.url}/v1/audio/transcriptions", files={"file": (clip.name, clip.read_bytes())})
                # A body that the gateway keeps on disk, and a request that it refuses itself.
                client.post(f"{up.url}/asr", content=bytes(3_000_000))
                client.get(f"{up.url}/", headers={"x": "y" * 200_000})
            assert up.huidu("rollback").returncode == 0
            assert up.huidu("doctor").returncode == 0
            yield Site(up, new)
    finally:
        new.close()
        shutil.rmtree(folder)


def mode_of(name: str) -> int | None:
    """By the table; of several patterns that fit the longest counts."""
    fitting = [each for each in MODES if fnmatch.fnmatchcase(name, each) and each.count("/") == name.count("/")]
    return MODES[max(fitting, key=len)] if fitting else None


def test_every_file_is_its_owners_alone(site: Site) -> None:
    found = {}
    for path in below(site.data):
        name = "" if path == site.data else str(path.relative_to(site.data))
        with suppress(FileNotFoundError):
            if path.is_symlink():
                continue  # it has no mode of its own: nginx's link to /dev/null
            found[name] = stat.S_IMODE(path.lstat().st_mode)
    assert {name: oct(mode) for name, mode in found.items() if mode_of(name) != mode} == {}
    # A table of nothing would be right, too.
    assert {"history.db", "logs/gateway.jsonl", "run/control.sock", "run/token", "gateway/secret"} <= set(found)


def test_nothing_secret_is_in_a_command_line_or_in_what_control_says_of_itself(site: Site) -> None:
    secrets = [(site.data / name).read_text().strip() for name in ("run/token", "gateway/secret")]
    commands = [" ".join(each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"])]
    told = [*commands, json.dumps(site.said()), (site.data / "run/status.json").read_text()]
    told += [path.read_text(errors="replace") for path in (site.data / "logs").iterdir()]
    assert not any(secret in text for text in told for secret in secrets)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_reads_nothing(site: Site) -> None:
    paths = below(site.data)
    files = [path for path in paths if path.is_file()]
    folders = [path for path in paths if path.is_dir()]
    sockets = [path for path in paths if path.is_socket()]
    assert len(sockets) == 3
    found = stranger(open=files, list=folders, connect=sockets)
    assert set(found["open"].values()) <= {"PermissionError"}
    assert set(found["list"].values()) <= {"PermissionError"}
    assert set(found["connect"].values()) <= {"PermissionError"}
    # Nor where somebody opens the folders: each file and socket keeps them out by itself.
    for folder in folders:
        folder.chmod(0o755)
    try:
        found = stranger(open=files, connect=sockets)
    finally:
        for folder in folders:
            folder.chmod(0o700)
    # One or the other may have been replaced meanwhile.
    assert set(found["open"].values()) <= {"PermissionError", "FileNotFoundError"}
    assert list(found["open"].values()).count("PermissionError") > 0.8 * len(files)
    assert set(found["connect"].values()) == {"PermissionError"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_commands_nothing(site: Site) -> None:
    control, instance = site.control_port(), site.instance_port()
    before = site.up.routes()
    guess = {"authorization": "Bearer guess"}
    asked = [[control, "GET", path, {}] for path in ("/api/v1/status", "/api/v1/releases", "/openapi.json", "/nothing")]
    asked += [[control, "POST", f"/api/v1/{name}", guess] for name in ("rollback", "promote", "releases", "pause")]
    asked += [[instance, "GET", "/api/v1/history", {}], [instance, "PATCH", "/api/v1/history/1", guess]]
    asked += [[instance, "GET", "/api/v1/drain", {}], [instance, "POST", "/api/v1/drain", guess]]
    words = [["rollback"], ["status"], ["promote", "--reason", "x"], ["release", "list"], ["release", "start", "new"]]
    # A page of another site sends no token either, whatever it calls itself.
    page = {"origin": "http://127.0.0.1", "host": "localhost", "content-type": "text/plain"}
    asked.append([control, "POST", "/api/v1/rollback", page])
    found = stranger(ask=asked, command=[[*each, *site.command()] for each in words])
    assert found["ask"] == [401] * len(asked)
    for (code, out, said), word in zip(found["command"], words, strict=True):
        assert (code, out, said.count("\n")) == (1, "", 1), (word, out, said)
        assert "accepted: the owner of the data folder, or root" in said, (word, said)
    assert (site.up.routes()["generation"], site.up.routes()["stable"]) == (before["generation"], before["stable"])


def test_recognition_and_what_monitors_ask_stay_open(site: Site) -> None:
    for port, paths in (
        (site.instance_port(), ("/healthz", "/readyz", "/version", "/v1/models", "/openapi.json", "/metrics")),
        (site.control_port(), ("/healthz",)),
    ):
        for path in paths:
            assert httpx.get(f"http://127.0.0.1:{port}{path}").status_code == 200, path


def test_the_owner_commands_by_the_socket_or_with_the_token(site: Site) -> None:
    url = f"http://127.0.0.1:{site.control_port()}/api/v1/status"
    assert httpx.get(url, headers=site.up.operator()).json()["stable"] == "v1"
    page = httpx.get(f"http://127.0.0.1:{site.instance_port()}/api/v1/history", headers=site.up.operator())
    assert page.status_code == 200
    transport = httpx.HTTPTransport(uds=str(site.data / "run/control.sock"))
    with httpx.Client(transport=transport) as client:
        assert client.get("http://control/api/v1/status").json()["stable"] == "v1"
    # The command line needs no port: here is none that would answer.
    said = site.data / "run/control.json"
    kept = said.read_text()
    said.write_text(json.dumps(site.said() | {"url": "http://127.0.0.1:1"}))
    try:
        assert site.up.status()["control"] == "answers"
    finally:
        said.write_text(kept)


def test_a_killed_control_makes_its_socket_anew_and_keeps_the_token(site: Site) -> None:
    token, killed = site.up.operator(), site.up.control_pid()
    os.kill(killed, signal.SIGKILL)
    until(lambda: site.up.control_pid() != killed)
    until(lambda: site.up.status()["control"] == "answers")
    assert site.up.operator() == token
    assert stat.S_IMODE((site.data / "run/control.sock").lstat().st_mode) == 0o600


def test_what_an_older_version_left_open_is_closed_as_control_starts(site: Site) -> None:
    left = [site.data, site.data / "logs", site.data / "logs/gateway.jsonl", site.data / "history.db"]
    for path in left:
        path.chmod(0o755 if path.is_dir() else 0o644)
    done = site.up.huidu("control")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[0] == (
        f"huidu: 4 files or folders in {site.data} could be opened by other users of this machine: closed now"
    )
    assert "another control runs on" in lines[1]
    assert [stat.S_IMODE(path.stat().st_mode) for path in left] == [0o700, 0o700, 0o600, 0o600]
