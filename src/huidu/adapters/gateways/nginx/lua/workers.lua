-- What each worker does beside requests: timers, and leaving when the master is gone.

local need, place = ...
local ffi = require("ffi")
local process = require("ngx.process")
local C = ffi.C
local counts, states = need("counts"), need("state")
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
local LOOK_SECONDS, SECOND = 0.1, 1
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

local function look()
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

local function start()
  -- Processes that are no workers have no number.
  if not ngx.worker.id() then return end
  counts.start()
  states.refresh()
  if place.alone then
    leave_with_the_master()
    keep_memory()
  end
  ngx.timer.every(LOOK_SECONDS, guarded("what a probe found was not taken over", look))
  if place.certificate then
    ngx.timer.every(SECOND, guarded("the certificate was not taken over", certificate.refresh))
  end
  if ngx.worker.id() > 0 then return end
  C.chmod(place.socket, OWNER_ONLY)
  ngx.timer.every(SECOND, guarded("a health check failed", probe.round))
end

return { start = start }
