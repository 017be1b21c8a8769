
-- ------------------------------------------------------------------ tuned for nginx
--
-- This stands behind policy.lua, in the same chunk, and puts equal functions in the place of some. LuaJIT compiles the
-- way of a request as one straight piece of machine code, unless a loop stands in it; then most of it is interpreted,
-- at three times the price. So do closures, and a built-in function as the last call of another. So the usual cases
-- go without these here, and all others the way of policy.lua.

local ffi = require("ffi")
ffi.cdef([[
  uint32_t ngx_murmur_hash2(const char *text, size_t length);
  unsigned char *ngx_hex_dump(unsigned char *target, const unsigned char *source, size_t length);
]])
local C = ffi.C

-- nginx's own hash, the one its split_clients uses, over two texts one behind the other; no third text is made of them.
local joined_size = 1024
local joined = ffi.new("char[?]", joined_size)
local function hash_of(first, second)
  local length = #first + #second
  if length > joined_size then
    joined_size = length * 2
    joined = ffi.new("char[?]", joined_size)
  end
  ffi.copy(joined, first, #first)
  ffi.copy(joined + #first, second, #second)
  local hash = C.ngx_murmur_hash2(joined, length)
  return hash
end

local salted, keyed = {}, {}

bucket = function(salt, user)
  local prefix = salted[salt]
  if not prefix then
    prefix = salt .. ":"
    salted = { [salt] = prefix }
  end
  local drawn = min(9999, floor(((hash_of(prefix, user) + 1) * 10000 - 1) / 4294967295))
  return drawn
end

local hashes, digits = ffi.new("uint32_t[2]"), ffi.new("unsigned char[16]")

keyed_hash = function(secret, text)
  local prefixes = keyed[secret]
  if not prefixes then
    prefixes = { secret .. ":a:", secret .. ":b:" }
    keyed = { [secret] = prefixes }
  end
  hashes[0] = bit.bswap(tobit(hash_of(prefixes[1], text)))
  hashes[1] = bit.bswap(tobit(hash_of(prefixes[2], text)))
  C.ngx_hex_dump(digits, ffi.cast("unsigned char *", hashes), 8)
  local hash = ffi.string(digits, 16)
  return hash
end

local any_has_cookie = has_cookie
has_cookie = function(text, name, wanted)
  if not find(text, name, 1, true) then return false end
  return any_has_cookie(text, name, wanted)
end

-- The usual form of a cookie, `; name=value` without further blanks; else the search through all.
local any_cookie = cookie
cookie = function(text, name)
  local first, last = find(text, name, 1, true)
  if not first then return nil end
  local starts = first == 1 or byte(text, first - 1) == SEMICOLON
    or (byte(text, first - 1) == SPACE and (first == 2 or byte(text, first - 2) == SEMICOLON))
  if starts and byte(text, last + 1) == EQUALS then
    local stop = (find(text, ";", last, true) or #text + 1) - 1
    local begins, ends = byte(text, last + 2), byte(text, stop)
    if stop >= last + 2 and not blank(begins) and not blank(ends) then
      local value = sub(text, last + 2, stop)
      return value
    end
  end
  return any_cookie(text, name)
end

-- Addresses come again and again; what they are as bytes is remembered for the latest few thousand.
local REMEMBERED = 4096
local packed_before, number_packed = {}, 0
local any_packed_address = packed_address
packed_address = function(text)
  local known = packed_before[text]
  if known == nil then
    known = any_packed_address(text) or false
    if number_packed == REMEMBERED then packed_before, number_packed = {}, 0 end
    packed_before[text], number_packed = known, number_packed + 1
  end
  return known or nil
end

-- The interval of the last request is most often that of the next.
local latest = { 0, 0 }
inside = function(intervals, now)
  if intervals == latest.of and now >= latest[1] and now < latest[2] then return true end
  for index = 1, #intervals do
    local interval = intervals[index]
    if now >= interval[1] and now < interval[2] then
      latest = { interval[1], interval[2], of = intervals }
      return true
    end
  end
  return false
end

-- A header that was not sent matches nothing.
local any_matches = matches
matches = function(rule, host, handle, seen)
  if rule.header and not host.may_have(rule.header) then return false end
  return any_matches(rule, host, handle, seen)
end

-- `matches` for each rule of a list of up to so many, written out.
local UNROLLED = 24
local match_list = {}
for count = 0, UNROLLED do
  local lines = { "local matches = ... return function(rules, host, handle, seen)" }
  for index = 1, count do
    lines[#lines + 1] = "if matches(rules[" .. index .. "], host, handle, seen) then return true end"
  end
  lines[#lines + 1] = "return false end"
  match_list[count] = assert(loadstring(table.concat(lines, "\n")))(matches)
end
local any_any_match = any_match
any_match = function(rules, host, handle, seen)
  local listed = match_list[#rules] or any_any_match
  return listed(rules, host, handle, seen)
end

-- A claim with one value, and a rule that wants one.
local any_holds = holds
holds = function(found, values)
  if type(found) ~= "table" and #values == 1 then return found == values[1] end
  return any_holds(found, values)
end

-- What a policy reads of a token is kept with the token.
local USABLE = {}
local any_usable_claims = usable_claims
usable_claims = function(host, handle, names)
  local claims = host.claims(handle)
  if not claims then return NO_CLAIMS end
  local kept = claims[USABLE]
  if not kept or kept.names ~= names then
    kept = { names = names, found = any_usable_claims(host, handle, names) }
    claims[USABLE] = kept
  end
  return kept.found
end

-- The usual key: the subject, else the cookie.
local any_user_of = user_of
user_of = function(policy, host, handle, seen)
  local key = policy.key
  if key[1] ~= "jwt.sub" or key[2] ~= "cookie" then return any_user_of(policy, host, handle, seen) end
  local found = seen.claims.sub
  if type(found) == "string" and found ~= "" then return found, "jwt.sub" end
  found = seen.cookies and cookie(seen.cookies, "huidu_uid")
  if found and found ~= "" then return found, "cookie" end
  if #key > 2 then return any_user_of(policy, host, handle, seen) end
  local id = minted(policy.secret, host.request_id(handle))
  return id, "new"
end
