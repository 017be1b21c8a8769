"""The commands that must answer at once: `status`, `rollback`, `promote`, `pause`, `resume`.

Standard library only: importing the rest takes over a second, which an emergency has not. `rollback` needs
control no more than it must: without an answer within half a second it swaps in the routes laid out for it.
"""

import argparse
import getpass
import http.client
import json
import os
import re
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from huidu.adapters.gateways.folder import SwapFolder, read_json
from huidu.adapters.gateways.installed import installed_folder
from huidu.cli.doors import ClosedError, bearer, door, elsewhere
from huidu.core.places import Places
from huidu.owner import Token, act_as_owner

COMMANDS = ("status", "rollback", "promote", "pause", "resume")

_ANSWER_SECONDS = 0.5
_COMMAND_SECONDS = 10.0
_STATUS_SECONDS = 2.0
# No command is under way for longer before it is sent.
_OLDEST_SECONDS = 60.0
_BRING_UP_SECONDS = 90.0
_LOCK_SECONDS = 0.3
_PROOF_SECONDS = 5.0
_EXIT = {"invalid": 2, "not_found": 2}


class NoAnswerError(Exception):
    """Control did not answer in time, or not at all."""


class MaybeDoneError(NoAnswerError):
    """The command went out and no answer came: it may have been done."""


class SaidNoError(Exception):
    """Control refused; `family` is its kind of error."""

    def __init__(self, family: str, detail: str):
        super().__init__(detail)
        self.family = family


