-- What is known of each open request, from its choice to its log line. nginx forgets `ngx.ctx` on the way to a named
-- location; a request's address in memory stays its own until it is logged.

local ffi = require("ffi")
local get_request = require("resty.core.base").get_request
local cast = ffi.cast

local records = {}
local by_request = {}

local function key_of(request)
  local key = tonumber(cast("uintptr_t", request))
  return key
end

function records.open(request, record)
  local key = key_of(request)
  record.request = key
  by_request[key] = record
end

function records.of_request()
  local key = key_of(get_request())
  return by_request[key]
end

-- Forgets the present request; returns its record, or nil.
function records.close()
  local key = key_of(get_request())
  local record = by_request[key]
  if record then by_request[key] = nil end
  return record
end

return records
