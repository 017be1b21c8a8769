"""What control works with: its configuration, and the adapters behind its ports."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from huidu.core.audience import Audience
from huidu.core.plan import Plan, Rules
from huidu.core.spool import Head
from huidu.core.testset import TestSet
from huidu.core.version import Version
from huidu.ports import Clock, Gateway, GatewayLog, History, Instance, Runtime, Sockets, Store


@dataclass(frozen=True, slots=True)
class Config:
    """What control takes from the configuration file. It may be exchanged while control runs."""

    versions: dict[str, Version]
    stable: str
    audience: Audience
    plan: Plan
    rules: Rules
    share_expiry_seconds: float
    reserve_bytes: int
    first_address: tuple[str, int]
    move_streams: bool = False
    drain_limit_seconds: float = 3600.0
    hang_after_seconds: float = 30.0
    # Whether the gateway sees what passes on the sockets of versions that do not report on them.
    sees_messages: bool = True

    @property
    def authorities(self) -> frozenset[str]:
        """PEM files that vouch for versions spoken to by HTTPS."""
        return frozenset(version.ca for version in self.versions.values() if version.ca)

    @property
    def managed(self) -> frozenset[str]:
        """The versions whose processes are Huidu's own."""
        return frozenset(name for name, version in self.versions.items() if version.managed)


@dataclass(frozen=True, slots=True)
class Parts:
    """The adapters that control works with.

    `check` raises `InvalidError` for a version that cannot run, `read_set` for a test set that is no good. `clip` is
    a short recording of speech for probes where there is no golden set; None where there is none. `salt` draws a
    random salt for a release. `spooled` tells what waits for the history in each spool of the data folder.
    """

    store: Store
    history: History
    sockets: Sockets
    gateway: Gateway
    log: GatewayLog
    runtime: Runtime
    instance: Instance
    clock: Clock
    check: Callable[[Version], None]
    read_set: Callable[[Path], TestSet]
    clip: Callable[[], Path | None]
    salt: Callable[[], str]
    spooled: Callable[[], Sequence[Head]] = tuple
