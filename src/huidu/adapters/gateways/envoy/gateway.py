"""The Envoy adapter: renders, writes aside, renames, and asks Envoy what is in force."""

import json
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

from huidu.adapters.gateways.envoy import render
from huidu.adapters.gateways.envoy.swap import SwapFolder, write_aside
from huidu.core.errors import UnavailableError
from huidu.core.places import Places
from huidu.core.routes import Routes, from_json, rolled_back, to_json
from huidu.ports import FenceError

_LOCK_WAIT_SECONDS = 2.0
_CLUSTERS_WAIT_SECONDS = 1.0


class EnvoyGateway:
    """One Envoy that watches files. Only this class and `swap.py` write them, under a lock."""

    def __init__(self, places: Places, listen: tuple[str, int], retry_body_bytes: int, max_fallbacks: int):
        self._places, self._listen = places, listen
        self._retry_body_bytes, self._max_fallbacks = retry_body_bytes, max_fallbacks
        self._folder = SwapFolder(places)

    def prepare(self, routes: Routes) -> Path:
        """Lays out everything Envoy needs to start; returns its bootstrap.

        Routes already in force stay in force: after a restart users are where they were.
        """
        self._folder.create()
        for folder in (self._places.logs, self._places.sockets):
            folder.mkdir(parents=True, exist_ok=True)
        self._places.sockets.chmod(0o700)
        path = self._folder.root / "bootstrap.json"
        write_aside(path, json.dumps(render.bootstrap(self._place())))
        # Written again although in force: ports may differ now, and another version of Huidu may have rendered it.
        known = self.routes()
        if known is not None:
            expires_at = None if known.expires_at is None else routes.expires_at
            routes = replace(known, upstreams=routes.upstreams, expires_at=expires_at)
        self._write(routes, wait=False)
        return path

    def swap(self, routes: Routes, fence: int) -> None:
        """Puts routes in force. Raises `FenceError` where somebody rolled back since `fence` was adopted."""
        with self._folder.locked(_LOCK_WAIT_SECONDS) as held:
            if not held:
                raise UnavailableError("the gateway's lock is held by another process; accepted: one swap at a time")
            self._refuse_behind(fence)
            self._write(routes, wait=True)
        # Whoever rolled back while this process was stopped did so without the lock.
        self._refuse_behind(fence)

    def fence(self) -> int:
        return self._folder.fence()

    def routes(self) -> Routes | None:
        """What was last put in force, by whomever; None before the first time."""
        found = self._folder.routes()
        return from_json(found) if found else None

    def applied(self, generation: int, wait_seconds: float) -> bool:
        return self._folder.await_version("rds", generation, wait_seconds)

    def in_flight(self, version: str) -> int:
        names = self._folder.stats("^cluster..*upstream_rq_active$")
        prefix = f"cluster.{render.version_cluster(version)}".replace(":", "_")
        mine = (f"{prefix}.upstream_rq_active", f"{prefix} else ")
        return sum(int(value) for name, value in names.items() if name.startswith(mine))

    def rendered(self, routes: Routes) -> dict[str, Any]:
        """The documents that `swap` would write, with the secret masked."""
        place = self._place(secret="********")
        return {
            "bootstrap.json": render.bootstrap(place),
            "cds.json": render.discovery(routes.generation, render.clusters(routes, self._max_fallbacks)),
            "rds.json": render.discovery(routes.generation, [render.route_configuration(routes, place)]),
        }

    def secret(self) -> str:
        """The installation's secret, under which users appear as units; made once."""
        path = self._folder.root / "secret"
        if not path.exists():
            write_aside(path, secrets.token_hex(16))
        return path.read_text()

    def _refuse_behind(self, fence: int) -> None:
        if self._folder.fence() > fence:
            raise FenceError(f"the fence is {self._folder.fence()}, control knows {fence}")

    def _write(self, routes: Routes, wait: bool) -> None:
        place = self._place()
        self._write_clusters(routes, wait)
        back = rolled_back(routes, routes.generation + 1)
        if back is None:
            self._folder.forget_prepared()
        else:
            self._folder.prepare(_rds(back, place), to_json(back))
        self._folder.swap(_rds(routes, place), to_json(routes))

    def _write_clusters(self, routes: Routes, wait: bool) -> None:
        """Clusters come before the routes that name them, and stay until routes no longer do."""
        before = self._folder.routes()
        listed = render.clusters(routes, self._max_fallbacks)
        if before is not None:
            names = {cluster["name"] for cluster in listed}
            old = render.clusters(from_json(before), self._max_fallbacks)
            listed = listed + [cluster for cluster in old if cluster["name"] not in names]
            if json.dumps(listed, sort_keys=True) == json.dumps(old, sort_keys=True):
                return
        path = self._folder.watched / "cds.json"
        write_aside(path, json.dumps(render.discovery(routes.generation, listed)))
        if wait:
            self._folder.await_version("cds", routes.generation, _CLUSTERS_WAIT_SECONDS)

    def _place(self, secret: str | None = None) -> render.Place:
        return render.Place(
            listen_host=self._listen[0],
            listen_port=self._listen[1],
            admin_socket=str(self._places.admin_socket),
            routes_dir=str(self._folder.watched),
            log=str(self._places.gateway_log),
            refused_log=str(self._places.logs / "gateway-refused.jsonl"),
            secret=secret or self.secret(),
            retry_body_bytes=self._retry_body_bytes,
            max_fallbacks=self._max_fallbacks,
        )


def _rds(routes: Routes, place: render.Place) -> dict[str, Any]:
    return render.discovery(routes.generation, [render.route_configuration(routes, place)])
