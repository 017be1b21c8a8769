"""What an instance says of a socket, and which sockets are bad."""

from dataclasses import dataclass

# More speech than this without a text in between, in seconds, and whoever speaks knows that nobody listens.
MUTE_SECONDS = 10.0
# What the service side says, or leaves unsaid (1006), when it is at fault: an internal error, a restart, overload
# (RFC 6455, 7.4.1, and IANA's list).
BAD_CODES = frozenset({1006, 1011, 1012, 1013})


@dataclass(frozen=True, slots=True)
class SocketReport:
    """One report of one socket. Its reports are numbered from 1 on; only the last has `ended`.

    `time` and `opened_at` are epoch seconds. `close_code` and `closed_by` (client or service) are None while it is
    open; 1006 stands for a side that vanished without a word. `first_message_ms` runs from opening to the first
    message with text; None while there was none. Frames and bytes are those of application messages, `up` from the
    client and `down` to it. `mute_speech_seconds` is the most speech that was recognised, or had every chance to be,
    without any text in between. `release_id`, `rule`, `unit`, `peer`, `share_bp` and `unit_key_id` (which key
    made unit and peer, `core/units.py`) are what the gateway told.
    """

    request_id: str
    number: int
    ended: bool
    time: float
    opened_at: float
    version: str
    release_id: int | None
    rule: str | None
    unit: str | None
    peer: str | None
    share_bp: int | None
    close_code: int | None
    closed_by: str | None
    first_message_ms: float | None
    frames_up: int
    frames_down: int
    bytes_up: int
    bytes_down: int
    audio_seconds: float
    mute_speech_seconds: float
    unit_key_id: str | None = None
    id: int = 0  # given by the store


def bad_close(report: SocketReport) -> str | None:
    """Why the service failed this socket: `close_1011` and the like, or `mute`; None where it did not, so far.

    How a client closes is nobody's failure, and a socket that was moved (4012) is healthy.
    """
    if report.closed_by == "service" and report.close_code in BAD_CODES:
        return f"close_{report.close_code}"
    return "mute" if report.mute_speech_seconds > MUTE_SECONDS else None
