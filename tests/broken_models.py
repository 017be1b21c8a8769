"""Real models that fail in ways of their own: the kit's, changed in their ONNX files (protobuf's wire format).

They load and warm up as all do; what users get of them is what such a model really gives.
"""

import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

# Field numbers of onnx.proto: of a model, its graph, tensors, nodes and values.
_GRAPH = 7
_NODE, _INITIALIZER, _INPUT, _OUTPUT = 1, 5, 11, 12
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_NAME, _TENSOR_RAW = 1, 2, 8, 9
_NODE_INPUT, _NODE_OUTPUT, _NODE_OPERATOR = 1, 2, 4
_VALUE_NAME, _VALUE_TYPE = 1, 2
_INT64 = 7
_HEAD = (b"head.weight", b"head.bias")
# Frames of the clips that engines are warmed up with: 0.5 to 8 s, 100 frames a second, less those at the edges.
_WARM_FRAMES = tuple(frames - less for frames in (50, 100, 200, 400, 800) for less in range(4))
_MOST_FRAMES = 6000

Field = tuple[int, int, bytes | int]


def silent(model: Path, folder: Path) -> Path:
    """A model that hears nothing in anything: all tokens are as likely, and the first of them is the blank."""
    return _changed(model, folder, [_blanked(field) for field in _graph(model)])


def failing(model: Path, folder: Path) -> Path:
    """A model that knows the lengths that it was tried with, and fails on every other.

    A table says of each number of frames whether there is such a row in another table of one row.
    """
    known = [0 if frames in _WARM_FRAMES else 9 for frames in range(_MOST_FRAMES)]
    (lengths,) = (value for number, _, value in _graph(model) if number == _INPUT and b"x_lens" in _bytes(value))
    kind = next(value for number, _, value in _fields(_bytes(lengths)) if number == _VALUE_TYPE)
    added: list[Field] = [
        (_INITIALIZER, 2, _tensor(b"known", known)),
        (_INITIALIZER, 2, _tensor(b"row", [1])),
        (_NODE, 2, _gather(b"known", b"x_lens", b"which")),
        (_NODE, 2, _gather(b"row", b"which", b"checked")),
        (_OUTPUT, 2, _packed([(_VALUE_NAME, 2, b"checked"), (_VALUE_TYPE, 2, kind)])),
    ]
    return _changed(model, folder, [*_graph(model), *added])


def _changed(model: Path, folder: Path, graph: list[Field]) -> Path:
    """A model directory like another one, with another graph."""
    shutil.copytree(model, folder)
    file = folder / "model.onnx"
    parts = list(_fields(file.read_bytes()))
    file.write_bytes(_packed([(_GRAPH, 2, _packed(graph)) if part[0] == _GRAPH else part for part in parts]))
    return folder


def _graph(model: Path) -> list[Field]:
    (graph,) = (value for number, _, value in _fields((model / "model.onnx").read_bytes()) if number == _GRAPH)
    return list(_fields(_bytes(graph)))


def _blanked(field: Field) -> Field:
    """A field of a graph; the weights of the last layer are nothing but zeros."""
    number, wire, value = field
    if number != _INITIALIZER:
        return field
    parts = list(_fields(_bytes(value)))
    if not any(part[0] == _TENSOR_NAME and part[2] in _HEAD for part in parts):
        return field
    zeros: list[Field] = [
        (part[0], part[1], bytes(len(_bytes(part[2])))) if part[0] == _TENSOR_RAW else part for part in parts
    ]
    return number, wire, _packed(zeros)


def _tensor(name: bytes, values: list[int]) -> bytes:
    raw = struct.pack(f"<{len(values)}q", *values)
    return _packed(
        [(_TENSOR_DIMS, 0, len(values)), (_TENSOR_TYPE, 0, _INT64), (_TENSOR_NAME, 2, name), (_TENSOR_RAW, 2, raw)]
    )


def _gather(table: bytes, index: bytes, result: bytes) -> bytes:
    inputs: list[Field] = [(_NODE_INPUT, 2, table), (_NODE_INPUT, 2, index)]
    return _packed([*inputs, (_NODE_OUTPUT, 2, result), (_NODE_OPERATOR, 2, b"Gather")])


# ------------------------------------------------------------------ protobuf


def _bytes(value: bytes | int) -> bytes:
    assert isinstance(value, bytes)
    return value


def _fields(message: bytes) -> Iterator[Field]:
    """Number, wire type and content of each field of a message."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            whole, place = _varint(message, place)
            yield number, wire, whole
            continue
        length, place = _varint(message, place) if wire == 2 else ({1: 8, 5: 4}[wire], place)
        yield number, wire, message[place : place + length]
        place += length


def _packed(fields: list[Field]) -> bytes:
    parts = []
    for number, wire, value in fields:
        parts.append(_as_varint(number << 3 | wire))
        if isinstance(value, int):
            parts.append(_as_varint(value))
        else:
            parts += [_as_varint(len(value)), value] if wire == 2 else [value]
    return b"".join(parts)


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place


def _as_varint(value: int) -> bytes:
    parts = []
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])
