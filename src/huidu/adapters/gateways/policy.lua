-- Who gets the candidate: the decision of core/audience.py, the same text in Envoy and in nginx.
--
-- What differs between the two comes in as `host`, a table of functions of a request handle:
--   header(handle, name)   the values of a header as a list, or nil
--   cookies(handle)        the values of Cookie joined by ";", or nil
--   peer(handle)           the address of who connected, without port
--   claims(handle, cookies)  the claims of the first valid token as a table, or nil; given what `cookies` returned
--   volunteer(handle)      whether a valid cookie of a volunteer came along
--   request_id(handle)     the id that the gateway gave the request
-- Each is called only when the policy needs it.

local bit = require("bit")
local tobit, lshift, rshift, band, bor, bxor = bit.tobit, bit.lshift, bit.rshift, bit.band, bit.bor, bit.bxor
local rol, bswap, tohex = bit.rol, bit.bswap, bit.tohex
local byte, char, find, sub, format = string.byte, string.char, string.find, string.sub, string.format
local floor, min = math.floor, math.min

local M = 0x5bd1e995
local TAB, SPACE, STAR, SEMICOLON, EQUALS = 9, 32, 42, 59, 61

-- A 32-bit product, split so that doubles stay exact.
local function mul(a)
  return tobit(lshift(tobit(rshift(a, 16) * M), 16) + band(a, 0xffff) * M)
end

-- MurmurHash2, 32 bit, seed 0, as an unsigned number.
local function murmur2(text)
  local n = #text
  local h, i = n, 1
  while n >= 4 do
    local a, b, c, d = byte(text, i, i + 3)
    local k = mul(tobit(a + b * 0x100 + c * 0x10000 + d * 0x1000000))
    k = mul(bxor(k, rshift(k, 24)))
    h = bxor(mul(h), k)
    i, n = i + 4, n - 4
  end
  if n > 0 then
    local tail = byte(text, i)
    if n > 1 then tail = tail + byte(text, i + 1) * 0x100 end
    if n > 2 then tail = tail + byte(text, i + 2) * 0x10000 end
    h = mul(bxor(h, tail))
  end
  h = mul(bxor(h, rshift(h, 13)))
  return bxor(h, rshift(h, 15)) % 4294967296
end

local function bucket(salt, user)
  return min(9999, floor(((murmur2(salt .. ":" .. user) + 1) * 10000 - 1) / 4294967295))
end

-- ------------------------------------------------------------------ HalfSipHash-2-4, 64 bit (core/halfsiphash.py)

local function round(v0, v1, v2, v3)
  v0 = tobit(v0 + v1)
  v1 = bxor(rol(v1, 5), v0)
  v0 = rol(v0, 16)
  v2 = tobit(v2 + v3)
  v3 = bxor(rol(v3, 8), v2)
  v0 = tobit(v0 + v3)
  v3 = bxor(rol(v3, 7), v0)
  v2 = tobit(v2 + v1)
  v1 = bxor(rol(v1, 13), v2)
  return v0, v1, rol(v2, 16), v3
end

local function two_rounds(v0, v1, v2, v3)
  return round(round(v0, v1, v2, v3))
end

-- The last word of a text: what is left from a position on, and its whole length modulo 256 in the highest byte.
local function last_word(text, from)
  local n = #text
  local word = lshift(n, 24)
  local rest = n % 4
  if rest > 0 then word = bor(word, byte(text, from)) end
  if rest > 1 then word = bor(word, lshift(byte(text, from + 1), 8)) end
  if rest > 2 then word = bor(word, lshift(byte(text, from + 2), 16)) end
  return word
end

-- The hash of a text under a key, which is two numbers of 32 bits: 16 hexadecimal digits.
local function keyed_hash(key, text)
  local k0, k1 = key[1], key[2]
  local v0, v1, v2, v3 = k0, bxor(k1, 0xee), bxor(k0, 0x6c796765), bxor(k1, 0x74656462)
  local from = 1
  for start = 1, #text - 3, 4 do
    local a, b, c, d = byte(text, start, start + 3)
    local word = tobit(a + b * 0x100 + c * 0x10000 + d * 0x1000000)
    v0, v1, v2, v3 = two_rounds(v0, v1, v2, bxor(v3, word))
    v0, from = bxor(v0, word), start + 4
  end
  local word = last_word(text, from)
  v0, v1, v2, v3 = two_rounds(v0, v1, v2, bxor(v3, word))
  v0, v2 = bxor(v0, word), bxor(v2, 0xee)
  v0, v1, v2, v3 = two_rounds(two_rounds(v0, v1, v2, v3))
  local first = bxor(v1, v3)
  v0, v1, v2, v3 = two_rounds(two_rounds(v0, bxor(v1, 0xdd), v2, v3))
  return tohex(bswap(first)) .. tohex(bswap(bxor(v1, v3)))
