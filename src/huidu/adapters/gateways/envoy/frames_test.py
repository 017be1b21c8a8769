"""The reader of frames in LuaJIT, as Envoy runs it, over bytes that another library made and that are cut anywhere."""

from importlib.resources import files
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lupa import luajit21
from websockets.frames import Close, Frame, Opcode

# Stands for Envoy: chunks are texts, and what is noted lands in a table.
_HANDLE = """
local function chunk_of(text)
  return {
    length = function() return #text end,
    getBytes = function(_, index, length)
      assert(length <= 16 and index + length <= #text, "more than a head is asked for")
      return string.sub(text, index + 1, index + length)
    end,
  }
end
return function(chunks, status, noted)
  local data = {
    get = function() return noted end,
    set = function(_, space, name, value) noted[name] = value end,
  }
  local now = 0
  local handle = {
    headers = function() return { get = function() return status end } end,
    streamInfo = function() return { dynamicMetadata = function() return data end } end,
    timestamp = function() now = now + 7; return now end,
    bodyChunks = function()
      local index = 0
      return function()
        index = index + 1
        return chunks[index] and chunk_of(chunks[index])
      end
    end,
  }
  if status then envoy_on_response(handle) else envoy_on_request(handle) end
end
"""
RUNTIME = luajit21.LuaRuntime(encoding=None)
RUN = RUNTIME.execute((files(__package__).joinpath("frames.lua").read_text() + _HANDLE).encode())


def seen(chunks: list[bytes], service: bool, before: dict[bytes, Any] | None = None) -> dict[str, Any]:
    """What is noted of the chunks that one side sent."""
    noted = RUNTIME.table_from({b"watched": True} | (before or {}))
    RUN(RUNTIME.table_from(chunks), b"101" if service else None, noted)
    found = {key.decode(): value for key, value in noted.items()}
    return {key: value.decode() if isinstance(value, bytes) else value for key, value in found.items()}


def cut(sent: bytes, places: list[float]) -> list[bytes]:
    edges = [0, *sorted(round(place * len(sent)) for place in places), len(sent)]
    return [sent[start:end] for start, end in pairwise(edges)]


DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)
payloads = st.sampled_from([0, 1, 5, 125, 126, 127, 300, 65_535, 65_536, 70_000]).map(lambda size: b"\x81" * size)
data_frames = st.builds(
    Frame,
    st.sampled_from(DATA),
    payloads,
    st.booleans(),
)
control_frames = st.builds(Frame, st.sampled_from([Opcode.PING, Opcode.PONG]), st.binary(max_size=125))
closes = (
    st.none()
    | st.just(b"")
    | st.builds(
        lambda code: Close(code, "bye").serialize(), st.sampled_from([1000, 1001, 1011, 1012, 1013, 4000, 4999])
    )
)


def _written(frame: Frame, masked: bool, compressed: bool) -> bytes:
    """The bytes of a frame; compressed ones bear a bit, which permessage-deflate sets."""
    first, *rest = frame.serialize(mask=masked)
    return bytes([first | (0x40 if compressed and frame.opcode in DATA else 0), *rest])


@given(
    st.lists(data_frames | control_frames, max_size=8),
    closes,
    st.lists(st.floats(0, 1), max_size=12),
    st.booleans(),
    st.booleans(),
)
def test_frames_are_counted_however_they_are_cut(
    sent: list[Frame], close: bytes | None, places: list[float], service: bool, compressed: bool
) -> None:
    frames = [*sent, *([] if close is None else [Frame(Opcode.CLOSE, close)])]
    stream = b"".join(_written(frame, masked=not service, compressed=compressed) for frame in frames)
    found = seen(cut(stream, places), service)
    name, by = ("frames_down", '"service"') if service else ("frames_up", '"client"')
    count = sum(frame.opcode in DATA for frame in sent)
    assert found.get(name, 0) == count
    if close is None:
        # It ended without a word.
        assert (found["close_code"], found["closed_by"]) == (1006, by)
    else:
        code = int.from_bytes(close[:2]) if close else 1005
        assert (found["close_code"], found["closed_by"]) == (code, by)
    assert ("first_message_ms" in found) == (service and count > 0)


@given(st.lists(st.binary(max_size=40), max_size=10), st.booleans())
def test_what_is_no_websocket_makes_no_error_and_no_close_of_its_own(chunks: list[bytes], service: bool) -> None:
    found = seen(chunks, service)
    assert found["closed_by"] in ("null", '"service"' if service else '"client"')
    assert found["close_code"] == "null" or 0 <= found["close_code"] <= 65_535


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x83\x00",  # an opcode that there is not
        b"\x08\x00",  # a close frame in pieces
        b"\x89\x7e\x01\x00",  # a ping that is too long
        b"\x82\x80\x00\x00\x00\x00",  # a service that masks
        b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff",  # longer than anything
    ],
)
def test_where_frames_cannot_be_read_nothing_is_made_up(sent: bytes) -> None:
    text = Frame(Opcode.TEXT, b"a").serialize(mask=False)
    found = seen([text, sent, text], service=True)
    assert (found["frames_down"], found["close_code"], found["closed_by"]) == ("null", "null", "null")


def test_the_first_close_counts_and_not_its_echo() -> None:
    echo = Frame(Opcode.CLOSE, Close(1000, "").serialize()).serialize(mask=False)
    found = seen([echo], service=True, before={b"close_code": 4000, b"closed_by": b'"client"', b"frames_up": 3})
    assert (found["close_code"], found["closed_by"], found["frames_up"]) == (4000, '"client"', 3)


def test_a_socket_that_no_version_took_has_no_frames() -> None:
    noted = RUNTIME.table_from({b"watched": True})
    RUN(RUNTIME.table_from([]), b"404", noted)
    assert dict(noted.items()) == {b"watched": True}


def test_sockets_that_tell_of_themselves_are_not_read() -> None:
    noted = RUNTIME.table_from({})
    RUN(RUNTIME.table_from([b"\x82\x01a"]), b"101", noted)
    assert dict(noted.items()) == {}
