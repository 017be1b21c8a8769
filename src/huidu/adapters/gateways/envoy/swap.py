"""How files come into force in Envoy: it watches for renames. Standard library only.

gateway/envoy/              what Envoy watches: rds.json, and in folders of their own, so that a rename of one does
                            not have the others read again, clusters/cds.json, tokens/ecds.json, certificate/sds.json
"""

import re
from dataclasses import dataclass
from pathlib import Path

from huidu.adapters.gateways.folder import SwapFolder, until
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


# Counts the lines of the log of refused requests (access_log.py).
REFUSED_LINES = "access_logs.huidu.refused_lines"
_LINES = "filesystem.write_buffered"
_FAILURES = ("filesystem.write_failed", "filesystem.reopen_failed")
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

    @property
    def document_path(self) -> Path:
        return self.routes_file.path

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

    def written(self) -> tuple[int, int, str] | None:
        """Envoy counts the lines of its two logs together, and those of the lesser one apart."""
        life = self._life()
        found = self.stats(f"^({'|'.join(re.escape(name) for name in (_LINES, REFUSED_LINES, *_FAILURES))})$")
        # Asked before and after: a run that began between the two has counted nothing of what the former said.
        if life is None or _LINES not in found or self._life() != life:
            return None
        lines = int(found[_LINES]) - int(found.get(REFUSED_LINES, 0))
        return lines, sum(int(found.get(name, 0)) for name in _FAILURES), life

    def _life(self) -> str | None:
        """Each run of Envoy makes its socket anew: that names the run."""
        try:
            stat = self.places.asked_at(self.places.admin_socket).stat()
        except OSError:
            return None
        return f"{stat.st_ino}-{stat.st_mtime_ns}"

    def reopen_log(self) -> bool:
        return self.ask("POST", "/reopen_logs") is not None

    def stat(self, name: str) -> str | None:
        return self.stats(f"^{re.escape(name)}$").get(name)

    def stats(self, pattern: str) -> dict[str, str]:
        """Envoy's own statistics by name; empty when it does not answer."""
        body = self.ask("GET", f"/stats?filter={pattern}") or ""
        rows = (line.split(": ", 1) for line in body.splitlines() if ": " in line)
        return {name: value.strip('"') for name, value in rows}
