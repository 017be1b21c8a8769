-- The addresses of a version: who is next, and whom to leave out for a while.

local LEAVE_OUT_SECONDS = 5

local addresses = {}
-- Until when an address that failed here is left out, by its key.
local failed_until = {}
-- What the probing worker found not to answer, by key.
local down, down_text = {}, ""

function addresses.compile(upstream)
  for _, each in ipairs(upstream.addresses) do
    each.key = each.ip .. ":" .. string.format("%d", each.port)
  end
  upstream.turn = 0
  upstream.only = #upstream.addresses == 1 and upstream.addresses[1] or nil
end

-- The next address in turn that is not left out; when all are, the next in turn. There is one.
function addresses.next(upstream, now)
  local listed = upstream.addresses
  local n = #listed
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