end

-- The unit of a user, of whom `kind` says what he was known by. Who is given an id to keep comes again with a cookie.
local function unit(keys, kind, user)
  return keyed_hash(keys.unit, (kind == "new" and "cookie" or kind) .. ":" .. user)
end

-- The id that a user is given to keep: made of the request's, which is logged, and not to be guessed from it.
local function minted(keys, request_id)
  return keyed_hash(keys.new_high, request_id) .. keyed_hash(keys.new_low, request_id)
end

local function blank(c) return c == SPACE or c == TAB end

local function trimmed(text, first, last)
  while first <= last and blank(byte(text, first)) do first = first + 1 end
  while last >= first and blank(byte(text, last)) do last = last - 1 end
  return sub(text, first, last)
end

-- The value of the next cookie of a name from a position on, and where the search may go on.
local function next_cookie(text, name, from)
  while true do
    local first, last = find(text, name, from, true)
    if not first then return nil end
    local before, after = first - 1, last + 1
    while before >= 1 and blank(byte(text, before)) do before = before - 1 end
    while blank(byte(text, after)) do after = after + 1 end
    if (before < 1 or byte(text, before) == SEMICOLON) and byte(text, after) == EQUALS then
      local stop = find(text, ";", after, true) or #text + 1
      return trimmed(text, after + 1, stop - 1), stop
    end
    from = last + 1
  end
end

-- Whether there is a cookie of that name and, where one is asked for, of that value.
local function has_cookie(text, name, wanted)
  local value, from = next_cookie(text, name, 1)
  while value do
    if wanted == nil or value == wanted then return true end
    value, from = next_cookie(text, name, from)
  end
  return false
end

-- The first value of a cookie that is not empty.
local function cookie(text, name)
  local value, from = next_cookie(text, name, 1)
  while value == "" do value, from = next_cookie(text, name, from) end
  return value
end

-- ------------------------------------------------------------------ addresses

-- Four bytes of an IPv4 address, or nil. Strict: no leading zeros, no missing parts. Byte by byte, for that is what
-- LuaJIT compiles.
local function packed4(text)
  local packed, parts, number, digits = "", 0, 0, 0
  for index = 1, #text + 1 do
    local c = byte(text, index) or 46
    if c == 46 then
      if digits == 0 or number > 255 or parts == 4 then return nil end
      if digits > 1 and number < (digits == 2 and 10 or 100) then return nil end
      packed, parts, number, digits = packed .. char(number), parts + 1, 0, 0
    elseif c >= 48 and c <= 57 and digits < 3 then
      number, digits = number * 10 + c - 48, digits + 1
    else
      return nil
    end
  end
  if parts ~= 4 then return nil end
  return packed
end

-- The 16-bit groups of one side of "::" as bytes, or nil.
local function groups(text)
  if text == "" then return "" end
  local packed = ""
  for part in string.gmatch(text .. ":", "([^:]*):") do
    if not find(part, "^%x%x?%x?%x?$") then return nil end
    local number = tonumber(part, 16)
    packed = packed .. char(floor(number / 256), number % 256)
  end
  return packed
end

-- Sixteen bytes, the last four of them written as IPv4.
local LONGEST_ADDRESS = 45

