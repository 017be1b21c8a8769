-- What is told of a choice: the log line up to the status, which nginx adds with what else it knows best, and the
-- headers of ours that a version is sent.
--
-- A Lua string is made, remembered and swept away again at a price, and these would be two or three new ones for each
-- request. So what differs from one request to the next, time and id, is put before the rest in memory of our own.

local need = ...
local ffi = require("ffi")
require("resty.core.var")
local ids = need("ids")
local C, copy = ffi.C, ffi.copy
local format, floor = string.format, math.floor

local ID = ids.length

-- The point, three digits, and what leads to the id.
local thousandths = {}
for ms = 0, 999 do thousandths[ms] = format('.%03d,"request_id":"', ms) end

local second, second_text

-- Epoch seconds with three digits behind the point, as the beginning of a line in two texts.
local function beginning(seconds)
  local whole = floor(seconds)
  if whole ~= second then second, second_text = whole, format('{"time":%d', whole) end
  local ms = floor((seconds - whole) * 1000 + 0.5)
  if ms > 999 then ms = 999 end
  return second_text, thousandths[ms]
end

local room = 4096
local text = ffi.new("unsigned char[?]", room)

local function make_room(length)
  if length > room then
    room = length * 2
    text = ffi.new("unsigned char[?]", room)
  end
end

local lowercase = ffi.new("unsigned char[64]")
local problem, problem_length = ffi.new("unsigned char[256]"), ffi.new("size_t[1]")

local function set_variable(request, name, length)
  problem_length[0] = 256
  local done = C.ngx_http_lua_ffi_var_set(request, name, #name, lowercase, text, length, problem, problem_length)
  if done ~= 0 then error(ffi.string(problem, problem_length[0])) end
end

local function line_end(record, served_by, attempts)
  local log = record.state.log
  return log.release .. record.version.name .. ',"served_by":' .. served_by.name .. log.generation .. record.rule
    .. '","unit":"' .. record.drawn.unit .. '","unit_kind":' .. log.kinds[record.kind] .. ',"bucket":'
    .. record.drawn.bucket .. log.share .. attempts .. ","
end

-- The request's id leads further header lines: nginx writes a variable into a request as it is, and one variable
-- costs less than five. Everything in it is ours.
local function header_lines(record, attempt)
  return "\r\nx-huidu-rule: " .. record.rule .. "\r\nx-huidu-unit: " .. record.drawn.unit .. "\r\nx-huidu-attempt: "
    .. attempt .. record.state.release_header
end

local function set_both(request, record, id, line, lines)
  local seconds, rest = beginning(record.time)
  local id_at = #seconds + #rest
  local length = id_at + ID + #line
  make_room(length + #lines)
  copy(text, seconds, #seconds)
  copy(text + #seconds, rest, #rest)
  copy(text + id_at, id, ID)
  copy(text + id_at + ID, line, #line)
  set_variable(request, "huidu_log", length)
  -- nginx has its own copy by now.
  copy(text, id, ID)
  copy(text + ID, lines, #lines)
  set_variable(request, "huidu_tags", ID + #lines)
end

local tell = {}

-- Tells of a choice just made. Most often it was told the same of this user the last time.
function tell.chosen(request, record)
  local drawn = record.drawn
  if drawn.rule ~= record.rule or drawn.kind ~= record.kind then
    drawn.rule, drawn.kind = record.rule, record.kind
    drawn.line, drawn.lines = line_end(record, record.version, 1), header_lines(record, 1)
  end
  set_both(request, record, ids.digits, drawn.line, drawn.lines)
end

-- Tells that another version serves after all.
function tell.fell_back(request, record, served_by)
  local id = string.sub(ngx.var.huidu_tags, 1, ID)
  set_both(request, record, id, line_end(record, served_by, 2), header_lines(record, 2))
end

return tell
