-- Open requests by version, and requests that fell back: counted for each worker, so that one that was killed takes
-- its counts with it. Lines written to the log: counted for all workers together, so that none takes any with it.

local ffi = require("ffi")
local process = require("ngx.process")
local C = ffi.C
pcall(ffi.cdef, [[
  int kill(int pid, int signal);
  int getppid(void);
]])
local dict = ngx.shared.huidu_counts

local ESRCH = 3
local format = string.format

local counts = {}
local prefix = ""

-- What this worker counts a name under.
function counts.key(name)
  return prefix .. name
end

local function incr(key, by)
  local count = dict:incr(key, by, 0)
  return count
end

-- Whether a process is a worker of the same master.
local function lives(pid)
  if C.kill(pid, 0) ~= 0 and ffi.errno() == ESRCH then return false end
  local file = io.open("/proc/" .. pid .. "/stat")
  if not file then return true end
  local state, parent = (file:read("*a") or ""):match("%) (%a) (%d+)")
  file:close()
  return state ~= "Z" and tonumber(parent) == C.getppid()
end

-- Calls visit(key, pid, name) for each count.
local function each(visit)
  for _, key in ipairs(dict:get_keys(0)) do
    local pid, name = key:match("^(%d+) (.*)$")
    if pid then visit(key, tonumber(pid), name) end
  end
end

-- Forgets the counts of workers that are gone, and of one that had the number of this one.
function counts.start()
  local me, gone = ngx.worker.pid(), false
  prefix = me .. " "
  each(function(key, pid)
    if pid == me or not lives(pid) then
      gone = true
      dict:delete(key)
    end
  end)
  dict:set(counts.key("lives"), 1)
  dict:add("life", format("%d-%.3f", process.get_master_pid(), ngx.now()))
  -- One that was killed may have counted a line that it did not come to write: what is counted begins anew.
  if gone then dict:set("anew", format("%d %d", dict:incr("deaths", 1, 0), dict:get("lines") or 0)) end
end

-- Says that the present request's line is about to be written.
function counts.wrote_line()
  dict:incr("lines", 1, 0)
end

-- How many lines were written, and the name of the life of this nginx in which that was counted.
function counts.written()
  local deaths, before = (dict:get("anew") or "0 0"):match("^(%d+) (%d+)$")
  return (dict:get("lines") or 0) - tonumber(before), dict:get("life") .. "-" .. deaths
end

-- Counts under a key, and returns the count of this worker.
counts.incr = incr

-- The sum over all living workers.
function counts.sum(name)
  local total, known = 0, {}
  each(function(key, pid, found)
    if found ~= name then return end
    if known[pid] == nil then known[pid] = lives(pid) end
    if known[pid] then total = total + (dict:get(key) or 0) end
  end)
  return total
end

-- Takes one of `limit` places; returns whether there was one. Who died is not asked for here: the worker that takes
-- its place has forgotten its counts before it serves anybody.
function counts.take(name, limit)
  local own = counts.key(name)
  local total = incr(own, 1)
  if total <= limit then
    each(function(key, _, found)
      if found == name and key ~= own then total = total + (dict:get(key) or 0) end
    end)
  end
  if total > limit then incr(own, -1) end
  return total <= limit
end

function counts.give_back(name)
  incr(counts.key(name), -1)
end

return counts
