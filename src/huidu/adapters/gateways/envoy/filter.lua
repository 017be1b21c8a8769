
-- ------------------------------------------------------------------ Envoy's side of the policy (policy.lua)
--
-- Stands in the routes of each generation behind `local POLICY, LOG_HEAD, … = …` (routing.py), so policy and routes
-- change together. A request for which this fails has no rule, and lands on the stable version.
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
local function told(drawn, rule, unit_kind, kind)
  if drawn.rule ~= rule or drawn.unit_kind ~= unit_kind or drawn.kind ~= kind then
    drawn.rule, drawn.unit_kind, drawn.kind = rule, unit_kind, kind
    drawn.told = ',"kind":"' .. kind .. '","rule":"' .. rule .. '","unit":"' .. drawn.unit .. '","unit_kind":"'
      .. unit_kind .. '","bucket":' .. drawn.bucket .. ',"peer":'
  end
  return drawn.told
end

local function kind_of(method)
  if method == "POST" then return request_kind(policy, method, policy.posts and headers:get(":path"), nil) end
  local upgrade = method == "GET" and headers:get("upgrade")
  if not upgrade then return "other" end
  return request_kind(policy, method, headers:get(":path"), upgrade)
end

local function note(handle, name, value)
  handle:streamInfo():dynamicMetadata():set("huidu", name, value)
end

-- What the version is told of a socket, for which it may have a record of its own; and who has none is watched.
local function prepare_socket(handle, to_candidate)
  headers:replace("x-huidu-share-bp", SHARE_BP)
  local watched
  if to_candidate then watched = WATCH_CANDIDATE else watched = WATCH_STABLE end
  if watched then note(handle, "watched", true) end
end

-- How much a request will upload, in bytes; nil where it does not say. Whether it comes in chunks cannot be seen here
-- (Envoy takes Transfer-Encoding away, HTTP/2 has none): without a length, the method tells whether anything may come.
local function upload_bytes(method)
  local length = headers:get("content-length")
  if length then return tonumber(length) end
  if method == "POST" or method == "PUT" or method == "PATCH" then return nil end
  return 0
end

-- A long upload may wait long for its answer. Without a word of ours the route's own time holds.
local function allow_time(method)
  local bytes = upload_bytes(method)
  if bytes == 0 then return end
  local milliseconds = hang_after(HANG_AFTER_SECONDS, bytes) * 1000
  headers:replace("x-envoy-upstream-rq-per-try-timeout-ms", format("%d", milliseconds))
end

function envoy_on_request(handle)
  headers = handle:headers()
  local method = headers:get(":method")
  -- Its answer would be what versions are told: the words come with the gateway's other answers (front.py).
  if method == "TRACE" then
    handle:respond({ [":status"] = "405" }, "")
    return
  end
  local now = handle:timestamp() / 1000
  local rule, to_candidate, drawn, unit_kind, user, peer = decide(policy, host, handle, now)
  local kind = kind_of(method)
  if unit_kind == "new" then note(handle, "cookie", COOKIE_HEAD .. user .. COOKIE_TAIL) end
  -- A version that is nearly full tells clients apart by it.
  if peer and kind ~= "other" then headers:replace("x-huidu-peer", peer) end
  if kind == "socket" then
    prepare_socket(handle, to_candidate)
  elseif to_candidate then
    allow_time(method)
  end
  headers:replace("x-huidu-unit", drawn.unit)
  -- What the log tells of the decision, as it stands in its lines: one header costs less than nine values.
  local known_peer = peer and '"' .. peer .. '"' or "null"
  headers:replace("x-huidu-log", LOG_HEAD .. format("%.3f", now) .. told(drawn, rule, unit_kind, kind) .. known_peer)
  headers:replace("x-huidu-rule", rule)
  -- The last act: the route is chosen again, once and not with each header that is set.
  handle:clearRouteCache()
end
