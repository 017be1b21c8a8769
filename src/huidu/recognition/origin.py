"""Who asked, as the gateway's request headers say. What is malformed counts as not sent, never as an error."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_NUMBER = re.compile(r"[0-9]{1,9}")
_RULE = re.compile(r"[a-z_]{1,16}")
_UNIT = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Origin:
    """One attempt of one request. `unit` is 16 hex digits; `purpose` is live, golden or warming."""

    request_id: str
    attempt: int = 1
    release_id: int | None = None
    rule: str | None = None
    unit: str | None = None
    purpose: str = "live"


def origin_of(headers: Mapping[str, str], new_id: str) -> Origin:
    """The origin that lower-case headers describe; `new_id` names a request that came without a usable id."""
    envoy = _number(headers, "x-envoy-attempt-count")
    return Origin(
        request_id=_matching(headers, "x-request-id", _REQUEST_ID) or new_id,
        attempt=envoy or _number(headers, "x-huidu-attempt") or 1,
        release_id=_number(headers, "x-huidu-release"),
        rule=_matching(headers, "x-huidu-rule", _RULE),
        unit=_matching(headers, "x-huidu-unit", _UNIT),
        purpose="golden" if headers.get("x-huidu-purpose") == "golden" else "live",
    )


def _matching(headers: Mapping[str, str], name: str, pattern: re.Pattern[str]) -> str | None:
    value = headers.get(name, "")
    return value if pattern.fullmatch(value) else None


def _number(headers: Mapping[str, str], name: str) -> int | None:
    """A positive integer, or None."""
    text = _matching(headers, name, _NUMBER)
    return int(text) or None if text else None
