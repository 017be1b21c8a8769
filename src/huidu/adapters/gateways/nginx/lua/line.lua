-- The log line of a request as JSON, up to what nginx itself knows best (log_format in the configuration).

local floor, format, max = math.floor, string.format, math.max

local line = {}

-- The bytes of the body that the client sent. nginx knows the length of a body once it has read it whole.
local function bytes_up(record)
  if record.attempts > 0 then return tonumber(ngx.var.content_length) or 0 end
  return max(0, (tonumber(ngx.var.request_length) or 0) - (tonumber(ngx.var.huidu_header_bytes) or 0))
end

-- What was sent to the version of a socket, the request that opened it included: nginx does not tell them apart.
local function socket_bytes_up()
  return tonumber((ngx.var.upstream_bytes_sent or ""):match("(%d+)$")) or 0
end

-- The line of a request that is over, without its end. A version that was never asked has served nobody.
function line.of(record, is_socket)
  local log, served_by = record.state.log, record.served_by
  local bytes = is_socket and served_by and socket_bytes_up() or bytes_up(record)
  return format('{"time":%.3f,"request_id":"', record.time) .. record.id .. log.release .. record.version.name
    .. ',"served_by":' .. (served_by and served_by.name or "null") .. log.generation .. record.request_kind
    .. '","rule":"' .. record.rule .. '","unit":"' .. record.drawn.unit .. '","unit_kind":' .. log.kinds[record.kind]
    .. ',"peer":' .. (record.peer and '"' .. record.peer .. '"' or "null") .. ',"bucket":' .. record.drawn.bucket
    .. log.share .. record.attempts .. ',"upload_ms":'
    .. (record.uploaded and max(0, floor((record.uploaded - record.time) * 1000 + 0.5)) or "null")
    .. ',"bytes_up":' .. format("%d", bytes) .. ","
end

return line
