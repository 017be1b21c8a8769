"""Another Unix user of the same machine, who tries what they please."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

# Everything is imported before the rights are given up: the interpreter may lie where strangers cannot read.
PROGRAM = """\
import contextlib, encodings.idna, encodings.utf_8_sig, http.client, io, json, os, pwd, socket, sys
import huidu.cli.app, huidu.settings, huidu.cli.control_client
from huidu.cli import emergency
from huidu.cli.app import run
from huidu.cli.main import main
wanted = json.load(sys.stdin)
os.setgroups([]), os.setgid(65534), os.setuid(65534)

def opened(path):
    try:
        with open(path, "rb") as file:
            return f"read {len(file.read(9))} bytes"
    except OSError as error:
        return type(error).__name__

def listed(path):
    try:
        return f"listed {len(os.listdir(path))}"
    except OSError as error:
        return type(error).__name__

def connected(path):
    with socket.socket(socket.AF_UNIX) as one:
        try:
            one.connect(path)
            return "connected"
        except OSError as error:
            return type(error).__name__

def asked(port, method, path, headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    body = "{}" if method in ("POST", "PATCH") else None
    connection.request(method, path, body, {"content-type": "application/json", **headers})
    answer = connection.getresponse()
    answer.read()
    return answer.status

def commanded(words):
    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        sys.argv = ["huidu", *words]
        code = main()
    return [code, out.getvalue(), error.getvalue()]

tries = {"open": opened, "list": listed, "connect": connected}
print(json.dumps({
    **{what: {path: tries[what](path) for path in wanted[what]} for what in tries},
    "ask": [asked(*each) for each in wanted["ask"]],
    "command": [commanded(each) for each in wanted["command"]],
}))
"""


def stranger(**wanted: list[Any]) -> dict[str, Any]:
    """What comes of it when another user opens files, lists folders, connects to sockets, asks ports and commands.

    By `open`, `list`, `connect` (paths), `ask` ([port, method, path, headers]) and `command` (words). Needs root.
    """
    every = {name: [] for name in ("open", "list", "connect", "ask", "command")} | wanted
    text = json.dumps(every, default=str)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=text, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def below(folder: Path) -> list[Path]:
    """Everything in a folder, and the folder; what goes while it is looked at is left out."""
    return [folder, *sorted(path for path in folder.rglob("*") if path.exists() or path.is_symlink())]
