"""What a gateway is set up with, fixed while it runs."""

from dataclasses import dataclass

from huidu.core.address import Network


@dataclass(frozen=True, slots=True)
class Tls:
    """Paths of PEM files; what they hold is taken over when it changes."""

    certificate: str
    key: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a gateway listens, whom it believes, and its limits. Sizes in bytes.

    An upload up to `retry_body_bytes` is kept for a second try; a candidate that has not begun to answer
    `hang_after_seconds` (and more for a long upload: `core.faces.hang_after_seconds`) after the end of an upload
    counts as failed; at most `max_fallbacks` requests at a time are tried again on the stable version.
    `recognition_paths` say which paths of services that are not ours take audio; none: all.
    """

    listen_host: str
    listen_port: int
    max_upload_bytes: int = 2 * 10**9
    retry_body_bytes: int = 32 * 10**6
    hang_after_seconds: float = 30.0
    max_fallbacks: int = 256
    max_header_bytes: int = 64 * 1024
    trusted_proxies: tuple[Network, ...] = ()
    recognition_paths: tuple[str, ...] = ()
    tls: Tls | None = None
