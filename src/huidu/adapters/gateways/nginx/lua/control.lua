-- What control asks of nginx, on a Unix socket that only this user reaches.

local need, place = ...
local cjson = require("cjson")
local process = require("ngx.process")
local states, counts = need("state"), need("counts")
local dict = ngx.shared.huidu

local control = {}

local function body()
  ngx.req.read_body()
  local text = ngx.req.get_body_data()
  if text then return text end
  local path = ngx.req.get_body_file()
  local file = path and io.open(path)
  if not file then return "" end
  text = file:read("*a")
  file:close()
  return text
end

local function refused(reason)
  ngx.status = 400
  ngx.say(reason)
end

-- POST a state: puts it in force.
function control.state()
  if ngx.req.get_method() ~= "POST" then return refused("accepted: POST of a state") end
  local reason = states.put(body())
  if reason then return refused(reason) end
  ngx.say("ok")
end

-- The generation in force, as this worker understood it.
function control.generation()
  states.refresh_if_changed()
  ngx.say(states.current and states.current.generation or "")
end

-- Requests open towards ?version=
function control.in_flight()
  ngx.say(counts.sum("open:" .. (ngx.var.arg_version or "")))
end

function control.status()
  local lines, life = counts.written()
  ngx.say(cjson.encode({
    master = process.get_master_pid(),
    mark = place.mark,
    left_out = dict:get("down") or "",
    fallbacks = counts.sum("fallbacks"),
    lines = lines,
    life = life,
  }))
end

return control
