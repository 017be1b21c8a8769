"""Stored JSON: one way in and out, tolerant of other versions of Huidu and strict with damage.

A document may have been written by a version that knew less, or one that knew more. `read` takes the fields that a
value has, gives those that are missing their default, and says in one line which field of which file is wrong.
What it does not know is found by `unknown`, and stays through a rewriting by `with_unknown`. `sealed` and `unsealed`
put a checksum around a document, so that half of one is never taken for a whole one.
"""

import json
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from huidu.core.errors import InvalidError, UnavailableError

CHECKSUM = "checksum"
# A number beyond it, or one that is none (NaN compares with nothing), was never written by us.
_LARGEST = 2**63
_T = TypeVar("_T")
# Reads what stands at a place; raises `StoredError`.
Reader = Callable[[Any, str], Any]


class StoredError(UnavailableError):
    """A stored document that cannot be used; says file, field and what would have been accepted."""


def sealed(document: Mapping[str, Any]) -> str:
    """A JSON object as text, with its checksum inside."""
    plain = {name: value for name, value in document.items() if name != CHECKSUM}
    return json.dumps(plain | {CHECKSUM: _checksum(plain)})


def unsealed(text: str, where: str) -> dict[str, Any]:
    """The object of a text; one without a checksum was written by an older Huidu. Raises `StoredError`."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise StoredError(f"{where} is {'damaged' if text.strip() else 'empty'}; accepted: a JSON object") from None
    if not isinstance(found, dict):
        raise StoredError(f"{where} is damaged: {_short(found)}; accepted: a JSON object")
    told = found.pop(CHECKSUM, None)
    if told is not None and told != _checksum(found):
        raise StoredError(f"{where} is damaged: its checksum is another; accepted: the file as Huidu wrote it")
    return found


def _checksum(document: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    except RecursionError:
        return ""
    return f"{zlib.crc32(text.encode()):08x}"


def unknown(found: Any, known: Any) -> dict[str, Any]:
    """What of a document is not in `known`, which is the same document as it was understood and written again.

    By key, or by place in a list of equal length: {"upstreams": {"0": {"weight": 2}}}.
    """
    if isinstance(found, dict) and isinstance(known, dict):
        pairs = {name: (value, known.get(name)) for name, value in found.items() if name in known}
        rest = {name: value for name, value in found.items() if name not in known}
    elif isinstance(found, list) and isinstance(known, list) and len(found) == len(known):
        pairs, rest = {str(place): pair for place, pair in enumerate(zip(found, known, strict=True))}, {}
    else:
        return {}
    deeper = {name: more for name, pair in pairs.items() if (more := unknown(*pair))}
    return rest | deeper


def with_unknown(document: Any, more: Mapping[str, Any]) -> Any:
    """A document with what `unknown` found in an earlier one; what has another shape by now stays as it is."""
    if isinstance(document, dict):
        merged = dict(document)
        for name, value in more.items():
            if name not in merged:
                merged[name] = value
            elif isinstance(value, Mapping):
                merged[name] = with_unknown(merged[name], value)
        return merged
    if isinstance(document, list | tuple):
        return [with_unknown(each, more.get(str(place)) or {}) for place, each in enumerate(document)]
    return document


def read(
    kind: type[_T],
    found: Any,
    where: str,
    readers: Mapping[Any, Reader] | None = None,
    needed: Collection[str] = (),
) -> _T:
    """A frozen value from plain JSON. `readers` say how types with a shape of their own are read.

    `needed` are fields whose default would not be safe here: without them nothing is read. Raises `StoredError`, naming
    the field: `where` is the file, or the part of a file.
    """
    listed = entries(found, where)
    values = {}
    for name, type_, required in _fields(kind):  # type: ignore[arg-type]
        if name in listed:
            values[name] = _value(type_, listed[name], f"{where}.{name}", readers or {})
        elif required or name in needed:
            raise StoredError(f"{where}.{name} is missing; accepted: {_accepted(type_)}")
    return made(kind, where, **values)


def made(kind: Callable[..., _T], where: str, *arguments: Any, **named: Any) -> _T:
    """A value that refuses nonsense as it is born, with the place where the nonsense stood."""
    try:
        return kind(*arguments, **named)
    except InvalidError as error:
        raise StoredError(f"{where}: {error}") from None


def value(type_: Any, document: Mapping[str, Any], name: str, where: str, *default: Any) -> Any:
    """One field of an object, of a type; `default` where it is missing, else that is an error."""
    if name not in document:
        if default:
            return default[0]
        raise StoredError(f"{where}.{name} is missing; accepted: {_accepted(type_)}")
    return _value(type_, document[name], f"{where}.{name}", {})


def entries(found: Any, where: str) -> dict[str, Any]:
    """A JSON object. Raises `StoredError` for anything else."""
    if not isinstance(found, dict):
        raise StoredError(f"{where} reads {_short(found)}; accepted: a JSON object")
    return found


@cache
def _fields(kind: Any) -> list[tuple[str, Any, bool]]:
    """Name, type and whether it must be there."""
    hints = get_type_hints(kind)
    return [
        (each.name, hints[each.name], each.default is MISSING and each.default_factory is MISSING)
        for each in fields(kind)
        if not each.metadata.get("not_stored")
    ]


def _value(type_: Any, found: Any, where: str, readers: Mapping[Any, Reader]) -> Any:
    if type_ in readers:
        return readers[type_](found, where)
    if type_ is Any:
        return found
    origin, inner = get_origin(type_), get_args(type_)
    if origin in (Union, UnionType):
        if found is None and NoneType in inner:
            return None
        (only,) = (each for each in inner if each is not NoneType)
        return _value(only, found, where, readers)
    if origin is tuple:
        return _tuple(inner, found, where, readers)
    if origin in (dict, Mapping):
        return {
            name: _value(inner[1], each, f"{where}.{name}", readers) for name, each in entries(found, where).items()
        }
    if isinstance(type_, type) and issubclass(type_, Enum):
        return _member(type_, found, where)
    if is_dataclass(type_):
        return read(type_, found, where, readers)  # type: ignore[arg-type]
    return _plain(type_, found, where)


def _tuple(inner: tuple[Any, ...], found: Any, where: str, readers: Mapping[Any, Reader]) -> tuple[Any, ...]:
    if not isinstance(found, list | tuple):
        raise StoredError(f"{where} reads {_short(found)}; accepted: a list")
    if inner[-1] is Ellipsis:
        return tuple(_value(inner[0], each, f"{where}[{place}]", readers) for place, each in enumerate(found))
    if len(found) != len(inner):
        raise StoredError(f"{where} has {len(found)} entries; accepted: {len(inner)}")
    pairs = enumerate(zip(inner, found, strict=True))
    return tuple(_value(type_, each, f"{where}[{place}]", readers) for place, (type_, each) in pairs)


def _member(kind: type[Enum], found: Any, where: str) -> Enum:
    try:
        return kind(found)
    except (ValueError, TypeError):
        raise StoredError(
            f"{where} reads {_short(found)}; accepted: {', '.join(str(each.value) for each in kind)}"
        ) from None


def _plain(type_: Any, found: Any, where: str) -> Any:
    """A text, a number or a yes or no. True is no number, and a number that is none is nothing."""
    number = isinstance(found, int | float) and not isinstance(found, bool) and abs(found) <= _LARGEST
    if type_ is float and number:
        return found
    if type_ is int and number and int(found) == found:
        return int(found)
    if type_ in (str, bool) and isinstance(found, type_):
        return found
    raise StoredError(f"{where} reads {_short(found)}; accepted: {_accepted(type_)}")


def _accepted(type_: Any) -> str:
    named = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
    inner = [each for each in get_args(type_) if each is not NoneType]
    if get_origin(type_) in (Union, UnionType) and len(inner) == 1:
        return f"{_accepted(inner[0])} or null"
    if get_origin(type_) is tuple:
        return "a list"
    if isinstance(type_, type) and issubclass(type_, Enum):
        return ", ".join(str(each.value) for each in type_)
    return named.get(type_, "a JSON object")


def _short(found: Any) -> str:
    text = " ".join(repr(found).split())
    return text if len(text) <= 40 else f"{text[:37]}…"
