-- What nginx itself answers in a candidate's location, as it does elsewhere. Such a location leads back to the stable
-- version by error pages of its own, so it has none for anything else: they would replace the candidate's answers, too.

local _, place = ...

local answers = {}

-- The answer in place of nginx's page; nil where the answer is a version's, or none of these.
local function own()
  local status = ngx.status
  if status < 400 then return nil end
  local answer = place.answers[status]
  if not answer or ngx.var.upstream_status then return nil end
  return string.sub(ngx.var.request_uri, 1, #place.openai_paths) == place.openai_paths and answer.openai or answer.ours
end

function answers.header()
  local text = own()
  if text then ngx.header.content_type, ngx.header.content_length = "application/json", #text end
end

function answers.body()
  local text = own()
  if text then ngx.arg[1], ngx.arg[2] = text, true end
end

return answers
