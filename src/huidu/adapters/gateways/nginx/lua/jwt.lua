-- Verifies tokens with libcrypto: RS256, ES256, HS256, as core/jwt.py documents. Whatever is wrong with a token, it is
-- nobody's; nothing about it is an error.

local ffi = require("ffi")
local json = require("cjson").new()
local base64 = require("ngx.base64")
local headers = (...)("headers")
local C, new, text_of = ffi.C, ffi.new, ffi.string
local find, match, sub, gsub, byte, char = string.find, string.match, string.sub, string.gsub, string.byte, string.char

ffi.cdef([[
  typedef struct bio_st BIO;
  typedef struct evp_pkey_st EVP_PKEY;
  typedef struct evp_md_st EVP_MD;
  typedef struct evp_md_ctx_st EVP_MD_CTX;
  BIO *BIO_new_mem_buf(const void *buffer, int length);
  int BIO_free(BIO *bio);
  EVP_PKEY *PEM_read_bio_PUBKEY(BIO *bio, EVP_PKEY **key, void *callback, void *argument);
  void EVP_PKEY_free(EVP_PKEY *key);
  EVP_MD_CTX *EVP_MD_CTX_new(void);
  void EVP_MD_CTX_free(EVP_MD_CTX *context);
  const EVP_MD *EVP_sha256(void);
  int EVP_DigestVerifyInit(EVP_MD_CTX *context, void **inner, const EVP_MD *kind, void *engine, EVP_PKEY *key);
  int EVP_DigestVerify(EVP_MD_CTX *context, const unsigned char *signature, size_t signature_length,
                       const unsigned char *text, size_t length);
  unsigned char *HMAC(const EVP_MD *kind, const void *key, int key_length, const unsigned char *text, size_t length,
                      unsigned char *digest, unsigned int *digest_length);
  int CRYPTO_memcmp(const void *one, const void *other, size_t length);
  void ERR_clear_error(void);
]])

-- 0x10 and Infinity are no JSON.
json.decode_invalid_numbers(false)

local SKEW_SECONDS = 1
-- Verified tokens that are kept: two halves of this many, so that those in use outlive those that are not.
local HALF = 4096
local MAX_TOKEN = 16384

-- ------------------------------------------------------------------ signatures

