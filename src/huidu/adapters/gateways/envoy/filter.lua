
-- ------------------------------------------------------------------ Envoy's side of the policy (policy.lua)
--
-- Stands in the routes of each generation behind `local POLICY, LOG_HEAD, COOKIE_HEAD, COOKIE_TAIL = …`, so policy
-- and routes change together. A request for which this fails has no rule, and lands on the stable version.
--
-- What costs here is each call into Envoy, more than what Lua does between them: so nothing is asked for twice, and
-- what few requests need only by those.

-- Each request leaves a little behind; collected rarely, that costs a tenth less time and a few megabytes.
collectgarbage("setpause", 1000)

local TOKENS = "envoy.filters.http.jwt_authn"
local COMMA = 44

-- The headers of the request that is being decided: there is one at a time, for nothing here waits.
local headers

local host = {}

function host.header(_, name)
  local first = headers:get(name)
  if not first then return nil end
  local count = headers:getNumValues(name)
  if count == 1 then return { first } end
  local values = {}
  for index = 1, count do values[index] = headers:getAtIndex(name, index - 1) end
  return values
end

function host.cookies(handle)
  local text = headers:get("cookie")
  -- Several come joined by commas, which one may hold, too.
  if not text or not find(text, ",", 1, true) then return text end
  return table.concat(host.header(handle, "cookie"), ";")
end

-- The listener has appended the peer to what proxies said (front.py). Looked for from the end, byte by byte: a pattern
-- would take the square of a client's many blanks.
function host.peer()
  local text = headers:get("x-forwarded-for") or ""
  if not find(text, ",", 1, true) then return text end
  local first = #text
  while byte(text, first) ~= COMMA do first = first - 1 end
  return trimmed(text, first + 1, #text)
end

-- Most requests carry no token, and need not be asked what came of it.
local function may_hold_token(cookies)
  if POLICY.bearer and headers:get("authorization") then return true end
  if not cookies then return false end
  for index = 1, #POLICY.token_cookies do
    if find(cookies, POLICY.token_cookies[index], 1, true) then return true end
  end
  return false
end

function host.claims(handle, cookies)
  if not may_hold_token(cookies) then return nil end
  local verified = handle:streamInfo():dynamicMetadata():get(TOKENS)
  return verified and verified.claims
end

function host.volunteer(handle)
  local verified = handle:streamInfo():dynamicMetadata():get(TOKENS)
  return verified ~= nil and verified.volunteer ~= nil
end

function host.request_id()
  return headers:get("x-request-id")
end

local policy = compile(POLICY)

-- What is told of what was drawn for a user, most often the same as the last time.
local function told(drawn, rule, kind)
  if drawn.rule ~= rule or drawn.kind ~= kind then
    drawn.rule, drawn.kind = rule, kind
    drawn.told = ',"rule":"' .. rule .. '","unit":"' .. drawn.unit .. '","unit_kind":"' .. kind .. '","bucket":'
      .. drawn.bucket
  end
  return drawn.told
end

function envoy_on_request(handle)
  headers = handle:headers()
  local now = handle:timestamp() / 1000
  local rule, _, drawn, kind, user = decide(policy, host, handle, now)
  if kind == "new" then
    handle:streamInfo():dynamicMetadata():set("huidu", "cookie", COOKIE_HEAD .. user .. COOKIE_TAIL)
  end
  headers:replace("x-huidu-unit", drawn.unit)
  -- What the log tells of the decision, as it stands in its lines: one header costs less than seven values.
  headers:replace("x-huidu-log", LOG_HEAD .. format("%.3f", now) .. told(drawn, rule, kind))
  headers:replace("x-huidu-rule", rule)
  -- The last act: the route is chosen again, once and not with each header that is set.
  handle:clearRouteCache()
end
