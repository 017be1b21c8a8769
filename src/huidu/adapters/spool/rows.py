"""A recognition as text in a spool."""

import json
from dataclasses import MISSING, fields
from typing import Any

import orjson

from huidu.core.errors import InvalidError
from huidu.ports import Recognition

_FIELDS = {field.name: field.default is MISSING for field in fields(Recognition) if field.name != "id"}


def encode(row: Recognition) -> bytes:
    """UTF-8. The id is left out: the history gives it."""
    said = {name: getattr(row, name) for name in _FIELDS}
    try:
        return orjson.dumps(said)
    except TypeError:
        # Half a surrogate, and numbers beyond 64 bits, which orjson refuses.
        return json.dumps(said).encode()


def decode(payload: bytes) -> Recognition:
    """The row again, also of another version of Huidu: what it says more is left out. Raises `InvalidError`."""
    said = _read(payload)
    missing = [name for name, needed in _FIELDS.items() if needed and name not in said]
    if missing:
        raise InvalidError(f"a row in the spool says nothing of {', '.join(missing)}")
    return Recognition(**{name: value for name, value in said.items() if name in _FIELDS})


def _read(payload: bytes) -> dict[str, Any]:
    try:
        said = json.loads(payload)
    except ValueError as error:
        raise InvalidError(f"a row in the spool is not JSON: {error}") from error
    if not isinstance(said, dict):
        raise InvalidError("a row in the spool is no JSON object")
    return said
