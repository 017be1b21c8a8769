-- The headers of the present request, by their names in lower case.

local sub, byte, concat = string.sub, string.byte, table.concat

local headers = {}
-- What the last request read brought: a value, or a list of values, by name.
local found = {}

local X, DASH = 120, 45

-- Reads the headers of the present request; what was found stays until those of the next one are read.
function headers.read()
  -- 0: all of them; how many there can be is limited by their size.
  found = ngx.req.get_headers(0)
end

-- Drops the names of ours that a client must not send.
function headers.drop_ours()
  for name in pairs(found) do
    if byte(name, 1) == X and byte(name, 2) == DASH then
      local start = sub(name, 1, 8)
      if start == "x-huidu-" or start == "x-envoy-" then ngx.req.clear_header(name) end
    end
  end
end

local function joined(name, separator)
  local value = rawget(found, name)
  if type(value) == "table" then return concat(value, separator) end
  return value
end

-- The values of a header as a list, or nil.
function headers.values(_, name)
  local value = rawget(found, name)
  if type(value) == "string" then return { value } end
  return value
end

-- The first value of a header, or nil.
function headers.first(name)
  local value = rawget(found, name)
  if type(value) == "table" then return value[1] end
  return value
end

-- The values of Cookie joined by "; ", or nil.
function headers.cookies() return joined("cookie", "; ") end

-- The values of Authorization joined by ",", or nil.
function headers.authorization() return joined("authorization", ",") end

return headers
