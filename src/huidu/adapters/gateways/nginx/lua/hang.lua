-- A candidate that hangs: no first byte of an answer within hang_after of the end of the upload.
--
-- nginx has one read timeout for the wait for an answer and for every pause within it, and only the first of these is
-- a hang. So timeouts stay long; requests that wait for their first byte stand in a queue, and of those overdue the
-- connection to the candidate is shut down. nginx then finds it closed before an answer and goes on to the fallback.
--
-- The connection is found through the first members of nginx's structures, which are the same in every 64-bit build
-- with nginx's cache: request → upstream → connection → descriptor. Each step is read without trusting the address
-- (the kernel copies, and refuses what is not mapped), and the peer of the descriptor must be the address that was
-- chosen. Where that fails, as a check at start finds out, requests to a candidate get a plain read timeout instead:
-- then an answer that pauses for longer than hang_after is cut, too.

local need, place = ...
local ffi = require("ffi")
local base = require("resty.core.base")
local balancer = require("ngx.balancer")
local C, new, cast, text_of = ffi.C, ffi.new, ffi.cast, ffi.string
local get_request = base.get_request
local dict = ngx.shared.huidu

ffi.cdef([[
  int pipe(int ends[2]);
  int close(int descriptor);
  ssize_t write(int descriptor, const void *from, size_t length);
  ssize_t read(int descriptor, void *to, size_t length);
  int shutdown(int descriptor, int how);
  int getpeername(int descriptor, void *name, unsigned int *length);
]])

local SIGNATURE = 0x50545448 -- "HTTP"
local REQUEST_UPSTREAM, UPSTREAM_CONNECTION, CONNECTION_DESCRIPTOR, CONNECTION_SENT = 72, 16, 24, 72
local SHUT_RDWR = 2
-- Uploads above this may still be on their way to the candidate when hang_after is over: their progress is watched.
local LONG_UPLOAD_BYTES = 2 ^ 20
local LOOK_SECONDS = 0.5

local hang = {}

-- ------------------------------------------------------------------ reading without trust

local ends, owner = new("int[2]"), nil
local number32, number64 = new("uint32_t[1]"), new("uint64_t[1]")

-- The number at an address, or nil where nothing may be read.
local function peek(address, into, bytes)
  if owner ~= ngx.worker.pid() then
    -- A pipe made before the fork would be shared.
    if C.pipe(ends) ~= 0 then return nil end
    owner = ngx.worker.pid()
  end
  if C.write(ends[1], cast("void *", address), bytes) ~= bytes then return nil end
  if C.read(ends[0], into, bytes) ~= bytes then return nil end
  return tonumber(into[0])
end

local name, name_length = new("uint8_t[128]"), new("unsigned int[1]")

-- The descriptor of a request's connection to its upstream and the bytes sent on it, if it is to the peer meant.
-- Returns nil and whether this build is as expected, when it is not (yet) so.
local function connection_of(request, socket_name)
  if peek(request, number32, 4) ~= SIGNATURE then return nil, false end
  local upstream = peek(request + REQUEST_UPSTREAM, number64, 8)
  if not upstream then return nil, false end
  if upstream == 0 then return nil, true end
  local connection = peek(upstream + UPSTREAM_CONNECTION, number64, 8)
  if not connection then return nil, false end
  if connection == 0 then return nil, true end
  local descriptor = peek(connection + CONNECTION_DESCRIPTOR, number32, 4)
  local sent = peek(connection + CONNECTION_SENT, number64, 8)
  if not descriptor or not sent then return nil, false end
  name_length[0] = 128
  if C.getpeername(descriptor, name, name_length) ~= 0 then return nil, true end
  if text_of(name, #socket_name) ~= socket_name then return nil, false end
  return descriptor, sent
end

-- ------------------------------------------------------------------ those who wait

-- Those who wait for a first byte now, and nobody else: few, so that looking at all of them costs little, and what is
-- over leaves nothing behind.
local waiting = {}

-- Called by the balancer, which runs when the upload has ended: from now on an answer is waited for.
function hang.await(record, now)
  local seconds = record.state.limits.hang_after_seconds
  if hang.known == "timeout" then
    balancer.set_timeouts(nil, nil, seconds)
    return
  end
  local bytes = tonumber(ngx.var.content_length) or tonumber(ngx.var.request_length)
  waiting[record] = { due = now + seconds, seconds = seconds, look_at = bytes > LONG_UPLOAD_BYTES and now or nil }
end

-- Called when an answer has begun, or nobody waits any longer.
function hang.over(record)
  waiting[record] = nil
end

local function give_up(record, wait, now)
  local descriptor, as_expected = connection_of(record.request, record.peer.socket_name)
  if descriptor then
    waiting[record] = nil
    record.given_up = true
    C.shutdown(descriptor, SHUT_RDWR)
  elseif as_expected then
    -- Still connecting, which has a timeout of its own.
    wait.due = now + LOOK_SECONDS
  else
    waiting[record] = nil
    hang.say("timeout")
  end
end

-- While a long upload moves on, the candidate is not waited for yet.
local function watch(record, wait, now)
  if wait.look_at > now then return end
  wait.look_at = now + LOOK_SECONDS
  local descriptor, sent = connection_of(record.request, record.peer.socket_name)
  if descriptor and sent ~= wait.sent then
    wait.sent, wait.due = sent, now + wait.seconds
  end
end

-- Looks for those overdue; called several times a second in each worker.
function hang.sweep(now)
  for record, wait in pairs(waiting) do
    if wait.look_at then watch(record, wait, now) end
    if wait.due <= now then give_up(record, wait, now) end
  end
end

-- ------------------------------------------------------------------ the check at start

-- What covers a hang in this build: shutdown, or a timeout.
function hang.say(how)
  if hang.known == how then return end
  hang.known = how
  dict:set("hang", how)
  if how == "timeout" then
    ngx.log(ngx.CRIT, "huidu: this build of nginx lays out its structures in another way; hang_after is a read timeout ",
      "here, which also cuts answers of a candidate that pause for longer")
  end
end

function hang.refresh()
  hang.known = dict:get("hang") or hang.known
end

local AF_UNIX = 1
local own_socket

-- Leads the request by which nginx looks at itself to its own control socket.
function hang.balance_check()
  balancer.set_current_peer("unix:" .. place.socket)
end

-- Called with the answer of that request: its connection must be found.
function hang.checked()
  if not own_socket then
    local family = new("uint16_t[1]", AF_UNIX)
    own_socket = text_of(family, 2) .. place.socket
  end
  local request = tonumber(cast("uintptr_t", get_request()))
  hang.say(connection_of(request, own_socket) and "shutdown" or "timeout")
end

return hang
