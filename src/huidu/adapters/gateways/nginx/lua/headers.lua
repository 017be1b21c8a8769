-- The headers of the present request, read in place: one pass over them all, and a Lua string only for what is asked.

local ffi = require("ffi")
local bit = require("bit")
local C, new, text_of = ffi.C, ffi.new, ffi.string
local sub = string.sub
local band, bor, lshift = bit.band, bit.bor, bit.lshift

local headers = {}
local truncated = new("int[1]")
local capacity = 64
local elements = new("ngx_http_lua_ffi_table_elt_t[?]", capacity)
local count = 0
local ours
-- The lengths of the names, one bit for each: most names that are asked for are told absent by that.
local lengths = 0

-- Which one is Authorization, the first of them, and how many there are.
local authorization, authorizations = 0, 0

local X, DASH, A = 120, 45, 97

local function look(index)
  local key = elements[index].key
  lengths = bor(lengths, lshift(1, key.len))
  if key.len == 13 and key.data[0] == A and text_of(key.data, 13) == "authorization" then
    if authorizations == 0 then authorization = index end
    authorizations = authorizations + 1
  end
  if key.len >= 8 and key.data[0] == X and key.data[1] == DASH then
    local name = text_of(key.data, key.len)
    local start = sub(name, 1, 8)
    if start == "x-huidu-" or start == "x-envoy-" then
      ours = ours or {}
      ours[#ours + 1] = name
    end
  end
end

-- Written out, because a loop here would keep the whole way of a request from being compiled (tuned.lua).
local function look_at_four(first)
  look(first)
  if count > first + 1 then look(first + 1) end
  if count > first + 2 then look(first + 2) end
  if count > first + 3 then look(first + 3) end
end

-- Reads the headers of a request; what was found stays until the next one is read. Returns a list of the names of
-- ours that the client must not send, or nil.
function headers.read(r)
  -- 0: all of them, however many.
  count = C.ngx_http_lua_ffi_req_get_headers_count(r, 0, truncated)
  if count > capacity then
    capacity = count * 2
    elements = new("ngx_http_lua_ffi_table_elt_t[?]", capacity)
  end
  ours, lengths, authorizations = nil, 0, 0
  if count <= 0 then return nil end
  C.ngx_http_lua_ffi_req_get_headers(r, elements, count, 0)
  look_at_four(0)
  if count > 4 then look_at_four(4) end
  if count > 8 then look_at_four(8) end
  if count > 12 then look_at_four(12) end
  for index = 16, count - 1 do look(index) end
  return ours
end

local function value(index)
  local found = elements[index].value
  local text = text_of(found.data, found.len)
  return text
end

-- The values of Cookie joined by "; ", or nil.
function headers.cookies()
  local text = ngx.var.http_cookie
  return text
end

function headers.may_have(name)
  return band(lengths, lshift(1, #name)) ~= 0
end

-- The values of a header (lower case) as a list, or nil.
function headers.values(_, name)
  if not headers.may_have(name) then return nil end
  local found
  local length = #name
  for index = 0, count - 1 do
    local key = elements[index].key
    if key.len == length and text_of(key.data, length) == name then
      found = found or {}
      found[#found + 1] = value(index)
    end
  end
  return found
end

-- The values of Authorization joined by ",", or nil.
function headers.authorization()
  if authorizations == 0 then return nil end
  if authorizations > 1 then return table.concat(headers.values(nil, "authorization"), ",") end
  return value(authorization)
end

return headers
