-- Which address of a version a request is sent to, and how long its answer is waited for.

local need = ...
local balancer = require("ngx.balancer")
local policy, records, addresses = need("policy"), need("records"), need("addresses")

-- A candidate that hangs is given up by nginx's timeouts between two reads and between two writes: nginx has none for
-- the first byte alone. A socket may be silent for long, so its candidate is waited for.
local function limit_hang(record)
  local upload_bytes = tonumber(ngx.var.content_length) or 0
  local seconds = policy.hang_after(record.state.limits.hang_after_seconds, upload_bytes)
  balancer.set_timeouts(nil, seconds, seconds)
end

-- Called for each try, when the upload has been read.
local function balance()
  local record = records.of_request()
  local upstream, now = record.upstream, ngx.now()
  record.uploaded = record.uploaded or now
  record.served_by, record.attempts = upstream, record.fell_back and 2 or 1
  local address = upstream.only
  if not address then
    if record.address then
      -- The same try goes on, on another address.
      if balancer.get_last_failure() == "failed" then addresses.failed(record.address, now) end
    elseif not record.on_candidate then
      -- One more of the stable version's addresses; a candidate's failure leads to the stable version.
      balancer.set_more_tries(1)
    end
    address = addresses.next(upstream, now)
  end
  record.address = address
  if upstream.tls then ngx.var.huidu_host = address.host end
  balancer.set_current_peer(address.ip, address.port)
  if record.on_candidate and not record.upgrades then limit_hang(record) end
end

return { balance = balance }
