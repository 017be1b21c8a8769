"""Which requests carry audio to be recognised: only these are evidence.

The same is decided in the gateways (`policy.lua`), from the `Faces` of the versions that a generation routes to.
"""

from dataclasses import dataclass
from enum import StrEnum

# A client is told nothing for so long only where it sent much: 8 kB are about a second of speech, however coded.
HANG_BYTES_PER_SECOND = 8_000
LONGEST_HANG_SECONDS = 3600.0


class RequestKind(StrEnum):
    """What a request is, in the gateway's log."""

    RECOGNITION = "recognition"
    SOCKET = "socket"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Faces:
    """Paths that take audio: by POST, and by WebSocket. None stands for every path.

    A path that ends with `*` stands for all that begin so.
    """

    posts: tuple[str, ...] | None = None
    sockets: tuple[str, ...] | None = None


# The faces of an instance of ours (design section 6). A batch is none: its items are recognised later.
OWN_FACES = Faces(
    posts=("/v1/audio/transcriptions", "/v1/audio/translations", "/api/v1/transcribe", "/api/v1/calls"),
    sockets=("/", "/ws", "/ws/stream-transcribe", "/v1/realtime"),
)


def faces_of(all_managed: bool, recognition_paths: tuple[str, ...]) -> Faces:
    """The faces that count where some versions are ours or foreign: the same for both sides of a release.

    Of a foreign service nothing is known but what `recognition_paths` says; without it every POST and every socket
    counts.
    """
    if all_managed:
        return OWN_FACES
    return Faces(recognition_paths, recognition_paths) if recognition_paths else Faces()


def request_kind(method: str, target: str, upgrade: str | None, faces: Faces) -> RequestKind:
    """The kind of a request by its method, its target (path and query) and its Upgrade header."""
    path = target.partition("?")[0]
    if method == "POST":
        return RequestKind.RECOGNITION if _listed(path, faces.posts) else RequestKind.OTHER
    if method == "GET" and upgrade is not None and upgrade.lower() == "websocket" and _listed(path, faces.sockets):
        return RequestKind.SOCKET
    return RequestKind.OTHER


def _listed(path: str, paths: tuple[str, ...] | None) -> bool:
    if paths is None:
        return True
    return any(path.startswith(each[:-1]) if each.endswith("*") else path == each for each in paths)


def hang_after_seconds(base_seconds: float, upload_bytes: int | None) -> float:
    """How long after the end of an upload the first byte of its answer may take before that is a hang.

    `base_seconds` and a second for each 8 kB, at most an hour, so that a long recording is no hang. Of an upload
    whose length is not known before it ends (None) it may be the longest.
    """
    if upload_bytes is None:
        return max(base_seconds, LONGEST_HANG_SECONDS)
    return max(base_seconds, min(LONGEST_HANG_SECONDS, base_seconds + upload_bytes / HANG_BYTES_PER_SECOND))
