-- The state in force, made ready once for each worker and change: policy, addresses of the versions, keys, limits.
--
-- It is one JSON text under one key of a shared dictionary, so no request sees half a change. A serial number says
-- when it changed; reading that is all a request pays.

local need, place = ...
local cjson = require("cjson")
local policy, tokens, addresses, counts = need("policy"), need("jwt"), need("addresses"), need("counts")
local dict = ngx.shared.huidu

local state = {}
-- The state as compiled here, and the serial number it was found under.
state.current, state.serial = nil, nil

local STABLE_LOCATION = "@stable"

local function location_of(upstream)
  if not upstream then return "@closed" end
  if upstream.location == "" then return STABLE_LOCATION end
  return place.locations[upstream.location] and STABLE_LOCATION .. upstream.location or "@closed"
end

-- What is the same in every log line of this state, as JSON. A line begins with its time and the request's id.
local function log_parts(found)
  local rules = found.policy
  local kinds = { new = '"new"', request = '"request"' }
  for _, kind in ipairs(rules.key) do kinds[kind] = cjson.encode(kind) end
  found.log = {
    release = '","release":' .. (rules.release and string.format("%d", rules.release) or "null") .. ',"version":',
    generation = string.format(',"generation":%d,"kind":"', rules.generation),
    share = string.format(',"share_bp":%d,"key_id":%s,"attempts":', rules.share_bp, cjson.encode(rules.key_id)),
    kinds = kinds,
  }
end

local function compiled(text)
  local found = cjson.decode(text)
  found.policy = policy.compile(found.policy)
  for version, upstream in pairs(found.upstreams) do
    upstream.name = cjson.encode(version)
    upstream.counter = counts.key("open:" .. version)
    addresses.compile(upstream)
  end
  local stable = found.upstreams[found.policy.stable]
  local candidate = found.policy.candidate and found.upstreams[found.policy.candidate]
  found.stable, found.candidate = stable, candidate
  found.stable_location = location_of(stable)
  -- Straight on is the way to a stable version by plain HTTP, the most frequent one.
  found.to_stable = found.stable_location == STABLE_LOCATION and "" or found.stable_location
  if candidate and (candidate.location == "" or place.locations[candidate.location]) then
    found.to_candidate = "@candidate" .. candidate.location
  end
  found.generation = string.format("%d", found.policy.generation)
  found.release_header = found.policy.release and string.format("%d", found.policy.release)
  found.share_header = string.format("%d", found.policy.share_bp)
  found.identity = tokens.verifier(found.jwt)
  found.volunteers = tokens.verifier(found.volunteer)
  log_parts(found)
  return found
end

local function stored()
  local text = dict:get("state")
  if text then return text end
  local file = io.open(place.state_file)
  if not file then return nil end
  text = file:read("*a")
  file:close()
  return text
end

-- Takes over what is in force now. What cannot be understood changes nothing.
function state.refresh()
  local serial = dict:get("serial") or 0
  local text = stored()
  if text then
    local ok, found = pcall(compiled, text)
    if ok then
      state.current = found
    else
      ngx.log(ngx.CRIT, "huidu: a state was not taken over: ", found)
    end
  end
  state.serial = serial
end

function state.changed()
  return (dict:get("serial") or 0) ~= state.serial
end

function state.refresh_if_changed()
  if state.changed() then state.refresh() end
end

-- Puts a state in force for all workers. Returns nil, or why it was not taken.
function state.put(text)
  local ok, found = pcall(compiled, text)
  if not ok then return tostring(found) end
  local set, reason = dict:safe_set("state", text)
  if not set then return reason end
  dict:incr("serial", 1, 0)
  return nil
end

return state
