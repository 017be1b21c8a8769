"""What a changed configuration file means for what runs: key by key, when it takes effect.

`TAKES_EFFECT` has an entry for each key of the file, or for a key above it; `*` stands for a name that users give. A
test holds it to the settings, so that nobody adds a key without saying when it counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from huidu.settings import Settings


class When(StrEnum):
    """When a changed key counts."""

    NOW = "took_effect"
    NEXT_RELEASE = "next_release"
    NEW_UP = "needs_up"
    NEVER = "no_effect"


TAKES_EFFECT: Mapping[str, When] = {
    "data": When.NEW_UP,
    # What the gateway is started with, and what its adapter renders beside the routes.
    "gateway": When.NEW_UP,
    "gateway.drain": When.NOW,
    "gateway.drain_limit": When.NOW,
    "control.listen": When.NEW_UP,
    "control.share_expiry": When.NOW,
    # An instance that runs keeps its port.
    "instances": When.NEW_UP,
    "admission": When.NOW,
    "retention": When.NOW,
    # A version that runs from files is another matter: see `_of_process`.
    "versions.*": When.NOW,
    # The store knows the stable version, from the first start on.
    "stable": When.NEVER,
    "audience": When.NOW,
    "plan": When.NEXT_RELEASE,
    "guards.*": When.NEXT_RELEASE,
    "alpha": When.NEXT_RELEASE,
    "beta": When.NEXT_RELEASE,
}

# What goes into the command line of a version's process.
_PROCESS_KEYS = ("engine", "model", "device", "hotwords")

_WORDS = {
    When.NOW: "takes effect now",
    When.NEXT_RELEASE: "counts from the next release on",
    When.NEW_UP: "needs a new `huidu up`",
    When.NEVER: "has no effect: the store knows the stable version; accepted: a release, or `huidu rollback --to`",
}

# Where a value of the core is called otherwise than its key of the file.
_AUDIENCE_KEYS = {"windows": "window", "volunteers_only": "among"}
_VERSION_KEYS = {"urls": "url", "memory_bytes": "memory"}


Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Running:
    """The versions that run: those that a release does not end, and the one that it tries."""

    lasting: frozenset[str] = frozenset()
    candidate: str | None = None


def changes(started: Settings, taken: Settings, read: Settings, running: Running) -> dict[str, Any]:
    """What a file that was read says anew: dotted keys by `When`, and the number of keys that are `unchanged`.

    `started` is what everything was started with, which counts for all that needs a new `up`; `taken` what was read
    last.
    """
    first, before, after = keys_of(started), keys_of(taken), keys_of(read)
    found: dict[When, set[str]] = {when: set() for when in When}
    unchanged = 0
    for key in first.keys() | before.keys() | after.keys():
        when = _of_process(key, running) or takes_effect(key)
        known = first if when is When.NEW_UP else before
        if known.get(key) == after.get(key):
            unchanged += key in after
        elif key[0] == "versions" and (key[1] in taken.versions) != (key[1] in read.versions):
            # One that came or went as a whole.
            found[When.NOW].add(".".join(key[:2]))
        else:
            found[when].add(".".join(key))
    return {when.value: sorted(keys) for when, keys in found.items()} | {"unchanged": unchanged}


def lines(found: Mapping[str, Any]) -> list[str]:
    """The same in words, a line for each key that has changed."""
    return [f"{key}: {_WORDS[when]}" for when in When for key in found[when.value]]


def takes_effect(key: Key) -> When:
    """By the nearest entry of the table. Raises `KeyError` for a key without one."""
    if key[0] in ("versions", "guards"):
        key = (key[0], "*", *key[2:])
    for length in range(len(key), 0, -1):
        if (when := TAKES_EFFECT.get(".".join(key[:length]))) is not None:
            return when
    raise KeyError(key)


def _of_process(key: Key, running: Running) -> When | None:
    """When the changed bundle of a version that runs counts: as its process is next started."""
    if key[0] != "versions" or key[2] not in _PROCESS_KEYS:
        return None
    if key[1] in running.lasting:
        return When.NEW_UP
    return When.NEXT_RELEASE if key[1] == running.candidate else None


def keys_of(settings: Settings) -> dict[Key, Any]:
    """The values of a configuration by the path of keys that leads to them in the file."""
    found: dict[Key, Any] = {("data",): settings.data, ("stable",): settings.stable, ("plan",): settings.plan}
    for name in ("gateway", "control", "instances", "admission", "retention"):
        section: BaseModel = getattr(settings, name)
        found |= {(name, field): getattr(section, field) for field in type(section).model_fields}
    for field in fields(settings.audience):
        found["audience", _AUDIENCE_KEYS.get(field.name, field.name)] = getattr(settings.audience, field.name)
    for name, version in settings.versions.items():
        for field in fields(version):
            found["versions", name, _VERSION_KEYS.get(field.name, field.name)] = getattr(version, field.name)
    for guard in settings.rules.guards:
        for key in ("fail_above", "at_most", "quantile", "answer"):
            found["guards", guard.name, key] = getattr(guard, key)
    return found | {("alpha",): settings.rules.alpha, ("beta",): settings.rules.beta}
