-- The listener's certificate and key, taken over when the files change and fit each other.

local need, place = ...
local ffi = require("ffi")
local ssl = require("ngx.ssl")
local C = ffi.C

ffi.cdef([[
  void *OPENSSL_sk_value(const void *stack, int index);
  int X509_check_private_key(const void *certificate, const void *key);
]])

-- As the files were at the last look, and what stands for them since they changed.
local seen, present = nil, nil

local function content(path)
  local file = io.open(path)
  if not file then return nil end
  local text = file:read("*a")
  file:close()
  return text
end

local function parsed(certificate, key)
  local chain, reason = ssl.parse_pem_cert(certificate)
  if not chain then return nil, reason end
  local private
  private, reason = ssl.parse_pem_priv_key(key)
  if not private then return nil, reason end
  local fits = C.X509_check_private_key(C.OPENSSL_sk_value(chain, 0), private) == 1
  C.ERR_clear_error()
  -- One of the two files was replaced, the other one not yet.
  if not fits then return nil, "certificate and key do not fit" end
  return { chain = chain, key = private }
end

local function refresh()
  local certificate, key = content(place.certificate), content(place.certificate_key)
  if not certificate or not key then return end
  local both = certificate .. key
  if both == seen then return end
  local before
  before, seen = seen, both
  -- What nginx itself has just read.
  if not before then return end
  local fresh, reason = parsed(certificate, key)
  present = fresh or present
  if not fresh then ngx.log(ngx.CRIT, "huidu: the certificate was not taken over: ", reason) end
end

-- Called at each handshake. Until the files change, nginx's own reading of them holds.
local function present_it()
  if not present then return end
  ssl.clear_certs()
  ssl.set_cert(present.chain)
  ssl.set_priv_key(present.key)
end

if place.certificate then refresh() end

return { refresh = refresh, present = present_it }
