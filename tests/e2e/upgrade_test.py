"""Data that Huidu left behind at commit fe2596e, in the middle of a release, under the present version.

The data is in tests/data/upgrade, which says how it was made.
"""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fronts import Backend, require
from installation import Installation, running, until

DATA = Path(__file__).parents[1] / "data" / "upgrade"
TABLES = ("recognition_history", "releases", "release_events", "evidence", "peak_memory")
_FILES = {"routes.json": "gateway", "secret": "gateway", "fence": "gateway", "gateway.jsonl": "logs"}


@dataclass
class Old:
    """What an old Huidu left: who got which version, and the rows of its tables."""

    stage: str
    served: dict[str, str]
    rows: dict[str, list[tuple[Any, ...]]]
    columns: dict[str, list[str]]
    log: bytes
    up: Installation

    def counted(self) -> int:
        """Recognitions of the candidate that were evidence of the stage already."""
        stage, kind, payload = (self.columns["evidence"].index(name) for name in ("stage", "kind", "payload"))
        seconds = [row for row in self.rows["evidence"] if row[stage] == self.stage and row[kind] == "second"]
        return sum(json.loads(row[payload]).get("new", {}).get("requests", 0) for row in seconds)

    def rows_now(self, table: str) -> list[tuple[Any, ...]]:
        """A table's rows in the columns it had."""
        with closing(_opened(self.up.folder / "data")) as store:
            return store.execute(f"select {', '.join(self.columns[table])} from {table} order by rowid").fetchall()


def _opened(data: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{data}/history.db?mode=ro", uri=True, timeout=10)


def lay_out(kept: Path, folder: Path, ports: dict[str, int]) -> None:
    """The kept data as it lay in a folder, upgraded within the time that its share is good for."""

    def placed(text: str) -> str:
        for name, port in ports.items():
            text = text.replace(f"{{{name}}}", str(port))
        return text

    data = folder / "data"
    for name, where in _FILES.items():
        (data / where).mkdir(parents=True, exist_ok=True)
        if (kept / name).exists():
            (data / where / name).write_text(placed((kept / name).read_text()))
    routes = json.loads((data / "gateway/routes.json").read_text())
    (data / "gateway/routes.json").write_text(json.dumps(routes | {"expires_at": time.time() + 600}))
    with closing(sqlite3.connect(data / "history.db")) as store:
        store.executescript(placed((kept / "history.sql").read_text()))
    for path in (data, *data.iterdir()):
        path.chmod(0o700)


LEFT = [
    pytest.param(f"{engine}-{stage}", marks=[pytest.mark.deep] if stage == "bake" else [])
    for engine in ("envoy", "nginx")
    for stage in ("share", "bake")
]


@pytest.fixture(params=LEFT)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Old]:
    engine, _, stage = request.param.partition("-")
    require(engine)
    kept = DATA / request.param
    services = {name: Backend(name) for name in ("old", "new")}
    ports = {name: service.port for name, service in services.items()}
    lay_out(kept, tmp_path, ports)
    with closing(_opened(tmp_path / "data")) as store:
        columns = {table: [row[1] for row in store.execute(f"pragma table_info({table})")] for table in TABLES}
        rows = {table: store.execute(f"select * from {table} order by rowid").fetchall() for table in TABLES}
    log = (tmp_path / "data/logs/gateway.jsonl").read_bytes()
    config = (kept / "huidu.yaml").read_text()
    for name, port in ports.items():
        config = config.replace(f"{{{name}}}", str(port))
    served = json.loads((kept / "users.json").read_text())
    with running(tmp_path, config) as up:
        yield Old("share:2000" if stage == "share" else stage, served, rows, columns, log, up)
    for service in services.values():
        service.close()


def test_an_upgrade_deletes_nothing_moves_nobody_and_goes_on(old: Old) -> None:
    up = old.up
    status = up.status()
    assert (status["stable"], status["stage"], status["release"]["id"]) == ("old", old.stage, 1)
    # Until the gateway has answered once, its evidence is said to have stopped.
    until(lambda: up.status()["release"]["held"] is None, 20)
    assert up.routes()["holdback_bp"] == 0

    # Each user gets what they got before.
    with httpx.Client() as client:
        now = {
            user: client.post(f"{up.url}/asr", headers={"cookie": f"huidu_uid={user}"}, content=b"a").json()["name"]
            for user in old.served
        }
    assert now == old.served
    gained = list(now.values()).count("new")
    assert set(now.values()) == ({"old", "new"} if old.stage != "bake" else {"new"})
    user = next(iter(old.served))
    explained = json.loads(up.huidu("explain", "--cookie", f"huidu_uid={user}", "--json").stdout)
    assert (explained["version"], explained["release"]) == (old.served[user], 1)

    # What was there is there still; what was counted before counts on.
    for table in ("recognition_history", "release_events", "evidence", "peak_memory"):
        assert old.rows_now(table)[: len(old.rows[table])] == old.rows[table], table
    assert [row[:3] for row in old.rows_now("releases")] == [row[:3] for row in old.rows["releases"]]
    assert (up.folder / "data/logs/gateway.jsonl").read_bytes().startswith(old.log)
    counted = old.counted()
    assert counted, "there was evidence"
    until(lambda: up.status()["release"]["compared"]["candidate"]["requests"] == counted + gained)

    # And the record answers, over rows of both.
    shown = up.huidu("release", "show", "1", "--json")
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["outcome"] is None
    replayed = up.huidu("release", "replay", "1", "--json")
    assert replayed.returncode == 0, replayed.stderr
    assert up.huidu("rollback", "--reason", "enough").returncode == 0
    until(lambda: up.releases()[0]["outcome"] == "rolled_back")
