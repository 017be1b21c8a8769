-- The parts of the gateway, loaded once by the master before it forks; returns what the configuration calls.
--
-- `folder` holds this file and the others; `place` is what stays fixed while nginx runs:
--   state_file    the state as it was last put in force, read after a restart
--   socket        where control speaks to nginx
--   mark          names this rendering of the configuration
--   locations     the names of the locations that lead to versions spoken to by HTTPS
--   methods       a set of the methods that are sent on
--   answers       what nginx itself answers by status: {ours, openai}, the latter below openai_paths
--   alone         whether this nginx is ours alone
--   certificate, certificate_key    the files of the listener, where it speaks TLS

local folder, place = ...

local parts = {}

local function need(name)
  if parts[name] == nil then
    parts[name] = assert(loadfile(folder .. "/" .. name .. ".lua"))(need, place)
  end
  return parts[name]
end

local route, balance, workers, answers = need("route"), need("balance"), need("workers"), need("answers")
need("state").refresh()

return {
  route = route.route,
  again = route.again,
  ended = route.ended,
  balance = balance.balance,
  answer_header = answers.header,
  answer_body = answers.body,
  certificate = need("certificate").present,
  start = workers.start,
  control = need("control"),
}
