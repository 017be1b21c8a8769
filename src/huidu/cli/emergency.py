"""The commands that must answer at once: `status`, `rollback`, `promote`, `pause`, `resume`.

Standard library only: importing the rest takes over a second, which an emergency has not. `rollback` needs
control no more than it must: without an answer within half a second it swaps in the routes laid out for it.
"""

import argparse
import getpass
import http.client
import json
import logging
import os
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from huidu.adapters.gateways.folder import SwapFolder
from huidu.adapters.gateways.installed import installed_folder
from huidu.cli.data_folder import data_folder
from huidu.cli.doors import ClosedError, door, elsewhere, refuse_strangers
from huidu.core.errors import HuiduError
from huidu.core.places import Places
from huidu.files import read_json
from huidu.owner import Token, act_as_owner, bearer

COMMANDS = ("status", "rollback", "promote", "pause", "resume")

_ANSWER_SECONDS = 0.5
# An answer that comes in time is told a moment later.
_SLACK_SECONDS = 0.1
_COMMAND_SECONDS = 10.0
_STATUS_SECONDS = 2.0
# No command is under way for longer before it is sent.
_OLDEST_SECONDS = 60.0
_BRING_UP_SECONDS = 90.0
_LOCK_SECONDS = 0.3
_REACH_SECONDS = 0.3
_PROOF_SECONDS = 5.0
_EXIT = {"invalid": 2, "not_found": 2}
_ROLLBACK = (
    "Puts everybody back on the stable version, after a promotion on the former one. It asks control, and without its "
    "success within half a second swaps in the routes that were laid out for this. It works from any folder with "
    "HUIDU_CONFIG or --config. Exit code 0: the gateway reports that it is so."
)


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
    # What is said of damaged files reads like everything else that a command says.
    logging.basicConfig(format="huidu: %(message)s", level=logging.WARNING, stream=sys.stderr)
    config = _file(Path(asked.config))
    places = Places(data_folder(config, os.environ))
    with suppress(OSError):
        act_as_owner(places)
    try:
        if not elsewhere():
            refuse_strangers(places)
        _refuse_nowhere(config, places)
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
    except HuiduError as error:
        print(f"huidu: {error}", file=sys.stderr)
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


def _file(config: Path) -> Path:
    """The configuration, also where its folder is named."""
    return config / "huidu.yaml" if config.is_dir() else config


