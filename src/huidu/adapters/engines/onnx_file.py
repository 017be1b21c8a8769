"""Reads the metadata of an ONNX file without loading the model.

The metadata says which family a model belongs to. The `onnx` package would parse the whole graph for that (and be
a dependency of 20 MB); here the few fields of `ModelProto` are walked as protobuf wire format
(https://protobuf.dev/programming-guides/encoding) and the graph, nearly all of the file, is skipped by one seek.
"""

from pathlib import Path
from typing import BinaryIO

from huidu.core.errors import InvalidError

# Field numbers of `ModelProto` and `StringStringEntryProto` in onnx.proto.
_GRAPH, _METADATA_PROPS = 7, 14
_KEY, _VALUE = 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
# Longest metadata entry that is read: a mean vector is some kilobytes of text.
_MAX_ENTRY_BYTES = 1 << 24


class _MalformedError(Exception):
    """The bytes are not what the wire format allows."""


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata entries of an ONNX file; raises `InvalidError` when it is not a whole one."""
    try:
        with path.open("rb") as file:
            entries, has_graph = _model(file)
    except _MalformedError as error:
        raise InvalidError(f"{path} is not a whole ONNX model: {error}") from error
    except OSError as error:
        raise InvalidError(f"{path} cannot be read: {error.strerror}") from error
    if not has_graph:
        raise InvalidError(f"{path} is not an ONNX model: it holds no graph")
    return entries


def _model(file: BinaryIO) -> tuple[dict[str, str], bool]:
    end = file.seek(0, 2)
    file.seek(0)
    entries: dict[str, str] = {}
    has_graph = False
    while file.tell() < end:
        field, wire, length = _header(file, end)
        if field == _METADATA_PROPS and wire == _BYTES and length <= _MAX_ENTRY_BYTES:
            key, value = _entry(file, file.tell() + length)
            entries[key] = value
        else:
            has_graph = has_graph or (field == _GRAPH and wire == _BYTES)
            file.seek(length, 1)
    return entries, has_graph


def _entry(file: BinaryIO, end: int) -> tuple[str, str]:
    texts = {_KEY: "", _VALUE: ""}
    while file.tell() < end:
        field, wire, length = _header(file, end)
        content = file.read(length)
        if field in texts and wire == _BYTES:
            texts[field] = content.decode("utf-8", errors="replace")
    return texts[_KEY], texts[_VALUE]


def _header(file: BinaryIO, end: int) -> tuple[int, int, int]:
    """Field number, wire type and the number of bytes of content that follow; a varint is consumed here."""
    tag = _varint(file)
    field, wire = tag >> 3, tag & 7
    if wire == _VARINT:
        _varint(file)
        length = 0
    elif wire == _BYTES:
        length = _varint(file)
    elif wire in (_FIXED64, _FIXED32):
        length = 8 if wire == _FIXED64 else 4
    else:
        raise _MalformedError(f"wire type {wire} at byte {file.tell()}")
    if field == 0 or file.tell() + length > end:
        raise _MalformedError("it ends too early" if field else f"field number 0 at byte {file.tell()}")
    return field, wire, length


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise _MalformedError("it ends too early")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise _MalformedError(f"a number without end at byte {file.tell()}")
