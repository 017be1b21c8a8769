-- Asks the addresses of versions that have a health path whether they work; one worker does it for all.

local need = ...
local states = need("state")
local dict = ngx.shared.huidu

local TIMEOUT_MS, FAILURES = 2000, 2

local failures = {}

local function status_of(socket, upstream, address)
  local host = address.host:find(":", 1, true) and "[" .. address.host .. "]" or address.host
  local request = "GET " .. upstream.health .. " HTTP/1.1\r\nHost: " .. host .. ":" .. string.format("%d", address.port)
    .. "\r\nUser-Agent: huidu\r\nConnection: close\r\n\r\n"
  if not socket:send(request) then return nil end
  return tonumber((socket:receive("*l") or ""):match("^HTTP/1%.[01] (%d%d%d)"))
end

-- Whether an address answers below 500. Certificates are judged where users are served, not here.
local function works(upstream, address)
  local socket = ngx.socket.tcp()
  socket:settimeout(TIMEOUT_MS)
  if not socket:connect(address.ip, address.port) then return false end
  if upstream.tls and not socket:sslhandshake(false, address.host, false) then
    socket:close()
    return false
  end
  local status = status_of(socket, upstream, address)
  socket:close()
  return status ~= nil and status < 500
end

local function look(upstream, address, found)
  local key = address.key
  failures[key] = works(upstream, address) and 0 or (failures[key] or 0) + 1
  if failures[key] >= FAILURES then found[#found + 1] = key end
end

-- A round that failed half-way must not be the last one.
local ROUND_SECONDS = 10
local busy_until = 0

-- One look at every address; a round that takes longer than the interval is waited for.
local function round()
  states.refresh_if_changed()
  if ngx.now() < busy_until or not states.current then return end
  busy_until = ngx.now() + ROUND_SECONDS
  local found, threads = {}, {}
  for _, upstream in pairs(states.current.upstreams) do
    for _, address in ipairs(upstream.health and upstream.addresses or {}) do
      threads[#threads + 1] = ngx.thread.spawn(look, upstream, address, found)
    end
  end
  for _, thread in ipairs(threads) do ngx.thread.wait(thread) end
  busy_until = 0
  table.sort(found)
  dict:set("down", table.concat(found, " "))
end

return { round = round }
