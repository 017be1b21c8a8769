-- The way of a request: chosen, sent to the candidate or the stable version, perhaps sent to the latter after the
-- former, logged.

local need, place = ...
local policy, states, counts, records = need("policy"), need("state"), need("counts"), need("records")
local headers, jwt, addresses, line = need("headers"), need("jwt"), need("addresses"), need("line")
local now = ngx.now
local format, lower = string.format, string.lower

local CLOSED, NO_METHOD = "@closed", "@no_method"
local SWITCHING_PROTOCOLS = 101

-- ------------------------------------------------------------------ the policy's view of a request

-- What policy.lua asks for; `handle` is the state.
local host = {
  header = headers.values,
  cookies = headers.cookies,
  peer = function() return ngx.var.remote_addr end,
  claims = function(state) return state.identity and jwt.claims(state.identity, now()) end,
  volunteer = function(state) return state.volunteers ~= nil and jwt.claims(state.volunteers, now()) ~= nil end,
  request_id = function() return ngx.var.request_id end,
}

-- ------------------------------------------------------------------ the choice

-- What is done when the policy itself fails, which it never should: the stable version, compared with nobody.
local function undecided(reason)
  ngx.log(ngx.CRIT, "huidu: the policy failed, the stable version serves: ", reason)
  return "no_release", false, { unit = "0000000000000000", bucket = 0 }, "request"
end

-- A record of the choice that a state makes for the present request; nil where nobody can serve it.
local function chosen(state, moment)
  local ok, rule, to_candidate, drawn, kind, user, peer = pcall(policy.decide, state.policy, host, state, moment)
  if not ok then rule, to_candidate, drawn, kind = undecided(rule) end
  to_candidate = to_candidate and state.to_candidate ~= nil
  local version = to_candidate and state.candidate or state.stable
  return version and {
    state = state, version = version, upstream = version, counted = version.counter, on_candidate = to_candidate,
    rule = rule, drawn = drawn, kind = kind, user = user, peer = peer or false,
    -- Filled in later; named here, so that the table need not grow.
    id = "", time = 0, request_kind = "", upgrades = false, fell_back = false,
    -- Of the tries: their number, the version and address of the last, and when the upload had ended.
    attempts = 0, served_by = false, address = false, uploaded = false,
  }
end

-- The same, counted; and whether a change came between.
local function counted(moment)
  local record = states.current and chosen(states.current, moment)
  if not record then return nil, states.changed() end
  -- Counted first, and only then looked for news: once a change is in force, whoever was chosen before it is counted.
  counts.incr(record.counted, 1)
  if not states.changed() then return record, false end
  counts.incr(record.counted, -1)
  return nil, true
end

local function choose_again(moment)
  local record, changed
  repeat
    states.refresh()
    record, changed = counted(moment)
  until not changed
  return record
end

local function choose()
  local moment = now()
  local record, changed = counted(moment)
  if changed then return choose_again(moment) end
  return record
end

local function keep_cookie(record)
  local text = format("huidu_uid=%s; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax", record.user)
  ngx.var.huidu_cookie = record.state.secure and text .. "; Secure" or text
end

local function tell_version(record)
  local state = record.state
  ngx.var.huidu_rule, ngx.var.huidu_unit = record.rule, record.drawn.unit
  if state.release_header then ngx.var.huidu_release = state.release_header end
  -- nginx counts the open requests of a client by it.
  ngx.var.huidu_client = record.peer or ""
  -- A version that is nearly full tells clients apart by it.
  if record.request_kind ~= "other" then ngx.var.huidu_peer = record.peer or "" end
  if record.request_kind == "socket" then ngx.var.huidu_share_bp = state.share_header end
end

-- The location that leads to the version chosen; "" where that is the present one.
local function way_to(record)
  local state = record.state
  if record.on_candidate then
    ngx.var.huidu_back = state.stable_location
    -- One without an address has failed before it was asked.
    return #record.upstream.addresses > 0 and state.to_candidate or state.stable_location
  end
  return #record.upstream.addresses > 0 and state.to_stable or CLOSED
end

-- Chooses, and returns the generation that did. $huidu_to becomes the location that leads to the version chosen, unless
-- the present one does.
local function route()
  local method = ngx.var.request_method
  if not place.methods[method] then
    ngx.var.huidu_to = NO_METHOD
    return ""
  end
  headers.read()
  local record = choose()
  if not record then
    ngx.var.huidu_to = CLOSED
    return ""
  end
  local upgrade = headers.first("upgrade")
  record.id, record.time = ngx.var.request_id, ngx.req.start_time()
  record.upgrades = upgrade ~= nil and lower(upgrade) == "websocket"
  record.request_kind = policy.request_kind(record.state.policy, method, ngx.var.request_uri, upgrade)
  records.open(record)
  headers.drop_ours()
  if record.kind == "new" then keep_cookie(record) end
  tell_version(record)
  local way = way_to(record)
  if way ~= "" then ngx.var.huidu_to = way end
  return record.state.generation
end

-- ------------------------------------------------------------------ the way back to the stable version

local function too_large(record)
  local bytes = tonumber(ngx.var.content_length) or tonumber(ngx.var.request_length)
  return bytes > record.state.limits.retry_body_bytes
end

-- A candidate's address that was not reached, or gave no answer, is left out for a while where there are others.
local function leave_out(record)
  local answered = tonumber((ngx.var.upstream_header_time or ""):match("[%d.]+$"))
  if record.address and not record.upstream.only and not answered then addresses.failed(record.address, now()) end
end

-- Called where the stable version is about to serve: as chosen, or after the candidate could not. Returns "" to go on,
-- "1" when a second try is not made.
local function again()
  local record = records.of_request()
  if not record or not record.on_candidate then return "" end
  leave_out(record)
  local state = record.state
  if #state.stable.addresses == 0 or too_large(record) then return "1" end
  if not counts.take("fallbacks", state.limits.max_fallbacks) then return "1" end
  record.fell_back, record.on_candidate, record.upstream, record.address = true, false, state.stable, false
  counts.incr(state.stable.counter, 1)
  counts.incr(record.counted, -1)
  record.counted = state.stable.counter
  ngx.var.huidu_attempt = "2"
  return ""
end

-- Called when a request is over, whichever way, and before nginx writes its log.
local function ended()
  local record = records.close()
  if not record then return end
  counts.incr(record.counted, -1)
  if record.fell_back then counts.give_back("fallbacks") end
  local is_socket = record.request_kind == "socket" or ngx.status == SWITCHING_PROTOCOLS
  if is_socket then ngx.var.huidu_socket = "socket" end
  ngx.var.huidu_log = line.of(record, is_socket)
  counts.wrote_line()
end

return { route = route, again = again, ended = ended }
