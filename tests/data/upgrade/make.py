"""Makes the data in this folder: what Huidu left behind at commit fe2596e, in the middle of a release.

Run once, by hand, with that commit's code and tests, and never by the tests of today:

    git worktree add --detach OLD fe2596e
    PYTHONPATH=OLD/src:OLD/tests python tests/data/upgrade/make.py tests/data/upgrade

For each gateway and for a release in its share and in its bake: `huidu up` over two stub services, known users, some
of whom fail, a history taken over from an older tool; then all of it is stopped. Kept are `huidu.yaml`, what a present
version reads of the data folder, and `users.json`: who got which version. Databases are kept as SQL text. Ports are
written as names ({gateway}, {control}, {old}, {new}), which whoever uses the data replaces.
"""

import json
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import httpx
from fronts import Backend
from installation import Installation, running, until

CONFIG = """\
data: data
gateway: {listen: "127.0.0.1:{gateway}", engine: {engine}}
control: {listen: "127.0.0.1:{control}"}
versions:
  old: {url: "http://127.0.0.1:{old}"}
  new: {url: "http://127.0.0.1:{new}"}
stable: old
audience:
  include: [{cookie: tester}]
plan:
  - {share: 20%, for: 12h}
  - {share: 100%, for: 12h}
guards:
  errors: {fail_above: +50pp, at_most: +60pp}
  latency: {fail_above: 50x, at_most: 60x}
"""
USERS = 80
KEPT = ("gateway/routes.json", "gateway/secret", "gateway/fence", "logs/gateway.jsonl")
OLDER_TOOL = """\
create table recognition_history (id integer primary key, created_time text, filename text, file_path text,
    raw_text text, itn_text text, language text, hotwords text, itn_enabled integer);
insert into recognition_history values (1, '2026-11-01 10:00:00', 'a_v1_1.wav', '/calls/a_v1_1.wav', '一零零八六',
    '10086', 'zh', '', 1), (2, '2026-11-01 10:01:00', 'b_v1_2.wav', '/calls/b_v1_2.wav', '你好', '你好', 'zh', '', 1);
"""


def served(up: Installation) -> dict[str, str]:
    """Who served each user, in one recognition each."""
    found = {}
    with httpx.Client() as client:
        for user in (f"user-{number}" for number in range(USERS)):
            headers = {"cookie": f"huidu_uid={user}"}
            found[user] = client.post(f"{up.url}/asr", headers=headers, content=b"a" * 4000).json()["name"]
    return found


def import_older(up: Installation) -> None:
    with closing(sqlite3.connect(up.folder / "older.db")) as older:
        older.executescript(OLDER_TOOL)
        older.commit()
    done = up.huidu("history", "import", str(up.folder / "older.db"))
    assert done.returncode == 0, done.stderr


def release(up: Installation, new: Backend, stage: str) -> dict[str, str]:
    """Users of a release that is in a stage now, with some failures in its evidence."""
    up.release_into("new", "share:2000")
    served(up)
    new.behaviour.status = 500
    for number in range(8):
        httpx.post(f"{up.url}/asr", headers={"cookie": f"huidu_uid=user-{number}"}, content=b"a")
    new.behaviour.status = 200
    if stage == "bake":
        assert up.huidu("promote", "--reason", "it does well").returncode == 0
        until(lambda: up.routes()["share_bp"] == 10_000)
    found = served(up)
    until(lambda: up.status()["stage"] == stage)
    # Control reads the log twice a second, and stores what it read.
    until(lambda: len((up.folder / "data/logs/gateway.jsonl").read_text().splitlines()) >= 2 * USERS + 8)
    time.sleep(2)
    return found


def keep(folder: Path, target: Path, names: dict[str, int], engine: str) -> None:
    """What stays of an installation that was stopped, without this machine's paths and ports."""

    def neutral(text: str) -> str:
        assert str(folder) not in text
        for name, port in names.items():
            text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{{{name}}}")
        return text

    target.mkdir(parents=True, exist_ok=True)
    (target / "huidu.yaml").write_text(CONFIG.replace("{engine}", engine))
    with closing(sqlite3.connect(folder / "data/history.db")) as store:
        (target / "history.sql").write_text(neutral("\n".join(store.iterdump()) + "\n"))
    for path in KEPT:
        if (folder / "data" / path).exists():
            (target / Path(path).name).write_text(neutral((folder / "data" / path).read_text()))


def make(target: Path, engine: str, stage: str) -> None:
    old, new = Backend("old"), Backend("new")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = CONFIG.replace("{engine}", engine).replace("{old}", str(old.port)).replace("{new}", str(new.port))
        with running(folder, config) as up:
            import_older(up)
            found = release(up, new, stage)
            control = json.loads((folder / "data/run/control.json").read_text())
        ports = {"old": old.port, "new": new.port, "gateway": up.gateway, "control": int(control["url"].split(":")[-1])}
        keep(folder, target, ports, engine)
        (target / "users.json").write_text(json.dumps(found, indent=0) + "\n")
    old.close()
    new.close()


if __name__ == "__main__":
    for engine in ("envoy", "nginx"):
        for stage in ("share:2000", "bake"):
            make(Path(sys.argv[1]) / f"{engine}-{stage.partition(':')[0]}", engine, stage)
