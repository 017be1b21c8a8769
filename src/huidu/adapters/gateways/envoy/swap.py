"""How files come into force in Envoy: it watches for renames. Standard library only.

gateway/envoy/              what Envoy watches: rds.json, and in folders of their own, so that a rename of one does
                            not have the others read again, clusters/cds.json, tokens/ecds.json, certificate/sds.json
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huidu.adapters.gateways.folder import SwapFolder, ask_socket, until, write_aside
from huidu.core.places import Places


@dataclass(frozen=True, slots=True)
class Watched:
    """A file that Envoy watches, and the prefix of the statistics that tell what became of it."""

    path: Path
    stats: str


@dataclass(frozen=True, slots=True)
class Told:
    """The version of a file that is in force, and how often Envoy has refused one since it started."""

    version: str | None
    refusals: int


_REFUSALS = ("update_rejected", "update_failure")


class EnvoyFolder(SwapFolder):
    """The files of an Envoy. Its document is the discovery response with the routes."""

    engine = "envoy"

    def __init__(self, places: Places):
        super().__init__(places)
        folder = self.root / "envoy"
        self.routes_file = Watched(folder / "rds.json", "http.front.rds.huidu")
        self.clusters_file = Watched(folder / "clusters" / "cds.json", "cluster_manager.cds")
        discovered = "extension_config_discovery.http_filter.envoy.filters.http.jwt_authn"
        self.tokens_file = Watched(folder / "tokens" / "ecds.json", discovered)
        self.certificate_path = folder / "certificate" / "sds.json"

    def create(self) -> None:
        super().create()
        files = (self.routes_file.path, self.clusters_file.path, self.tokens_file.path, self.certificate_path)
        for path in files:
            path.parent.mkdir(parents=True, exist_ok=True)

    def put(self, document: dict[str, Any]) -> None:
        write_aside(self.routes_file.path, json.dumps(document))

    def in_force(self) -> int | None:
        text = self.version(self.routes_file) or ""
        return int(text) if text.isdigit() else None

    def version(self, watched: Watched) -> str | None:
        """The version of a file that is in force. Asked among texts, of which Envoy has few: it answers sooner."""
        name = f"{watched.stats}.version_text"
        return self.stats(f"^{re.escape(name)}$&type=TextReadouts").get(name)

    def told(self, watched: Watched) -> Told | None:
        """What Envoy says of a file; None when it does not answer."""
        version, *refusals = (f"{watched.stats}.{name}" for name in ("version_text", *_REFUSALS))
        found = self.stats(f"^({'|'.join(re.escape(name) for name in (version, *refusals))})$")
        if not found:
            return None
        return Told(found.get(version), sum(int(found.get(name, 0)) for name in refusals))

    def warmed(self, wait_seconds: float) -> bool:
        """Whether all clusters are ready to be used in time."""
        return until(lambda: self.stat("cluster_manager.warming_clusters") in ("0", None), wait_seconds)

    def in_flight(self, version: str) -> int:
        return int(self.stat(f"cluster.version_{version}.upstream_rq_active") or 0)

    def reopen_log(self) -> bool:
        return ask_socket(self.places.admin_socket, "POST", "/reopen_logs") is not None

    def stat(self, name: str) -> str | None:
        return self.stats(f"^{re.escape(name)}$").get(name)

    def stats(self, pattern: str) -> dict[str, str]:
        """Envoy's own statistics by name; empty when it does not answer."""
        body = ask_socket(self.places.admin_socket, "GET", f"/stats?filter={pattern}") or ""
        rows = (line.split(": ", 1) for line in body.splitlines() if ": " in line)
        return {name: value.strip('"') for name, value in rows}
