-- What is known of each open request, from its choice to its log line. nginx forgets `ngx.ctx` on the way to a named
-- location, but not a request's variables: its id leads to what is known of it.

local records = {}
local by_id = {}

function records.open(record)
  by_id[record.id] = record
end

-- The record of the present request, or nil.
function records.of_request()
  return by_id[ngx.var.request_id]
end

-- Forgets the present request; returns its record, or nil.
function records.close()
  local id = ngx.var.request_id
  local record = by_id[id]
  if record then by_id[id] = nil end
  return record
end

return records
