-- The time as nginx has it, in seconds. ngx.now, but compiled together with what calls it (tuned.lua says why).

local C = require("ffi").C

return function()
  local seconds = tonumber(C.ngx_http_lua_ffi_now())
  return seconds
end