-- 4 or 16 bytes of an address, or nil. An IPv4 address written as IPv6 is its 4 bytes.
local function packed_address(text)
  if #text > LONGEST_ADDRESS then return nil end
  if not find(text, ":", 1, true) then return packed4(text) end
  local dotted = string.match(text, "[^:]*$")
  if find(dotted, ".", 1, true) then
    local four = packed4(dotted)
    if not four then return nil end
    local a, b, c, d = byte(four, 1, 4)
    text = sub(text, 1, #text - #dotted) .. format("%x:%x", a * 256 + b, c * 256 + d)
  end
  local packed
  local first, last = find(text, "::", 1, true)
  if first then
    if find(text, "::", first + 1, true) then return nil end
    local high, low = groups(sub(text, 1, first - 1)), groups(sub(text, last + 1))
    if not high or not low or #high + #low > 14 then return nil end
    packed = high .. string.rep("\0", 16 - #high - #low) .. low
  else
    packed = groups(text)
    if not packed or #packed ~= 16 then return nil end
  end
  if sub(packed, 1, 12) == "\0\0\0\0\0\0\0\0\0\0\255\255" then return sub(packed, 13) end
  return packed
end

local function hex(packed)
  return (string.gsub(packed, ".", function(c) return format("%02x", byte(c)) end))
end

-- A network {packed = hex digits, bits = number} made ready for `within`.
local function compiled_network(rule)
  local packed = string.gsub(rule.packed, "%x%x", function(pair) return char(tonumber(pair, 16)) end)
  local whole = floor(rule.bits / 8)
  local rest = rule.bits % 8
  local mask = rest > 0 and band(0xff, lshift(0xff, 8 - rest)) or 0
  return { length = #packed, whole = whole, head = sub(packed, 1, whole), mask = mask, tail = byte(packed, whole + 1) }
end

local function within(packed, network)
  if #packed ~= network.length or sub(packed, 1, network.whole) ~= network.head then return false end
  return network.mask == 0 or band(byte(packed, network.whole + 1), network.mask) == network.tail
end

local function within_any(packed, networks)
  for index = 1, #networks do
    if within(packed, networks[index]) then return true end
  end
  return false
end

-- Few peers send many requests: what was read of the last ones is kept, and forgotten all at once.
local KEPT_PEERS = 1024
local peers, kept = {}, 0

local function packed_peer(text)
  local packed = peers[text]
  if packed == nil then
    if kept >= KEPT_PEERS then peers, kept = {}, 0 end
    packed = packed_address(text) or false
    peers[text], kept = packed, kept + 1
  end
  return packed or nil
end

-- The packed address of the client: the peer, or what trusted proxies say before it (core/address.py).
local function client_address(host, handle, trusted)
  local text = host.peer(handle)
  local found = text and packed_peer(text)
  if not found or #trusted == 0 or not within_any(found, trusted) then return found end
  local values = host.header(handle, "x-forwarded-for")
  if not values then return found end
  local text = table.concat(values, ",")
  local stop = #text
  while stop >= 0 and within_any(found, trusted) do
    local start = stop
    while start >= 1 and byte(text, start) ~= 44 do start = start - 1 end
    local element = trimmed(text, start + 1, stop)
    local named = element == "" and found or packed_address(element)
    if not named then break end
    found, stop = named, start - 1
    if start == 0 then break end
  end
  return found
end

-- ------------------------------------------------------------------ claims

local function each_value(value)
  if type(value) == "table" then return value end
  return { value }
end

-- The claims that the policy reads; empty where one of them holds a control character.
local function usable_claims(host, handle, names, cookies)
  local claims = host.claims(handle, cookies)
  if not claims then return {} end
  local found = {}
  for _, name in ipairs(names) do
    local value = claims[name]
    for _, text in ipairs(each_value(value)) do
      if type(text) == "string" and find(text, "[%z\1-\31\127]") then return {} end
    end
    found[name] = value
  end
  return found
end

local function holds(found, values)
  for _, value in ipairs(each_value(found)) do
    for _, wanted in ipairs(values) do
      if value == wanted then return true end
    end
  end
  return false
end

-- ------------------------------------------------------------------ the decision

local function matches(rule, host, handle, seen)
  if rule.cookie then
    return seen.cookies ~= nil and has_cookie(seen.cookies, rule.cookie, rule.value)
  elseif rule.header then
    for _, value in ipairs(host.header(handle, rule.header) or {}) do
      if value == rule.value then return true end
    end
    return false
  elseif rule.network then
    return seen.address ~= nil and within(seen.address, rule.network)
  end
  return holds(seen.claims[rule.claim], rule["in"])
end

local function any_match(rules, host, handle, seen)
  for index = 1, #rules do
    if matches(rules[index], host, handle, seen) then return true end
  end
  return false
end

local function inside(intervals, now)
  for index = 1, #intervals do
    local interval = intervals[index]
    if now >= interval[1] and now < interval[2] then return true end
  end
  return false
end

local function choose(policy, host, handle, seen, drawn, now)
  if not policy.candidate then return "no_release" end
  if any_match(policy.exclude, host, handle, seen) then return "excluded" end
  if any_match(policy.include, host, handle, seen) then return "included" end
  if policy.windows and not inside(policy.open, now) then return "window" end
  if policy.begins_at and now < policy.begins_at then return "expired" end
  if policy.expires_at and now >= policy.expires_at then return "expired" end
  if policy.volunteers_only and not host.volunteer(handle) then return "not_volunteer" end
  if drawn < policy.candidate_bp then return "share" end
  return "rest"
end

local function user_of(policy, host, handle, seen)
  for index = 1, #policy.key do
    local kind = policy.key[index]
    local found
    if kind == "cookie" then
      found = seen.cookies and cookie(seen.cookies, "huidu_uid")
    elseif kind == "jwt.sub" then
      found = seen.claims.sub
    elseif kind == "address" then
      found = seen.address and hex(seen.address)
    else
      found = (host.header(handle, sub(kind, 8)) or {})[1]
    end
    if type(found) == "string" and found ~= "" then return found, kind end
  end
  local id = host.request_id(handle)
  if policy.mints then return minted(policy.keys, id), "new" end
  return id, "request"
end

-- Users come again: what was drawn for the latest few thousand is kept with the policy, and forgotten all at once. A
-- cookie may be as long as a header: those longer than any id are not kept.
local KEPT_USERS, LONGEST_KEPT = 4096, 256

local function forget_users(policy)
  policy.drawn, policy.users = { new = {}, request = {} }, 0
  for _, kind in ipairs(policy.key) do policy.drawn[kind] = {} end
end

-- What is drawn for a user known by something: a table of its bucket and unit, the same one while it is kept.
local function draw(policy, user, kind)
  local found = policy.drawn[kind][user]
  if not found then
    if policy.users >= KEPT_USERS then forget_users(policy) end
    found = { bucket = bucket(policy.salt, user), unit = unit(policy.keys, kind, user) }
    if #user <= LONGEST_KEPT then policy.drawn[kind][user], policy.users = found, policy.users + 1 end
  end
  return found
end

-- The keyed hash under which an address appears; of IPv6 the first 64 bits. Nil where the address is not known.
local function peer_of(policy, packed)
  if not packed then return nil end
  local found = policy.peers[packed]
  if not found then
    if policy.number_of_peers >= KEPT_PEERS then policy.peers, policy.number_of_peers = {}, 0 end
    found = keyed_hash(policy.keys.peer, sub(packed, 1, 8))
    policy.peers[packed], policy.number_of_peers = found, policy.number_of_peers + 1
  end
  return found
end

-- ------------------------------------------------------------------ what kind of request it is (core/faces.py)

local function listed(path, paths)
  if not paths then return true end
  for index = 1, #paths do
    local each = paths[index]
    if byte(each, #each) == STAR then
      if sub(path, 1, #each - 1) == sub(each, 1, #each - 1) then return true end
    elseif path == each then
      return true
    end
  end
  return false
end

-- The kind of a request by its method, its target and its Upgrade header (or nil).
local function request_kind(policy, method, target, upgrade)
  local posts = method == "POST"
  if not posts and (method ~= "GET" or not upgrade or string.lower(upgrade) ~= "websocket") then return "other" end
  local paths
  if posts then paths = policy.posts else paths = policy.sockets end
  if paths then
    local query = find(target, "?", 1, true)
    if not listed(query and sub(target, 1, query - 1) or target, paths) then return "other" end
  end
  return posts and "recognition" or "socket"
end

-- How many seconds after its upload of so many bytes (nil: not known yet) a request may wait for its answer.
local HANG_BYTES_PER_SECOND, LONGEST_HANG_SECONDS = 8000, 3600
local function hang_after(base_seconds, upload_bytes)
  if not upload_bytes then return math.max(base_seconds, LONGEST_HANG_SECONDS) end
  return math.max(base_seconds, min(LONGEST_HANG_SECONDS, base_seconds + upload_bytes / HANG_BYTES_PER_SECOND))
end

local NO_CLAIMS = {}

-- A policy as rendered, made ready for `decide`: once for each worker and generation.
local function compile(policy)
  for _, name in ipairs({ "exclude", "include", "key", "claims", "open", "trusted" }) do
    policy[name] = policy[name] or {}
  end
  for _, rules in ipairs({ policy.exclude, policy.include }) do
    for _, rule in ipairs(rules) do
      if rule.packed then rule.network = compiled_network(rule) end
    end
  end
  for index, network in ipairs(policy.trusted) do policy.trusted[index] = compiled_network(network) end
  for _, kind in ipairs(policy.key) do
    if kind == "cookie" then policy.mints = true end
  end
  for _, key in pairs(policy.keys) do key[1], key[2] = tobit(key[1]), tobit(key[2]) end
  forget_users(policy)
  policy.peers, policy.number_of_peers = {}, 0
  return policy
end

-- Decides for a compiled policy. Returns the rule, whether the candidate gets the request, the bucket and unit that
-- were drawn (as `draw` returns them), the unit's kind, what they were drawn by (of kind "new" that is for the
-- cookie), and the peer (or nil).
local function decide(policy, host, handle, now)
  local address = client_address(host, handle, policy.trusted)
  local cookies = host.cookies(handle)
  local claims = #policy.claims > 0 and usable_claims(host, handle, policy.claims, cookies) or NO_CLAIMS
  local seen = { cookies = cookies, claims = claims, address = address }
  local user, kind = user_of(policy, host, handle, seen)
  local drawn = draw(policy, user, kind)
  local rule = choose(policy, host, handle, seen, drawn.bucket, now)
  return rule, rule == "included" or rule == "share", drawn, kind, user, peer_of(policy, address)
end
