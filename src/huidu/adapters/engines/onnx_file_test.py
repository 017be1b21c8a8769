from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huidu.adapters.engines.onnx_file import read_metadata
from huidu.core.errors import InvalidError


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def block(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


def onnx(metadata: dict[str, str], graph: bytes = b"graph") -> bytes:
    """A `ModelProto` with an IR version, a producer, a graph and metadata."""
    entries = [block(14, block(1, key.encode()) + block(2, value.encode())) for key, value in metadata.items()]
    return varint(1 << 3) + varint(8) + block(2, b"huidu") + block(7, graph) + b"".join(entries)


def read(folder: Path, content: bytes) -> dict[str, str]:
    (folder / "model.onnx").write_bytes(content)
    return read_metadata(folder / "model.onnx")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("onnx")


TEXTS = st.text("az_09 ,.\n\x00é灰度", max_size=300)


@given(metadata=st.dictionaries(TEXTS, TEXTS, max_size=8), graph=st.binary(max_size=400))
def test_metadata_is_read_back(folder: Path, metadata: dict[str, str], graph: bytes) -> None:
    assert read(folder, onnx(metadata, graph)) == metadata


@given(content=st.binary(max_size=200))
def test_random_bytes_are_a_model_or_refused(folder: Path, content: bytes) -> None:
    with suppress(InvalidError):
        read(folder, content)


def test_a_model_cut_within_its_graph_is_refused(folder: Path) -> None:
    with pytest.raises(InvalidError, match="not a whole ONNX model: it ends too early"):
        read(folder, onnx({}, graph=bytes(1000))[:500])


def test_a_file_without_a_graph_is_refused(folder: Path) -> None:
    with pytest.raises(InvalidError, match="holds no graph"):
        read(folder, b"")


def test_a_missing_file_is_refused(folder: Path) -> None:
    with pytest.raises(InvalidError, match="cannot be read"):
        read_metadata(folder / "none.onnx")
