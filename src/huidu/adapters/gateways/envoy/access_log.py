"""What Envoy writes of each request: one line in gateway.jsonl, or in the log of what was refused before a choice."""

from huidu.adapters.gateways.envoy.routing import RULE_HEADER
from huidu.adapters.gateways.envoy.shapes import Json, extension
from huidu.adapters.gateways.envoy.swap import REFUSED_LINES

# How long a socket may be open before the log tells of it, and again.
OPEN_SOCKET_INTERVAL = "10s"

# Where nothing is known: Envoy has no word for a constant, but a time may be written without any digits.
_OR_NULL = '{"command":"START_TIME","param":"null"}'


def _known_or_null(command: str, parameter: str) -> str:
    """A value that stands in the log as it is, and null where there is none."""
    return f'%COALESCE({{"operators":[{{"command":"{command}","param":"{parameter}"}},{_OR_NULL}]}})%'


def _noted(name: str) -> str:
    """What the filters noted of a request, and null where they noted nothing."""
    return _known_or_null("DYNAMIC_METADATA", f"huidu:{name}")


# Written as text: to make a JSON object of so many values takes Envoy three times as long. What stands in it is a
# number, a name that Huidu checked, or the head that the policy made (`filter.lua`).
_LINE = (
    "{%REQ(X-HUIDU-LOG)%"
    ',"request_id":"%REQ(X-REQUEST-ID)%","version":"%ROUTE_NAME%"'
    f',"served_by":{_known_or_null("UPSTREAM_METADATA", "huidu:served_by")}'
    ',"attempts":%UPSTREAM_REQUEST_ATTEMPT_COUNT%,"status":%RESPONSE_CODE%,"ms":%DURATION%'
    f',"service_ms":{_known_or_null("COMMON_DURATION", "DS_RX_END:US_RX_BEG:ms")}'
    f',"upload_ms":{_known_or_null("COMMON_DURATION", "DS_RX_BEG:DS_RX_END:ms")}'
    ',"bytes_up":%BYTES_RECEIVED%,"bytes_down":%BYTES_SENT%'
    f',"audio_seconds":{_noted("audio_seconds")},"chars":{_noted("chars")}'
    # Who broke an answer off that had begun well; at a socket it tells nothing.
    ',"flags":"%RESPONSE_FLAGS%"'
)
# Of a request that is no socket, or that no version made one, there is nothing more to tell.
_NO_SOCKET = ',"close_code":null,"closed_by":null,"first_message_ms":null,"frames_up":null,"frames_down":null'
_FRAMES = "".join(f',"{name}":{_noted(name)}' for name in ("first_message_ms", "frames_up", "frames_down"))
_CLOSED = f',"close_code":{_noted("close_code")},"closed_by":{_noted("closed_by")}{_FRAMES}'
# Who vanished without a close frame, by Envoy's word; null for an end that Envoy itself made.
_WHO_VANISHED = (
    '%CEL(response.code_details == "downstream_remote_disconnect" ? "\\"client\\"" : '
    'response.code_details.startsWith("upstream_reset") ? "\\"service\\"" : "null")%'
)
_VANISHED = f',"close_code":1006,"closed_by":{_WHO_VANISHED}{_FRAMES}'
_REFUSED_FIELDS = {
    "time": "%START_TIME(%s.%3f)%",
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "details": "%RESPONSE_CODE_DETAILS%",
}

# Filters, the cheapest first in each list: a request passes all of them.
_ENDED: Json = {"log_type_filter": {"types": ["DownstreamEnd"]}}
_OPEN: Json = {"log_type_filter": {"types": ["DownstreamPeriodic"]}}


def access_logs(log: str, refused_log: str) -> list[Json]:
    """The loggers, of which each request meets one: several may write to one file."""
    chosen, refused = _rule(present=True), _rule(present=False)
    socket, watched = _switched("EQ"), _noted_filter("frames_down", known=True)
    told, not_told = (_noted_filter("close_code", known=known) for known in (True, False))
    unwatched = _noted_filter("frames_down", known=False)
    return [
        _text(log, _NO_SOCKET, _ENDED, _switched("NE"), chosen),
        _text(log, _CLOSED, _ENDED, socket, chosen, {"or_filter": {"filters": [told, unwatched]}}),
        _text(log, _VANISHED, _ENDED, socket, chosen, watched, not_told),
        _text(log, f'{_CLOSED},"open":true', _OPEN, socket, chosen, watched),
        _file(refused_log, {"json_format": _REFUSED_FIELDS}, _ENDED, refused),
        _counter(_ENDED, refused),
    ]


def _text(path: str, end: str, *filters: Json) -> Json:
    return _file(path, {"text_format_source": {"inline_string": f"{_LINE}{end}}}\n"}}, *filters)


def _file(path: str, form: Json, *filters: Json) -> Json:
    kind = "extensions.access_loggers.file.v3.FileAccessLog"
    return {**extension("envoy.access_loggers.file", kind, path=path, log_format=form), "filter": _all(filters)}


def _counter(*filters: Json) -> Json:
    prefix, _, name = REFUSED_LINES.rpartition(".")
    counters = [{"stat": {"name": name}, "value_fixed": 1}]
    kind = "extensions.access_loggers.stats.v3.Config"
    logger = extension("envoy.access_loggers.stats", kind, stats_scope={"prefix": prefix}, counters=counters)
    return {**logger, "filter": _all(filters)}


def _all(filters: tuple[Json, ...]) -> Json:
    return {"and_filter": {"filters": list(filters)}}


def _rule(present: bool) -> Json:
    """Whether the policy chose a version: without a rule it never ran."""
    return {"header_filter": {"header": {"name": RULE_HEADER, "present_match": present}}}


def _switched(operator: str) -> Json:
    """Whether a version took a socket."""
    comparison = {"op": operator, "value": {"default_value": 101, "runtime_key": "huidu.switched"}}
    return {"status_code_filter": {"comparison": comparison}}


def _noted_filter(name: str, known: bool) -> Json:
    matcher = {"filter": "huidu", "path": [{"key": name}], "value": {"present_match": known}}
    return {"metadata_filter": {"matcher": matcher, "match_if_key_not_found": not known}}
