-- Who gets the candidate: the same decision as core/audience.py, in Envoy's request path.
-- Everything that changes comes from the virtual host of the routes in force, so policy and routes change together.

local bit = require("bit")
local tobit, lshift, rshift, band, bxor = bit.tobit, bit.lshift, bit.rshift, bit.band, bit.bxor
local M = 0x5bd1e995

-- A 32-bit product, split so that doubles stay exact.
local function mul(a)
  return tobit(lshift(tobit(rshift(a, 16) * M), 16) + band(a, 0xffff) * M)
end

-- MurmurHash2, 32 bit, seed 0, as an unsigned number.
local function murmur2(text)
  local n = #text
  local h, i = n, 1
  while n >= 4 do
    local a, b, c, d = string.byte(text, i, i + 3)
    local k = mul(tobit(a + b * 0x100 + c * 0x10000 + d * 0x1000000))
    k = mul(bxor(k, rshift(k, 24)))
    h = bxor(mul(h), k)
    i, n = i + 4, n - 4
  end
  if n > 0 then
    local tail = string.byte(text, i)
    if n > 1 then tail = tail + string.byte(text, i + 1) * 0x100 end
    if n > 2 then tail = tail + string.byte(text, i + 2) * 0x10000 end
    h = mul(bxor(h, tail))
  end
  h = mul(bxor(h, rshift(h, 13)))
  return bxor(h, rshift(h, 15)) % 4294967296
end

local function bucket(salt, user)
  return math.min(9999, math.floor(((murmur2(salt .. ":" .. user) + 1) * 10000 - 1) / 4294967295))
end

local function unit(secret, user)
  return string.format("%08x%08x", murmur2(secret .. ":a:" .. user), murmur2(secret .. ":b:" .. user))
end

-- Calls visit(name, value) for each cookie in the order sent, until it returns true.
local function any_cookie(headers, visit)
  for index = 0, headers:getNumValues("cookie") - 1 do
    for pair in string.gmatch(headers:getAtIndex("cookie", index), "[^;]+") do
      local name, value = string.match(pair, "^%s*([^=%s]+)%s*=%s*(.-)%s*$")
      if name and visit(name, value) then return true end
    end
  end
  return false
end

local function matches(headers, rule)
  if rule.header then
    for index = 0, headers:getNumValues(rule.header) - 1 do
      if headers:getAtIndex(rule.header, index) == rule.value then return true end
    end
    return false
  end
  return any_cookie(headers, function(name, value)
    return name == rule.cookie and (rule.value == nil or value == rule.value)
  end)
end

local function any_match(headers, rules)
  for _, rule in ipairs(rules or {}) do
    if matches(headers, rule) then return true end
  end
  return false
end

local function choose(headers, policy, drawn, now)
  if not policy.candidate then return "no_release" end
  if any_match(headers, policy.exclude) then return "excluded" end
  if any_match(headers, policy.include) then return "included" end
  if policy.expires_at and now >= policy.expires_at then return "expired" end
  if drawn < policy.share_bp then return "share" end
  return "rest"
end

-- The policy is parsed once per worker and generation.
local cached = {}

local function policy_of(handle)
  local metadata = handle:virtualHost():metadata()
  local generation = metadata:get("generation")
  if cached.generation ~= generation then cached = metadata:get("policy") end
  return cached
end

function envoy_on_request(handle)
  local policy = policy_of(handle)
  local headers = handle:headers()
  local now = handle:timestamp() / 1000
  local user, kind = nil, "cookie"
  any_cookie(headers, function(name, value)
    if name == "huidu_uid" and value ~= "" then user = value end
    return user ~= nil
  end)
  local stored = handle:streamInfo():dynamicMetadata()
  if not user then
    user, kind = headers:get("x-request-id"), "new"
    stored:set("huidu", "cookie", "huidu_uid=" .. user .. "; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax")
  end
  local drawn = bucket(policy.salt, user)
  local rule = choose(headers, policy, drawn, now)
  local side = (rule == "included" or rule == "share") and "candidate" or "stable"
  local key = unit(policy.secret, user)
  headers:replace("x-huidu-side", side)
  headers:replace("x-huidu-rule", rule)
  headers:replace("x-huidu-unit", key)
  if policy.release then headers:replace("x-huidu-release", string.format("%d", policy.release)) end
  stored:set("huidu", "log", {
    time = now,
    release = policy.release,
    version = side == "candidate" and policy.candidate or policy.stable,
    generation = policy.generation,
    rule = rule,
    unit = key,
    unit_kind = kind,
    bucket = drawn,
    share_bp = policy.share_bp,
  })
end

function envoy_on_response(handle)
  local seconds = tonumber(handle:headers():get("x-audio-seconds"))
  if seconds then
    handle:streamInfo():dynamicMetadata():set("huidu", "answer", { audio_seconds = seconds })
  end
end
