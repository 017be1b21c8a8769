-- What each worker does beside requests: timers, and leaving when the master is gone.

local need, place = ...
local ffi = require("ffi")
local process = require("ngx.process")
local C = ffi.C
local counts, ids, hang, states = need("counts"), need("ids"), need("hang"), need("state")
local addresses, probe, certificate = need("addresses"), need("probe"), need("certificate")
local dict = ngx.shared.huidu

pcall(ffi.cdef, [[
  int prctl(int option, unsigned long one, unsigned long two, unsigned long three, unsigned long four);
  int chmod(const char *path, unsigned int mode);
  int getppid(void);
  int raise(int signal);
  int mallopt(int parameter, int value);
]])

local PR_SET_PDEATHSIG, SIGQUIT = 1, 3
local SWEEP_SECONDS, SECOND = 0.1, 1
local OWNER_ONLY = 0x180 -- 0600
local M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3

-- A failure in one turn of a timer must not end the others.
local function guarded(what, each)
  return function(premature)
    if premature then return end
    local ok, reason = pcall(each)
    if not ok then ngx.log(ngx.CRIT, "huidu: ", what, ": ", reason) end
  end
end

local function sweep()
  hang.refresh()
  hang.sweep(ngx.now())
  addresses.take_over(dict:get("down") or "")
end

-- Without its master a worker would keep the port for ever; it finishes what it has and goes.
local function leave_with_the_master()
  local master = process.get_master_pid()
  C.prctl(PR_SET_PDEATHSIG, SIGQUIT, 0, 0, 0)
  if C.getppid() ~= master then C.raise(SIGQUIT) end
end

-- Buffers of uploads come and go; to give their memory back each time costs more than to keep some of it.
local function keep_memory()
  pcall(function()
    C.mallopt(M_TRIM_THRESHOLD, 16 * 2 ^ 20)
    C.mallopt(M_MMAP_THRESHOLD, 4 * 2 ^ 20)
  end)
end

-- nginx sends itself a request, by which it learns whether it can find connections (hang.lua).
local function look_at_itself()
  local socket = ngx.socket.tcp()
  socket:settimeout(2000)
  if not socket:connect("unix:" .. place.socket) then return end
  socket:send("GET /check HTTP/1.0\r\n\r\n")
  socket:receive("*a")
  socket:close()
end

local function start()
  -- Processes that are no workers have no number.
  if not ngx.worker.id() then return end
  counts.start()
  ids.start()
  states.refresh()
  if place.alone then
    leave_with_the_master()
    keep_memory()
  end
  ngx.timer.every(SWEEP_SECONDS, guarded("the look for hanging requests failed", sweep))
  if place.certificate then
    ngx.timer.every(SECOND, guarded("the certificate was not taken over", certificate.refresh))
  end
  if ngx.worker.id() > 0 then return end
  C.chmod(place.socket, OWNER_ONLY)
  ngx.timer.every(SECOND, guarded("a health check failed", probe.round))
  ngx.timer.at(0, guarded("the check at start failed", look_at_itself))
end

return { start = start }
