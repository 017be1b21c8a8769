
-- ------------------------------------------------------------------ Envoy's side of the policy (policy.lua)
--
-- Stands in the routes of each generation behind `local POLICY, COOKIE_HEAD, COOKIE_TAIL = …`, so policy and routes
-- change together. A request for which this fails has no rule, and lands on the stable version.

-- Each request leaves a little behind; collected rarely, that costs a tenth less time and a few megabytes.
collectgarbage("setpause", 1000)

local TOKENS = "envoy.filters.http.jwt_authn"

local BRACKET = 91

local host = {}

function host.header(handle, name)
  local headers = handle:headers()
  local count = headers:getNumValues(name)
  if count == 0 then return nil end
  local values = {}
  for index = 1, count do values[index] = headers:getAtIndex(name, index - 1) end
  return values
end

function host.cookies(handle)
  local headers = handle:headers()
  local count = headers:getNumValues("cookie")
  if count < 2 then return headers:get("cookie") end
  return table.concat(host.header(handle, "cookie"), ";")
end

function host.peer(handle)
  local address = handle:streamInfo():downstreamDirectRemoteAddress()
  if byte(address, 1) == BRACKET then return sub(address, 2, find(address, "]", 1, true) - 1) end
  return sub(address, 1, (find(address, ":", 1, true) or 0) - 1)
end

-- Most requests carry no token, and need not be asked what came of it.
local function may_hold_token(handle, cookies)
  if POLICY.bearer and handle:headers():get("authorization") then return true end
  if not cookies then return false end
  for index = 1, #POLICY.token_cookies do
    if string.find(cookies, POLICY.token_cookies[index], 1, true) then return true end
  end
  return false
end

function host.claims(handle, cookies)
  if not may_hold_token(handle, cookies) then return nil end
  local verified = handle:streamInfo():dynamicMetadata():get(TOKENS)
  return verified and verified.claims
end

function host.volunteer(handle)
  local verified = handle:streamInfo():dynamicMetadata():get(TOKENS)
  return verified ~= nil and verified.volunteer ~= nil
end

local policy = compile(POLICY)

function envoy_on_request(handle)
  local headers = handle:headers()
  local now = handle:timestamp() / 1000
  local rule, _, unit_key, kind, drawn, user = decide(policy, host, handle, now, headers:get("x-request-id"))
  handle:streamInfo():dynamicMetadata():set("huidu", "request", {
    time = now,
    bucket = drawn,
    cookie = kind == "new" and COOKIE_HEAD .. user .. COOKIE_TAIL or nil,
  })
  -- The log takes text from headers, for that is cheaper than from metadata.
  headers:replace("x-huidu-unit", unit_key)
  headers:replace("x-huidu-unit-kind", kind)
  -- The last act: it is what the route is chosen by.
  headers:replace("x-huidu-rule", rule)
end
