-- The listener's certificate and key, taken over when the files change and fit each other.

local need, place = ...
local ffi = require("ffi")
local ssl = require("ngx.ssl")
local C = ffi.C

ffi.cdef([[
  struct bio_st *BIO_new_mem_buf(const void *buffer, int length);
  int BIO_free(struct bio_st *bio);
  struct x509_st *PEM_read_bio_X509(struct bio_st *bio, void *into, void *callback, void *argument);
  void X509_free(struct x509_st *certificate);
  struct evp_pkey_st *PEM_read_bio_PrivateKey(struct bio_st *bio, void *into, void *callback, void *argument);
  void EVP_PKEY_free(struct evp_pkey_st *key);
  int X509_check_private_key(const struct x509_st *certificate, const struct evp_pkey_st *key);
  void ERR_clear_error(void);
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

local function read_by(read, text)
  local bio = C.BIO_new_mem_buf(text, #text)
  local found = read(bio, nil, nil, nil)
  C.BIO_free(bio)
  return found
end

-- Whether a private key is that of the first certificate of a chain.
local function fit(certificate, key)
  local first, private = read_by(C.PEM_read_bio_X509, certificate), read_by(C.PEM_read_bio_PrivateKey, key)
  local fits = first ~= nil and private ~= nil and C.X509_check_private_key(first, private) == 1
  C.X509_free(first)
  C.EVP_PKEY_free(private)
  -- nginx reads the same queue of errors after its own calls.
  C.ERR_clear_error()
  return fits
end

local function parsed(certificate, key)
  local chain, reason = ssl.parse_pem_cert(certificate)
  if not chain then return nil, reason end
  local private
  private, reason = ssl.parse_pem_priv_key(key)
  if not private then return nil, reason end
  -- One of the two files was replaced, the other one not yet.
  if not fit(certificate, key) then return nil, "certificate and key do not fit" end
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
