-- The way of a request: chosen, sent to the candidate or the stable version, perhaps sent to the latter after the
-- former, logged.

local need = ...
local ffi = require("ffi")
local base = require("resty.core.base")
local policy, states, counts, records = need("policy"), need("state"), need("counts"), need("records")
local headers, ids, jwt, hang, addresses = need("headers"), need("ids"), need("jwt"), need("hang"), need("addresses")
local tell, now = need("tell"), need("clock")
local get_request = base.get_request
local C = ffi.C
local format = string.format

local CLOSED = "@closed"

-- ------------------------------------------------------------------ the policy's view of a request

-- What policy.lua asks for; `handle` is the state.
local host = {
  header = headers.values,
  may_have = headers.may_have,
  cookies = headers.cookies,
  peer = function() return ngx.var.remote_addr end,
  claims = function(state) return state.identity and jwt.claims(state.identity, now()) end,
  volunteer = function(state) return state.volunteers ~= nil and jwt.claims(state.volunteers, now()) ~= nil end,
  request_id = ids.text,
}

-- ------------------------------------------------------------------ the choice

-- What is done when the policy itself fails, which it never should: the stable version, compared with nobody.
local function undecided(reason)
  ngx.log(ngx.CRIT, "huidu: the policy failed, the stable version serves: ", reason)
  return "no_release", false, { unit = "0000000000000000", bucket = 0 }, "request"
end

-- A record of the choice that a state makes for the present request; nil where nobody can serve it.
local function chosen(state, moment)
  ids.draw()
  local ok, rule, to_candidate, drawn, kind, user = pcall(policy.decide, state.policy, host, state, moment)
  if not ok then rule, to_candidate, drawn, kind = undecided(rule) end
  to_candidate = to_candidate and state.to_candidate ~= nil
  local version = to_candidate and state.candidate or state.stable
  return version and {
    state = state, version = version, upstream = version, counted = version.counter, on_candidate = to_candidate,
    rule = rule, drawn = drawn, kind = kind, user = user,
    -- Filled in later; named here, so that the table need not grow.
    time = 0, request = 0, peer = false,
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

-- Chooses, and returns the generation that did. $huidu_to becomes the location that leads to the version chosen, unless
-- the present one does.
local function route()
  local request = get_request()
  local ours = headers.read(request)
  local record = choose()
  if not record then
    ngx.var.huidu_to = CLOSED
    return ""
  end
  record.time = tonumber(C.ngx_http_lua_ffi_req_start_time(request))
  records.open(request, record)
  for index = 1, ours and #ours or 0 do ngx.req.clear_header(ours[index]) end
  if record.kind == "new" then keep_cookie(record) end
  tell.chosen(request, record)
  local state = record.state
  if record.on_candidate then
    ngx.var.huidu_to, ngx.var.huidu_back = state.to_candidate, state.stable_location
  elseif state.to_stable ~= "" then
    ngx.var.huidu_to = state.to_stable
  end
  return state.generation
end

-- ------------------------------------------------------------------ the way back to the stable version

local function too_large(record)
  local bytes = tonumber(ngx.var.content_length) or tonumber(ngx.var.request_length)
  return bytes > record.state.limits.retry_body_bytes
end

-- A candidate's address that was not reached, or gave no answer, is left out for a while where there are others.
local function leave_out(record)
  local answered = tonumber((ngx.var.upstream_header_time or ""):match("[%d.]+$"))
  if record.peer and not record.upstream.only and not answered then addresses.failed(record.peer, now()) end
end

-- Called where the stable version is about to serve: as chosen, or after the candidate could not. Returns "" to go on,
-- "1" when a second try is not made.
local function again()
  local record = records.of_request()
  if not record or not record.on_candidate then return "" end
  hang.over(record)
  leave_out(record)
  local state = record.state
  if too_large(record) or not counts.take("fallbacks", state.limits.max_fallbacks) then return "1" end
  record.fell_back, record.on_candidate, record.upstream, record.peer = true, false, state.stable, false
  counts.incr(state.stable.counter, 1)
  counts.incr(record.counted, -1)
  record.counted = state.stable.counter
  tell.fell_back(get_request(), record, state.stable)
  return ""
end

-- Called when the candidate's answer has begun.
local function begun()
  local record = records.of_request()
  if record then hang.over(record) end
end

-- Called when a request is over, whichever way.
local function ended()
  local record = records.close()
  if not record then return end
  if record.on_candidate then hang.over(record) end
  counts.incr(record.counted, -1)
  if record.fell_back then counts.give_back("fallbacks") end
end

return { route = route, again = again, begun = begun, ended = ended }
