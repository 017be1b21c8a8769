"""What the gateway is told: one frozen value per generation."""

from dataclasses import dataclass, field, replace

from huidu.core.audience import Audience


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a version answers: `address` is `host:port`."""

    version: str
    address: str


@dataclass(frozen=True, slots=True)
class Routes:
    """Who gets what from `generation` on, until the next one.

    `candidate` is set only in a serving stage; then `release`, `share_bp` and `expires_at` (epoch seconds,
    past which the gateway itself sends the share's users to the stable version) hold.
    """

    generation: int
    stable: str
    upstreams: tuple[Upstream, ...]
    release: int | None = None
    candidate: str | None = None
    share_bp: int = 0
    expires_at: float | None = None
    audience: Audience = field(default_factory=Audience)

    @property
    def salt(self) -> str:
        """Salts the buckets, so that each release picks other users."""
        return f"r{self.release or 0}"

    def address(self, version: str) -> str | None:
        return next((up.address for up in self.upstreams if up.version == version), None)


def rolled_back(routes: Routes, previous: str | None, generation: int) -> Routes:
    """The routes that a roll back puts in force: the stable version for all.

    Without a release in a serving stage it is the former stable version, when one is still warm.
    """
    stable = routes.stable
    if routes.candidate is None and previous is not None and routes.address(previous):
        stable = previous
    return replace(
        routes, generation=generation, stable=stable, release=None, candidate=None, share_bp=0, expires_at=None
    )
