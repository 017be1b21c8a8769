-- The addresses of a version: who is next, and whom to leave out for a while.

local ffi = require("ffi")
local C = ffi.C
local new, cast, copy, text_of = ffi.new, ffi.cast, ffi.copy, ffi.string
ffi.cdef([[
  int inet_pton(int family, const char *text, void *packed);
]])

local AF_INET, AF_INET6 = 2, 10
local LEAVE_OUT_SECONDS = 5

local addresses = {}
-- Until when an address that failed here is left out, by its key.
local failed_until = {}
-- What the probing worker found not to answer, by key.
local down, down_text = {}, ""

-- The first bytes of the socket address: family, port, and for IPv6 the flow, then the address.
local function socket_name(ip, port)
  local plain = ip:match("^%[(.*)%]$") or ip
  local family = plain:find(":", 1, true) and AF_INET6 or AF_INET
  local name = new("uint8_t[24]")
  cast("uint16_t *", name)[0] = family
  name[2], name[3] = math.floor(port / 256), port % 256
  local at, length = 4, 8
  if family == AF_INET6 then at, length = 8, 24 end
  if C.inet_pton(family, plain, name + at) ~= 1 then error("no address: " .. ip) end
  return text_of(name, length)
end

function addresses.compile(upstream)
  for _, each in ipairs(upstream.addresses) do
    each.key = each.ip .. ":" .. string.format("%d", each.port)
    each.socket_name = socket_name(each.ip, each.port)
  end
  upstream.turn = 0
  upstream.only = #upstream.addresses == 1 and upstream.addresses[1] or nil
end

-- The next address in turn that is not left out; when all are, the next in turn.
function addresses.next(upstream, now)
  local listed = upstream.addresses
  local n = #listed
  if n == 0 then return nil end
  for _ = 1, n do
    upstream.turn = upstream.turn % n + 1
    local each = listed[upstream.turn]
    if not down[each.key] and (failed_until[each.key] or 0) <= now then return each end
  end
  upstream.turn = upstream.turn % n + 1
  return listed[upstream.turn]
end

function addresses.failed(address, now)
  failed_until[address.key] = now + LEAVE_OUT_SECONDS
end

-- Takes over what the probing worker found: the keys of addresses, separated by spaces.
function addresses.take_over(text)
  if text == down_text then return end
  down, down_text = {}, text
  for key in text:gmatch("%S+") do down[key] = true end
end

return addresses
