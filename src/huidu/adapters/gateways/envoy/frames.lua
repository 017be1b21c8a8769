-- ------------------------------------------------------------------ what passes through a WebSocket
--
-- Reads the heads of frames, in both directions, of sockets that the policy (filter.lua) marked: of services that
-- cannot tell themselves. What it finds is in the log line: in the stream's metadata, where each number stands as
-- soon as it is known, for a client that vanishes leaves no time to tell. Payloads are stepped over, never copied.

local bit = require("bit")
local bxor, byte, min = bit.bxor, string.byte, math.min

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

-- What the first two bytes tell: the opcode, and how long the head is. Nil where no endpoint would take them: an opcode
-- that there is not, a control frame that is long or in pieces, a client that does not mask or a service that does.
local function frame_of(head, masked)
  local first, second = byte(head, 1, 2)
  local opcode, short = first % 16, second % 128
  if (second >= 128) ~= masked or (opcode > 2 and opcode < CLOSE) or opcode > 10 then return nil end
  if opcode >= CLOSE and (first < 128 or short > 125) then return nil end
  local extended = short == 126 and 2 or short == 127 and 8 or 0
  return opcode, 2 + extended + (masked and 4 or 0)
end

-- The length of the payload, by a whole head.
local function payload_length(head)
  local short = byte(head, 2) % 128
  if short < 126 then return short end
  local length = 0
  for index = 3, short == 126 and 4 or 10 do length = length * 256 + byte(head, index) end
  return length
end

-- The code of a close frame, by its head of `size` bytes and what follows; nil while that is not there.
local function close_code(head, size, masked)
  if payload_length(head) < 2 then return NO_CODE end
  local high, low = byte(head, size + 1, size + 2)
  if not low then return nil end
  if masked then
    local key, next_key = byte(head, size - 3, size - 2)
    high, low = bxor(high, key), bxor(low, next_key)
  end
  return high * 256 + low
end

-- Steps through a chunk from head to head. `state` is {head = what came of one, skip = bytes of payload to come}.
-- Returns the number of data frames that began and the code of a close frame, if one came; nil for what is no frame.
local function frames_in(state, chunk, masked)
  local at, length, frames = 0, chunk:length(), 0
  while state.skip < length - at do
    at, state.skip = at + state.skip, 0
    local known = #state.head
    local head = state.head .. chunk:getBytes(at, min(LONGEST - known, length - at))
    state.head = head
    if #head < 2 then return frames end
    local opcode, size = frame_of(head, masked)
    if not opcode then return nil end
    -- What is missing was not in this chunk.
    if #head < size then return frames end
    if opcode == CLOSE then return frames, close_code(head, size, masked) end
    local payload = payload_length(head)
    -- What a double does not hold exactly is no length that anybody sends.
    if payload >= 2 ^ 53 then return nil end
    if opcode < CLOSE then frames = frames + 1 end
    at, state.head, state.skip = at + size - known, "", payload
  end
  state.skip = state.skip - (length - at)
  return frames
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
