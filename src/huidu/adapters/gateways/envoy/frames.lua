-- ------------------------------------------------------------------ what passes through a WebSocket
--
-- Reads the heads of frames, in both directions, of sockets that the policy (filter.lua) marked: of services that
-- cannot tell themselves. What it finds is in the log line: in the stream's metadata, where each number stands as
-- soon as it is known, for a client that vanishes leaves no time to tell. Payloads are stepped over, never copied.

local bit = require("bit")
local bxor, byte, floor, min = bit.bxor, string.byte, math.floor, math.min

local CLOSE = 8
-- The longest head, and two bytes of a close frame's payload: its code.
local LONGEST = 16
local NO_CODE, VANISHED = 1005, 1006

local function tell(handle, name, value)
  handle:streamInfo():dynamicMetadata():set("huidu", name, value)
end

local function told(handle, name)
  local found = handle:streamInfo():dynamicMetadata():get("huidu")
  return found and found[name]
end

-- The first close counts: the other end only echoes it.
local function close(handle, code, by)
  if told(handle, "close_code") then return end
  tell(handle, "close_code", code)
  tell(handle, "closed_by", by)
end

-- The length that a head tells. Nil where no endpoint would take it: an opcode that there is not, a control frame that
-- is long or in pieces, a client that does not mask or a service that does.
local function payload_length(head, masked)
  local first, second = byte(head, 1, 2)
  local opcode, length = first % 16, second % 128
  if (second >= 128) ~= masked or (opcode > 2 and opcode < CLOSE) or opcode > 10 then return nil end
  if opcode >= CLOSE then
    if first < 128 or length > 125 then return nil end
    return length, opcode
  end
  local extended = length == 126 and 2 or length == 127 and 8 or 0
  if extended > 0 then
    length = 0
    for index = 3, 2 + extended do
      local each = byte(head, index)
      if not each then return false, opcode, extended end
      length = length * 256 + each
    end
    -- What a double does not hold exactly is no length that anybody sends.
    if length >= 2 ^ 53 then return nil end
  end
  return length, opcode, extended
end

-- The code of a close frame, of which the head and what follows are known.
local function close_code(head, length, masked)
  if length < 2 then return NO_CODE end
  if not masked then
    local high, low = byte(head, 3, 4)
    return high * 256 + low
  end
  local key, next_key, _, _, high, low = byte(head, 3, 8)
  return bxor(high, key) * 256 + bxor(low, next_key)
end

-- Steps through a chunk from head to head. `state` is {head = what came of one, skip = bytes of payload to come}.
-- Returns the number of data frames that began and the code of a close frame, if one came; nil for what is no frame.
local function frames_in(state, chunk, masked)
  local at, length, frames = 0, chunk:length(), 0
  while true do
    if state.skip >= length - at then
      state.skip = state.skip - (length - at)
      return frames
    end
    at, state.skip = at + state.skip, 0
    local before = #state.head
    local head = state.head .. chunk:getBytes(at, min(LONGEST - before, length - at))
    state.head = head
    if #head < 2 then return frames end
    local payload, opcode, extended = payload_length(head, masked)
    if payload == nil then return nil end
    local size = 2 + (extended or 0) + (masked and 4 or 0)
    if opcode == CLOSE then
      local code_bytes = min(payload, 2)
      if code_bytes == 1 then code_bytes = 0 end
      if #head < size + code_bytes then return frames end
      return frames, close_code(head, payload, masked)
    end
    if not payload or #head < size then return frames end
    if opcode < CLOSE then frames = frames + 1 end
    at, state.head, state.skip = at + size - before, "", payload
  end
end

-- Watches one direction to its end.
local function watch(handle, masked, name, by, on_first)
  local state, frames = { head = "", skip = 0 }, 0
  for chunk in handle:bodyChunks() do
    local more, code = frames_in(state, chunk, masked)
    if not more then
      -- Nothing is known of it any more, and nothing is made up.
      tell(handle, name, "null")
      close(handle, "null", "null")
      return
    end
    if more > 0 then
      if frames == 0 and on_first then on_first() end
      frames = frames + more
      tell(handle, name, frames)
    end
    if code then return close(handle, code, by) end
  end
  close(handle, VANISHED, by)
end

function envoy_on_request(handle)
  if told(handle, "watched") then watch(handle, true, "frames_up", '"client"') end
end

function envoy_on_response(handle)
  if handle:headers():get(":status") ~= "101" or not told(handle, "watched") then return end
  local began = handle:timestamp()
  tell(handle, "frames_down", 0)
  if not told(handle, "frames_up") then tell(handle, "frames_up", 0) end
  watch(handle, false, "frames_down", '"service"', function()
    tell(handle, "first_message_ms", math.max(0, handle:timestamp() - began))
  end)
end
