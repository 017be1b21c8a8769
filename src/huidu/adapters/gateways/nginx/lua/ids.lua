-- Random names of 32 hexadecimal digits, made of the system's randomness in bulk.

local ffi = require("ffi")
local C, new, text_of = ffi.C, ffi.new, ffi.string
ffi.cdef([[
  int RAND_bytes(unsigned char *buffer, int length);
  unsigned char *ngx_hex_dump(unsigned char *target, const unsigned char *source, size_t length);
]])

local BYTES, BULK = 16, 64
local random, digits = new("unsigned char[?]", BYTES * BULK), new("unsigned char[?]", BYTES * 2)
local left = 0

local ids = { length = BYTES * 2, digits = digits }

-- Forgets what was drawn before a fork: every child would draw the same.
function ids.start() left = 0 end

-- Puts a new name into `ids.digits`, where it stays until the next one.
function ids.draw()
  if left == 0 then
    if C.RAND_bytes(random, BYTES * BULK) ~= 1 then error("no randomness") end
    left = BULK
  end
  left = left - 1
  C.ngx_hex_dump(digits, random + left * BYTES, BYTES)
end

-- The name that was drawn last, as a text.
function ids.text()
  local id = text_of(digits, BYTES * 2)
  return id
end

return ids
