"""Who asked, as the gateway's request headers say. What is malformed counts as not sent, never as an error."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from huidu.core.units import KEY_ID, KEY_ID_HEADER

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_NUMBER = re.compile(r"[0-9]{1,9}")
_RULE = re.compile(r"[a-z_]{1,16}")
_HASH = re.compile(r"[0-9a-f]{16}")
_SHARE_BP = re.compile(r"[0-9]{1,5}")
_WHOLE_BP = 10_000
# What else a recognition may be asked for than a user, by its header.
_PURPOSES = ("golden", "probe")


@dataclass(frozen=True, slots=True)
class Origin:
    """One attempt of one request.

    `unit` (a user) and `peer` (a client's address) are keyed hashes of 16 hex digits; `share_bp` is the share in force
    at the gateway when it chose the version, in basis points. `purpose` is live, golden, probe or warming. `key_id`
    says which key made unit and peer (`core/units.py`); None: an earlier Huidu's gateway.
    """

    request_id: str
    attempt: int = 1
    release_id: int | None = None
    rule: str | None = None
    unit: str | None = None
    peer: str | None = None
    share_bp: int | None = None
    purpose: str = "live"
    key_id: str | None = None


def origin_of(headers: Mapping[str, str], new_id: str) -> Origin:
    """The origin that lower-case headers describe; `new_id` names a request that came without a usable id."""
    envoy = _number(headers, "x-envoy-attempt-count")
    purpose = headers.get("x-huidu-purpose", "")
    return Origin(
        request_id=_matching(headers, "x-request-id", _REQUEST_ID) or new_id,
        attempt=envoy or _number(headers, "x-huidu-attempt") or 1,
        release_id=_number(headers, "x-huidu-release"),
        rule=_matching(headers, "x-huidu-rule", _RULE),
        unit=_matching(headers, "x-huidu-unit", _HASH),
        peer=_matching(headers, "x-huidu-peer", _HASH),
        share_bp=_share_bp(headers),
        purpose=purpose if purpose in _PURPOSES else "live",
        key_id=_matching(headers, KEY_ID_HEADER, KEY_ID),
    )


def _matching(headers: Mapping[str, str], name: str, pattern: re.Pattern[str]) -> str | None:
    value = headers.get(name, "")
    return value if pattern.fullmatch(value) else None


def _number(headers: Mapping[str, str], name: str) -> int | None:
    """A positive integer, or None."""
    text = _matching(headers, name, _NUMBER)
    return int(text) or None if text else None


def _share_bp(headers: Mapping[str, str]) -> int | None:
    """0 to 10000, or None: a share of 0 is one, unlike no share."""
    text = _matching(headers, "x-huidu-share-bp", _SHARE_BP)
    return int(text) if text and int(text) <= _WHOLE_BP else None