def main(arguments: list[str]) -> int:
    """Runs one command; returns the exit code: 0 done, 1 failed, 2 asked wrongly."""
    asked = _parser().parse_args(arguments)
    places = Places(data_folder(Path(asked.config), os.environ))
    with suppress(OSError):
        act_as_owner(places)
    try:
        return int({"status": _status, "rollback": _rollback}.get(asked.command, _command)(asked, places))
    except SaidNoError as error:
        print(f"huidu: {error}", file=sys.stderr)
        return _EXIT.get(error.family, 1)
    except MaybeDoneError as error:
        print(f"huidu: {error}", file=sys.stderr)
        return 1
    except NoAnswerError as error:
        print(f"huidu: control does not answer ({error}); accepted: start it, or `huidu rollback`", file=sys.stderr)
        return 1
    except PermissionError as error:
        where = error.filename or places.data
        print(
            f"huidu: {where} may not be used by this user; accepted: the owner of the data folder, or root",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--config", default=os.environ.get("HUIDU_CONFIG", "huidu.yaml"), help="default: huidu.yaml")
    shared.add_argument("--json", action="store_true", help="print JSON for programs")
    parser = argparse.ArgumentParser(prog="huidu")
    commands = parser.add_subparsers(dest="command", required=True)
    status = commands.add_parser("status", parents=[shared], help="what runs, who gets what, and why")
    status.add_argument("--watch", action="store_true", help="show again every second until Ctrl-C")
    rollback = commands.add_parser("rollback", parents=[shared], help="everybody back on the stable version")
    rollback.add_argument("--to", metavar="VERSION", help="after a promotion: which earlier version")
    rollback.add_argument("--reason", default="", metavar="TEXT")
    promote = commands.add_parser("promote", parents=[shared], help="move on now, past what is undecided")
    promote.add_argument("--reason", required=True, metavar="TEXT")
    promote.add_argument("--resume", action="store_true", help="also past a colleague's pause")
    pause = commands.add_parser("pause", parents=[shared], help="hold the release where it is")
    resume = commands.add_parser("resume", parents=[shared], help="go on after a hold")
    for command in (pause, resume):
        command.add_argument("--reason", default="", metavar="TEXT")
    for command in (promote, pause, resume):
        command.add_argument("--stage", metavar="NAME", help="only in this stage; default: the one it is in now")
    return parser


def data_folder(config: Path, environment: "os._Environ[str] | dict[str, str]") -> Path:
    """The data folder that a configuration names, found without reading YAML: `data:` is a plain line of its own."""
    config = config.resolve()
    named = environment.get("HUIDU_DATA")
    if named is None and config.exists():
        text = config.read_text(encoding="utf-8", errors="surrogateescape")
        found = re.search(r"^data:[ \t]*([^#\n]+)", text, re.MULTILINE)
        named = found[1].strip().strip("\"'") if found else None
    return (config.parent / (named or "data")).resolve()


def ask(places: Places, method: str, path: str, body: dict[str, Any] | None, seconds: float) -> dict[str, Any]:
    """Control's answer. Raises `NoAnswerError` and `SaidNoError`."""
    try:
        way = door(places, read_json(places.control_file), seconds)
    except ClosedError as error:
        raise NoAnswerError(str(error)) from error
    headers = {"content-type": "application/json", "x-huidu-deadline": f"{time.time() + seconds:.3f}"}
    try:
        way.connection.request(method, path, json.dumps(body) if body is not None else None, headers | way.headers)
        answer = way.connection.getresponse()
        text = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswerError(str(error) or type(error).__name__) from error
    finally:
        way.connection.close()
    try:
        plain: dict[str, Any] = json.loads(text)
        if answer.status >= 400:
            raise SaidNoError(plain["error"], plain["detail"])
    except (ValueError, LookupError, TypeError) as error:
        raise NoAnswerError(f"what answers at {way.name} is not control") from error
    return plain


def _command(asked: argparse.Namespace, places: Places) -> int:
    """A command to the release that runs, in the stage that it is in now: whoever is quicker changes it alone."""
    seen = ask(places, "GET", "/api/v1/status", None, _COMMAND_SECONDS)
    if "release" not in seen:
        raise NoAnswerError("something else answers where it should")
    release = seen["release"]
    if release is None:
        raise SaidNoError("refused", "no release runs; accepted: huidu release start VERSION")
    stage = asked.stage or seen["stage"]
    body = {"by": getpass.getuser(), "reason": asked.reason}
    body |= {"expected_release": release["id"], "expected_stage": stage}
    if asked.command == "promote":
        body["resume"] = asked.resume
        # Who names the stage knows it; else two who ask at once would take two steps.
        body["asked_seconds_ago"] = None if asked.stage else _running_seconds()
    try:
        answer = ask(places, "POST", f"/api/v1/{asked.command}", body, _COMMAND_SECONDS)
    except NoAnswerError as error:
        if isinstance(error.__cause__, (ConnectionRefusedError, ClosedError)):
            raise
        raise MaybeDoneError(
            f"control did not answer ({error}) and may have done it all the same; accepted: look at `huidu status`, "
            f"or again with --stage {stage}"
        ) from error
    _print(answer, asked.json, f"release {answer['id']}: now in {answer['stage']}" + _held(answer.get("held")))
    return 0


def _running_seconds() -> float | None:
    """How long ago this process was started, which is when its command was given; None where that cannot be told."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        # The count of the system's clock is rounded down.
        started = (ticks + 1) / os.sysconf("SC_CLK_TCK")
        seconds = time.clock_gettime(time.CLOCK_BOOTTIME) - started
    except (OSError, ValueError, IndexError, AttributeError):
        return None
    # A system that counts otherwise would make every command one of long ago.
    return max(0.0, round(seconds, 3)) if seconds < _OLDEST_SECONDS else None


def _held(reason: str | None) -> str:
    return f", held ({reason})" if reason else ""


def _rollback(asked: argparse.Namespace, places: Places) -> int:
    started = time.time()
    body = {"by": getpass.getuser(), "reason": asked.reason, "to": asked.to}
    folder = installed_folder(places)
    before = folder.routes() or {}
    try:
        # Another version than the warm one may have to be started first, which control alone can do.
        if asked.to is not None:
            ask(places, "GET", "/api/v1/status", None, _ANSWER_SECONDS)
        seconds = _BRING_UP_SECONDS if asked.to is not None else _ANSWER_SECONDS
        answer = ask(places, "POST", "/api/v1/rollback", body, seconds) | {"by": "control"}
    except NoAnswerError:
        if elsewhere():
            # The files here are of another installation than the one that was meant.
            raise
        answer = _done_meanwhile(folder, before, asked.to) or _without_control(folder, before, asked.to)
    answer["applied"] = folder.await_generation(answer["generation"], _PROOF_SECONDS)
    if answer["by"] == "cli" and answer["applied"]:
        _move_streams(places, folder.routes() or {}, answer["from"])
    answer["command_ms"] = round((time.time() - started) * 1000, 1)
    how = "" if answer["by"] == "control" else " (control did not answer; done without it)"
    proof = "the gateway reports it" if answer["applied"] else "the gateway has not confirmed it yet"
    _print(answer, asked.json, f"everybody is on {answer['to']}: {proof}, {answer['command_ms']:.0f} ms{how}")
    return 0 if answer["applied"] else 1


def _done_meanwhile(folder: SwapFolder, before: dict[str, Any], to: str | None) -> dict[str, Any] | None:
    """The roll back that control has done, though its answer came too late: a slow gateway keeps it waiting."""
    now = folder.routes() or {}
    left = before.get("candidate") or before.get("stable")
    newer = now.get("generation", 0) > before.get("generation", 0)
    gone = left not in (now.get("stable"), now.get("candidate"))
    if not (newer and gone) or to not in (None, now["stable"]):
        return None
    return {"to": now["stable"], "from": left, "generation": now["generation"], "by": "control"}


def _without_control(folder: SwapFolder, before: dict[str, Any], to: str | None) -> dict[str, Any]:
    prepared = folder.prepared_routes()
    if prepared is None or (to is not None and to != prepared["stable"]):
        serving = before.get("stable", "no version")
        target = prepared["stable"] if prepared else "nothing"
        raise SaidNoError(
            "refused", f"control does not answer, and without it {target} can be gone back to from {serving}"
        )
    routes = folder.go_back(_LOCK_SECONDS)
    assert routes is not None
    left = before.get("candidate") or before.get("stable")
    return {"to": routes["stable"], "from": left, "generation": routes["generation"], "by": "cli"}


def _move_streams(places: Places, routes: dict[str, Any], left: str) -> None:
    """Asks the version that was left to move its open streams, where the configuration wants that."""
    if not routes.get("move_streams"):
        return
    listed = [(up, each) for up in routes["upstreams"] if up["version"] == left for each in up["addresses"]]
    for up, address in listed:
        host, _, port = address.rpartition(":")
        token = Token(places).for_address(address if up.get("managed") else f"http://{address}")
        headers = {"content-type": "application/json"} | bearer(token)
        connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=_ANSWER_SECONDS)
        try:
            connection.request("POST", "/api/v1/drain", '{"streams": "move"}', headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status >= 400:
                raise OSError(f"status {answer.status}")
        except (OSError, http.client.HTTPException) as error:
            print(f"huidu: {left} was not asked to move its streams ({error}); they finish there", file=sys.stderr)
        finally:
            connection.close()


def _status(asked: argparse.Namespace, places: Places) -> int:
    while True:
        try:
            found = ask(places, "GET", "/api/v1/status", None, _STATUS_SECONDS)
            found["control"] = "answers"
        except NoAnswerError as error:
            last = read_json(places.status_file)
            if last is None:
                raise
            found = last | {"control": f"no answer ({error})"}
        if asked.watch:
            print("\x1b[2J\x1b[H", end="")
        _print(found, asked.json, status_text(found))
        if not asked.watch:
            return 0
        time.sleep(1.0)


def status_text(found: dict[str, Any]) -> str:
    """The status in plain lines."""
    lines = [f"stable     {found['stable']}", f"candidate  {found['candidate'] or '-'}"]
    release = found.get("release")
    if release:
        length = f" of {release['for_seconds']:g} s" if release["for_seconds"] else ""
        golden = release["golden"]
        done = f", {golden['done']} of {golden['of']} utterances" if golden else ""
        lines.append(f"stage      {found['stage']} for {release['elapsed_seconds']:.0f} s{length}{done}")
        lines.append(f"share      {found['share_bp'] / 100:g} %")
        if release["held"]:
            lines.append(f"held       {release['held']}")
        # A last status of an older control says neither what is missing nor where evidence comes from.
        if release.get("waits_for"):
            lines.append(f"waits for  {release['waits_for']}")
        lines += [f"note       {note}" for note in release.get("notes", [])]
    # A last status of an older control does not know how the last release ended.
    last = found.get("last_release")
    if last:
        of = f" of {last['version']}" if last["version"] else ""
        lines.append(f"last       release {last['id']}{of}: {last['outcome'] or 'not known'}: {last['reason']}")
        lines += [f"put back   {put_back_text(back)}" for back in last["put_back"] or []]
    lines += [f"guard      {name}: {guard['verdict']}: {guard['reason']}" for name, guard in found["guards"].items()]
    # A last status of an older control knows no alarms.
    lines += [f"alarm      {alarm['alarm']}: {alarm['reason']}" for alarm in found.get("alarms", [])]
    for name, version in found["versions"].items():
        memory = f", {version['memory_bytes'] / 1e6:.0f} MB" if version["memory_bytes"] else ""
        reach = f", {version['reach']}" if version.get("reach") else ""
        lines.append(f"runs       {name} at {version['address']}: {version['state']}{memory}{reach}")
        if version.get("not_measured"):
            lines.append(f"unseen     {name}: not_measured behind this gateway: {', '.join(version['not_measured'])}")
    lines += [f"differs    {text}" for text in found["differences"]]
    lines.append(f"control    {found['control']}")
    return "\n".join(lines)


def put_back_text(back: dict[str, Any]) -> str:
    """Who put which version back, and why."""
    how = "without control" if back["without_control"] else f"by {back['by']}"
    undone = f", undoing release {back['release']}" if back["release"] is not None else ""
    return f"from {back['from']} to {back['to']} {how}{undone}" + (f": {back['reason']}" if back["reason"] else "")


def _print(found: dict[str, Any], as_json: bool, text: str) -> None:
    print(json.dumps(found, ensure_ascii=False) if as_json else text, flush=True)