def _refuse_nowhere(config: Path, places: Places) -> None:
    """Raises `SaidNoError` where neither a configuration nor an installation is."""
    if config.exists() or "HUIDU_DATA" in os.environ or elsewhere():
        return
    if not places.gateway.is_dir() and not places.run.is_dir():
        raise SaidNoError(
            "invalid",
            f"{config.absolute()} does not exist, and {places.data} is no data folder; accepted: --config PATH or "
            "HUIDU_CONFIG, a huidu.yaml or the folder that holds one",
        )
    print(f"huidu: {config.absolute()} does not exist; {places.data} is the data folder", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    named = os.environ.get("HUIDU_CONFIG", "huidu.yaml")
    shared.add_argument("--config", default=named, help="default: HUIDU_CONFIG, else huidu.yaml")
    shared.add_argument("--json", action="store_true", help="print JSON for programs")
    parser = argparse.ArgumentParser(prog="huidu")
    commands = parser.add_subparsers(dest="command", required=True)
    status = commands.add_parser("status", parents=[shared], description="Says what runs, who gets what, and why.")
    status.add_argument("--watch", action="store_true", help="show again every second until Ctrl-C")
    rollback = commands.add_parser("rollback", parents=[shared], description=_ROLLBACK)
    rollback.add_argument("--to", metavar="VERSION", help="after a promotion: which earlier version")
    rollback.add_argument("--reason", default="", metavar="TEXT", help="for the record")
    promote = commands.add_parser("promote", parents=[shared], description="Moves on now, past what is undecided.")
    promote.add_argument("--reason", required=True, metavar="TEXT", help="for the record")
    promote.add_argument("--resume", action="store_true", help="also past a colleague's pause")
    pause = commands.add_parser("pause", parents=[shared], description="Holds the release where it is.")
    resume = commands.add_parser("resume", parents=[shared], description="Goes on after a hold.")
    for command in (pause, resume):
        command.add_argument("--reason", default="", metavar="TEXT", help="for the record")
    for command in (promote, pause, resume):
        command.add_argument("--stage", metavar="NAME", help="only in this stage; default: the one it is in now")
    return parser


def ask(places: Places, method: str, path: str, body: dict[str, Any] | None, seconds: float) -> dict[str, Any]:
    """Control's answer. Raises `NoAnswerError` and `SaidNoError`."""
    try:
        way = door(places, _said_by_control(places), seconds)
    except ClosedError as error:
        raise NoAnswerError(str(error)) from error
    except (LookupError, ValueError) as error:
        raise NoAnswerError(f"{places.control_file} does not say where control listens") from error
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
            raise SaidNoError(str(plain["error"]), str(plain["detail"]))
    except (ValueError, LookupError, TypeError) as error:
        raise NoAnswerError(f"what answers at {way.name} is not control") from error
    return plain


def _said_by_control(places: Places) -> dict[str, Any] | None:
    """Where control says that it listens; None where nobody can read it: its socket has its place all the same."""
    try:
        return read_json(places.control_file)
    except HuiduError as error:
        logging.getLogger(__name__).warning("%s", error)
        return None


def _ask_in_time(places: Places, method: str, path: str, body: dict[str, Any] | None, seconds: float) -> dict[str, Any]:
    """As `ask`, and never longer: whoever answers a byte at a time is not waited for."""
    found: list[dict[str, Any] | BaseException] = []

    def asking() -> None:
        try:
            found.append(ask(places, method, path, body, seconds))
        except BaseException as error:  # what went wrong there is told here
            found.append(error)

    thread = threading.Thread(target=asking, daemon=True)
    thread.start()
    thread.join(seconds + _SLACK_SECONDS)
    if not found:
        raise NoAnswerError("not the whole answer came in time")
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


def _command(asked: argparse.Namespace, places: Places) -> int:
    """A command to the release that runs, in the stage that it is in now: whoever is quicker changes it alone."""
    seen = ask(places, "GET", "/api/v1/status", None, _COMMAND_SECONDS)
    if "release" not in seen:
        raise NoAnswerError("something else answers where it should")
    release = seen["release"]
    if release is None:
        raise SaidNoError("refused", "no release runs; accepted: huidu release start VERSION")
    stage = asked.stage or seen["stage"]
    body = {"by": _user(), "reason": asked.reason}
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
    folder = installed_folder(places)
    before = folder.routes() or {}
    answer, why = _by_control(asked, places, folder, before)
    if answer is None:
        answer = _done_meanwhile(folder, before, asked.to) or _without_control(folder, before, asked.to, why)
    answer["applied"] = folder.await_generation(answer["generation"], _PROOF_SECONDS)
    if answer["by"] == "cli" and answer["applied"]:
        _move_streams(places, folder.routes() or {}, answer["from"])
    answer["command_ms"] = round((time.time() - started) * 1000, 1)
    how = {"cli": f" ({why}; done without it)", "nobody": " already, and nothing was changed"}.get(answer["by"], "")
    proof = "the gateway reports it" if answer["applied"] else "the gateway has not confirmed it yet"
    _print(answer, asked.json, f"everybody is on {answer['to']}: {proof}, {answer['command_ms']:.0f} ms{how}")
    for line in folder.unrecorded:
        print(f"huidu: {line}: the roll back is in force, and control has to be told", file=sys.stderr)
    return 0 if answer["applied"] else 1


def _by_control(
    asked: argparse.Namespace, places: Places, folder: SwapFolder, before: dict[str, Any]
) -> tuple[dict[str, Any] | None, str]:
    """Control's answer where it has done it; else None, and why not.

    Everything but its own success counts as no answer: an error, a stranger's server, half an answer. Raises
    `SaidNoError` where control says that the command was asked wrongly.
    """
    body = {"by": _user(), "reason": asked.reason, "to": asked.to}
    try:
        # Another version than the warm one may have to be started first, which control alone can do.
        if asked.to is not None:
            _ask_in_time(places, "GET", "/api/v1/status", None, _ANSWER_SECONDS)
        seconds = _BRING_UP_SECONDS if asked.to is not None else _ANSWER_SECONDS
        answer = _ask_in_time(places, "POST", "/api/v1/rollback", body, seconds)
    except SaidNoError as error:
        done = _done_meanwhile(folder, before, asked.to)
        if done is None and (error.family in _EXIT or (error.family == "refused" and not _leads(folder, asked.to))):
            raise
        return done, f"control said: {error}"
    except NoAnswerError as error:
        if elsewhere():
            # The files here are of another installation than the one that was meant.
            raise
        return None, f"control did not answer: {error}"
    except (HuiduError, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        return None, f"control did not answer: {error}"
    if not elsewhere() and not _in_force(folder, answer, asked.to):
        return None, "control answered, and the routes say otherwise"
    return answer | {"by": "control"}, ""


def _leads(folder: SwapFolder, to: str | None) -> bool:
    """Whether a roll back is laid out, and leads where it should."""
    prepared = folder.prepared_routes()
    return prepared is not None and to in (None, prepared["stable"])


def _in_force(folder: SwapFolder, answer: Any, to: str | None) -> bool:
    """Whether what an answer says is so, by the gateway's files: anybody could say it."""
    if not isinstance(answer, dict) or not isinstance(answer.get("to"), str):
        return False
    generation = answer.get("generation")
    if not isinstance(generation, int) or to not in (None, answer["to"]) or "from" not in answer:
        return False
    routes = folder.routes()
    if routes is None:
        return (folder.in_force() or -1) >= generation
    there = routes.get("candidate") is None and routes.get("stable") == answer["to"]
    return there and int(routes.get("generation", -1)) >= generation


def _done_meanwhile(folder: SwapFolder, before: dict[str, Any], to: str | None) -> dict[str, Any] | None:
    """The roll back that somebody has done meanwhile: control, whose answer came too late, or a colleague."""
    now = folder.routes() or {}
    left = before.get("candidate") or before.get("stable")
    newer = now.get("generation", 0) > before.get("generation", 0)
    gone = left is not None and left not in (now.get("stable"), now.get("candidate"))
    if not (newer and gone) or to not in (None, now.get("stable")):
        return None
    return {"to": now.get("stable"), "from": left, "generation": now["generation"], "by": "control"}


def _without_control(folder: SwapFolder, before: dict[str, Any], to: str | None, why: str) -> dict[str, Any]:
    """Goes back by the files. Raises `SaidNoError` where nothing is laid out that leads there, or it cannot be done."""
    if _leads(folder, to):
        _refuse_deserted(folder, before, why)
        try:
            routes = folder.go_back(_LOCK_SECONDS)
        except HuiduError as error:
            raise SaidNoError("unavailable", f"{why}, and without it nobody can be put back: {error}") from None
        if routes is not None:
            left = before.get("candidate") or before.get("stable")
            return {"to": routes["stable"], "from": left, "generation": routes["generation"], "by": "cli"}
    done = _done_meanwhile(folder, before, to) or _there_already(folder, to)
    if done is None:
        prepared = folder.prepared_routes()
        target = prepared["stable"] if prepared else "nothing"
        serving = before.get("stable", "no version")
        raise SaidNoError("refused", f"{why}, and without it {target} can be gone back to from {serving}")
    return done


def _refuse_deserted(folder: SwapFolder, before: dict[str, Any], why: str) -> None:
    """Raises `SaidNoError` where nobody answers at the version that would get everybody.

    Within a release that is the stable version, which serves most users now; after a promotion it is the former one,
    which may have ended since.
    """
    routes = folder.prepared_routes() or {}
    if before.get("candidate") is not None or not before:
        return
    addresses = [each for up in routes["upstreams"] if up["version"] == routes["stable"] for each in up["addresses"]]
    if not any(map(_accepts, addresses)):
        raise SaidNoError(
            "unavailable",
            f"{why}, and {routes['stable']} does not answer at {', '.join(addresses)}; accepted: again when it runs",
        )


def _accepts(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH_SECONDS):
            return True
    except (OSError, ValueError):
        return False


def _there_already(folder: SwapFolder, to: str | None) -> dict[str, Any] | None:
    """Where everybody is on one version, as the gateway itself reports, there is nothing to do."""
    now = folder.routes() or {}
    stable, generation = now.get("stable"), now.get("generation")
    if now.get("candidate") is not None or to not in (None, stable) or folder.in_force() != generation:
        return None
    return {"to": stable, "from": None, "generation": generation, "by": "nobody"} if generation is not None else None


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        # A process of a container may have a number that has no name.
        return str(os.geteuid())


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
            found = _last_status(places, error) | {"control": f"no answer ({error})"}
            found["in_force"] = _led(places)
        if asked.watch:
            print("\x1b[2J\x1b[H", end="")
        try:
            text = status_text(found)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            # Written by another version of Huidu: what is common to both is said.
            text = (
                f"stable     {found.get('stable')}\ncandidate  {found.get('candidate')}\ncontrol    {found['control']}"
            )
            print(f"huidu: the status of another Huidu is not understood ({error!r})", file=sys.stderr)
        _print(found, asked.json, text)
        if not asked.watch:
            return 0
        time.sleep(1.0)


def _led(places: Places) -> dict[str, Any] | None:
    """Where the gateway's files lead now, whatever control said before; None where they do not say."""
    routes = None if elsewhere() else installed_folder(places).routes()
    names = ("stable", "candidate", "share_bp", "generation")
    return {name: routes.get(name) for name in names} if routes is not None else None


def _last_status(places: Places, silence: NoAnswerError) -> dict[str, Any]:
    """What control said last. Raises `NoAnswerError` where nobody can read it."""
    try:
        last = read_json(places.status_file)
    except HuiduError as error:
        raise NoAnswerError(f"{silence}; {error}") from None
    if last is None:
        raise silence
    return last


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
    # A last status of an older control knows no spools.
    lines += [line for name, spool in found.get("spools", {}).items() if (line := _spool_text(name, spool))]
    lines += [f"differs    {text}" for text in found["differences"]]
    lines.append(f"control    {found['control']}")
    led = found.get("in_force")
    if led:
        # What stands above may be over, by `huidu rollback` or since the share ended.
        who = f"{led['candidate']} has {led['share_bp'] / 100:g} %, the others" if led["candidate"] else "everybody"
        ago = f"; all above is of {max(0.0, time.time() - found['as_of']):.0f} s ago" if "as_of" in found else ""
        lines.append(f"in force   {who} on {led['stable']}, as the gateway's files say{ago}")
    return "\n".join(lines)


def _spool_text(version: str, spool: dict[str, Any]) -> str:
    """What waits and what was lost of a version's recognitions; empty where nothing is."""
    waiting = f"{spool['waiting_rows']} recognitions wait for the history" if spool["waiting_rows"] else ""
    lost = f"{spool['lost_rows']} were lost, recognised and recorded nowhere" if spool["lost_rows"] else ""
    return f"records    {version}: {'; '.join(filter(None, (waiting, lost)))}" if waiting or lost else ""


def put_back_text(back: dict[str, Any]) -> str:
    """Who put which version back, and why."""
    how = "without control" if back["without_control"] else f"by {back['by']}"
    undone = f", undoing release {back['release']}" if back["release"] is not None else ""
    return f"from {back['from']} to {back['to']} {how}{undone}" + (f": {back['reason']}" if back["reason"] else "")


def _print(found: dict[str, Any], as_json: bool, text: str) -> None:
    print(json.dumps(found, ensure_ascii=False) if as_json else text, flush=True)