local function public_key(pem)
  local bio = C.BIO_new_mem_buf(pem, #pem)
  local key = C.PEM_read_bio_PUBKEY(bio, nil, nil, nil)
  C.BIO_free(bio)
  if key == nil then error("a public key cannot be read") end
  return ffi.gc(key, C.EVP_PKEY_free)
end

local function verified_by(key, signature, text)
  local context = C.EVP_MD_CTX_new()
  local good = C.EVP_DigestVerifyInit(context, nil, C.EVP_sha256(), nil, key) == 1
    and C.EVP_DigestVerify(context, signature, #signature, text, #text) == 1
  C.EVP_MD_CTX_free(context)
  -- nginx reads the same queue of errors after its own calls.
  C.ERR_clear_error()
  return good
end

-- A positive number of 32 bytes as DER: no leading zeros, but one before a high bit.
local function der_integer(text)
  local digits = match(text, "^%z*(.*)$")
  if digits == "" or byte(digits) >= 128 then digits = "\0" .. digits end
  return "\2" .. char(#digits) .. digits
end

local function der_signature(raw)
  local inner = der_integer(sub(raw, 1, 32)) .. der_integer(sub(raw, 33))
  return "\48" .. char(#inner) .. inner
end

local digest, digest_length = new("unsigned char[64]"), new("unsigned int[1]")

local VERIFY = {
  RS256 = function(key, signature, text) return verified_by(key.public, signature, text) end,
  ES256 = function(key, signature, text)
    return #signature == 64 and verified_by(key.public, der_signature(signature), text)
  end,
  HS256 = function(key, signature, text)
    if #signature ~= 32 then return false end
    if C.HMAC(C.EVP_sha256(), key.secret, #key.secret, text, #text, digest, digest_length) == nil then return false end
    return C.CRYPTO_memcmp(digest, signature, 32) == 0
  end,
}

local function compiled_key(found)
  local key = { alg = found.alg, kid = found.kid }
  if found.alg == "HS256" then
    key.secret = found.secret:gsub("%x%x", function(pair) return char(tonumber(pair, 16)) end)
  else
    key.public = public_key(found.pem)
  end
  return key
end

-- ------------------------------------------------------------------ claims

local function decoded(text)
  if not find(text, "^[%w_-]+$") then return nil end
  return base64.decode_base64url(text)
end

local function object(text)
  local plain = decoded(text)
  -- An array is a table, too.
  if not plain or not find(plain, "^%s*{") then return nil end
  local ok, found = pcall(json.decode, plain)
  return ok and found or nil
end

local function is_text(value) return value == nil or type(value) == "string" end

-- From zero on; what is not a number compares with nothing.
local function is_time(value) return value == nil or (type(value) == "number" and value >= 0 and value < 2 ^ 63) end

local function is_audience(value)
  if is_text(value) then return true end
  if type(value) ~= "table" then return false end
  for _, each in pairs(value) do
    if type(each) ~= "string" then return false end
  end
  return true
end

local function well_formed(claims)
  return is_text(claims.iss) and is_text(claims.sub) and is_text(claims.jti) and is_audience(claims.aud)
    and is_time(claims.iat) and is_time(claims.nbf) and is_time(claims.exp) and claims.exp ~= nil
end

local function in_time(claims, now)
  return claims.exp + SKEW_SECONDS >= now and (claims.nbf or 0) <= now + SKEW_SECONDS
end

local function verified_claims(verifier, token, now)
  if #token > MAX_TOKEN then return nil end
  local first, second, third = match(token, "^([^.]+)%.([^.]+)%.([^.]+)$")
  if not first then return nil end
  local header, claims, signature = object(first), object(second), decoded((gsub(third, "[ \t]", "")))
  if not header or not claims or not signature then return nil end
  if not is_text(header.kid) or not well_formed(claims) or not in_time(claims, now) then return nil end
  if verifier.issuer and claims.iss ~= verifier.issuer then return nil end
  local text = first .. "." .. second
  local kid = header.kid ~= "" and header.kid or nil
  for _, key in ipairs(verifier.keys) do
    local meant = key.alg == header.alg and (not kid or not key.kid or key.kid == kid)
    if meant and VERIFY[key.alg](key, signature, text) then return claims end
  end
  return nil
end

-- ------------------------------------------------------------------ where tokens are

-- The token in the joined values of Authorization; nil with anything beside it.
local function bearer(text)
  return match(text, "^Bearer +([%w_-]+%.[%w_-]+%.[%w_-]+)$")
end

-- The first value of a cookie; quotes around it do not count.
local function cookie(text, name)
  if not find(text, name, 1, true) then return nil end
  local from = 1
  while true do
    local first, last = find(text, name .. "=", from, true)
    if not first then return nil end
    local before = first - 1
    while before >= 1 and byte(text, before) == 32 do before = before - 1 end
    if before < 1 or byte(text, before) == 59 then
      local value = sub(text, last + 1, (find(text, ";", last + 1, true) or #text + 1) - 1)
      return match(value, '^"(.*)"$') or value
    end
    from = first + 1
  end
end

-- ------------------------------------------------------------------ verifiers

local verifiers = {}
local made = setmetatable({}, { __mode = "v" })

local function remember(verifier, text, claims)
  verifier.size = verifier.size + 1
  if verifier.size > HALF then verifier.older, verifier.young, verifier.size = verifier.young, {}, 1 end
  verifier.young[text] = claims
end

-- The claims of the token that stands in a text; what was found is remembered by the text.
local function claims_of(verifier, text, now, token_in)
  local known = verifier.young[text]
  if not known then
    known = verifier.older[text]
    if known then remember(verifier, text, known) end
  end
  if known then return in_time(known, now) and known or nil end
  local token = token_in(text)
  local found = token and verified_claims(verifier, token, now)
  if found then remember(verifier, text, found) end
  return found
end

local function itself(text) return text end

-- What verifies with these keys; the same as before, with all it remembers, while their digest is the same.
function verifiers.verifier(found)
  if not found then return nil end
  local verifier = made[found.digest]
  if verifier then return verifier end
  verifier = { issuer = found.issuer, sources = found.sources, keys = {}, young = {}, older = {}, size = 0 }
  for index, key in ipairs(found.keys) do verifier.keys[index] = compiled_key(key) end
  made[found.digest] = verifier
  return verifier
end

local function claims_from(verifier, source, now)
  if source == "header" then
    local text = headers.authorization()
    return text and claims_of(verifier, text, now, bearer)
  end
  local cookies = headers.cookies()
  local token = cookies and cookie(cookies, sub(source, 8))
  return token and claims_of(verifier, token, now, itself)
end

-- The claims of the first valid token of the present request, or nil.
function verifiers.claims(verifier, now)
  for _, source in ipairs(verifier.sources) do
    local found = claims_from(verifier, source, now)
    if found then return found end
  end
end

return verifiers
