-- Which address of a version a request is sent to.

local need = ...
local balancer = require("ngx.balancer")
local records, addresses, hang, clock = need("records"), need("addresses"), need("hang"), need("clock")

-- nginx's own number for "no peer is live": the try ends at once, with 502.
local BUSY = -3

local function balance()
  local record = records.of_request()
  local upstream = record.upstream
  -- A kept connection that fails is tried again by nginx, on a new one; a candidate that hung is not.
  if record.given_up and record.on_candidate then return ngx.exit(BUSY) end
  local now = clock()
  local peer = upstream.only
  if not peer then
    if record.peer then
      -- The same try goes on, on another address.
      if balancer.get_last_failure() == "failed" then addresses.failed(record.peer, now) end
    elseif not record.on_candidate then
      -- One more of the stable version's addresses; a candidate's failure leads to the stable version.
      balancer.set_more_tries(1)
    end
    peer = addresses.next(upstream, now)
    if not peer then return ngx.exit(BUSY) end
  end
  record.peer = peer
  if upstream.tls then ngx.var.huidu_host = peer.host end
  balancer.set_current_peer(peer.ip, peer.port)
  if record.on_candidate then hang.await(record, now) end
end

return { balance = balance }
