"""`huidu.yaml`: read once, checked whole, refused with the line, what was read and what is accepted.

Any setting can be overridden by environment: `HUIDU_CONTROL__LISTEN` stands for `control.listen`.
"""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
    model_validator,
)

from huidu.core.address import Network, network, packed_address
from huidu.core.audience import (
    ADDRESS,
    COOKIE,
    HEADER_PREFIX,
    SUBJECT,
    Audience,
    ClaimRule,
    CookieRule,
    HeaderRule,
    Matcher,
    NetworkRule,
)
from huidu.core.errors import InvalidError
from huidu.core.jwt import Jwt, checked_keys
from huidu.core.plan import (
    DEFAULT_GUARDS,
    DEFAULT_PLAN,
    FULL_BP,
    LEAST_RECOGNITIONS,
    LEAST_UNITS,
    Answer,
    Golden,
    Guard,
    Measure,
    Plan,
    Rules,
    Share,
    Stage,
    Undecided,
    difference,
    duration_seconds,
    quantile,
    ratio,
    share_bp,
    size_bytes,
    usual_holdback_bp,
)
from huidu.core.version import Version
from huidu.core.window import Window, minute_of_day
from huidu.core.window import days as days_of_week
from huidu.yaml_file import MOST_BYTES, Keys, decoded, read_mapping, read_value

ENVIRONMENT_PREFIX = "HUIDU_"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HEADER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
# Gateways rewrite these, or drop them, before a rule could read what the client sent.
_NO_RULE_HEADERS = frozenset(
    ("host", "connection", "content-length", "cookie", "te", "transfer-encoding", "upgrade", "x-request-id")
) | frozenset(("x-forwarded-for", "x-forwarded-proto", "keep-alive", "proxy-connection", "expect"))
_NO_RULE_PREFIXES = ("x-huidu-", "x-envoy-")
_PATH = re.compile(r"/[\x21-\x7e]*")
_RECOGNITION_PATH = re.compile(r"/[\x21-\x22\x24-\x29\x2b-\x3e\x40-\x7e]*\*?")
_LARGEST_EXACT = 2**53


class Address(NamedTuple):
    """A host (or IP address) and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address(text: str) -> Address:
    """`0.0.0.0:8080` or `[::]:8080`. Raises `InvalidError`."""
    found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.\-]+):(\d{1,5})", text)
    if not found or not 0 < int(found[2]) < 65536:
        raise InvalidError(f"read address '{text}'; accepted: HOST:PORT, such as 127.0.0.1:7900")
    return Address(found[1].strip("[]"), int(found[2]))


def service_url(text: str) -> str:
    """`http://10.0.0.5:7860` or `https://asr.example` with its port written out. Raises `InvalidError`."""
    found = re.fullmatch(r"(https?)://(\[[^\]]*\]|[^/?#@:]+)(:\d+)?/?", text)
    if not found:
        raise InvalidError(f"read url '{text}'; accepted: http://HOST:PORT or https://HOST:PORT without a path")
    port = found[3] or (":443" if found[1] == "https" else ":80")
    return f"{found[1]}://{address(found[2] + port)}"


def _header_name(text: str) -> str:
    """A header name that rules may read, in lower case. Raises `InvalidError`."""
    name = text.lower()
    if not _HEADER.fullmatch(text) or name in _NO_RULE_HEADERS or name.startswith(_NO_RULE_PREFIXES):
        raise InvalidError(f"read header '{text}'; accepted: a name of letters, digits and - that clients may set")
    return name


def _unit_key(text: str) -> str:
    if text.startswith(HEADER_PREFIX):
        return HEADER_PREFIX + _header_name(text.removeprefix(HEADER_PREFIX))
    if text not in (SUBJECT, COOKIE, ADDRESS):
        raise InvalidError(f"read key '{text}'; accepted: {SUBJECT}, {COOKIE}, {HEADER_PREFIX}NAME, {ADDRESS}")
    return text


def _token_source(text: str) -> str:
    if text != "header" and not (text.startswith("cookie:") and _TOKEN.fullmatch(text.removeprefix("cookie:"))):
        raise InvalidError(f"read token source '{text}'; accepted: header (Authorization: Bearer) or cookie:NAME")
    return text


def _clock_text(value: object) -> object:
    # YAML reads 18:00 without quotes as a number in base 60, which is minutes.
    return f"{value // 60:02}:{value % 60:02}" if isinstance(value, int) else value


def _health_path(text: str) -> str:
    if not _PATH.fullmatch(text):
        raise InvalidError(f"read path '{text}'; accepted: such as /healthz")
    return text


def _recognition_path(text: str) -> str:
    if not _RECOGNITION_PATH.fullmatch(text):
        raise InvalidError(f"read path '{text}'; accepted: such as /asr, or /asr/* for all that begin so")
    return text


def _kept_seconds(text: str) -> float:
    found = duration_seconds(text)
    if found < 3600:
        raise InvalidError(f"read '{text}'; accepted: 1h or more, such as 30d")
    return found


def _parsed(parse: Callable[[str], Any]) -> BeforeValidator:
    """A pydantic validator around one of our parsers, keeping its words."""

    def validate(value: object) -> Any:
        if not isinstance(value, str):
            value = str(value)
        try:
            return parse(value)
        except InvalidError as error:
            raise ValueError(str(error)) from None

    return BeforeValidator(validate)


Listen = Annotated[Address, _parsed(address)]
Seconds = Annotated[float, _parsed(duration_seconds)]
Bytes = Annotated[int, _parsed(size_bytes)]
ShareBp = Annotated[int, _parsed(share_bp)]
Cidr = Annotated[Network, _parsed(network)]
TimeOfDay = Annotated[int, _parsed(minute_of_day), BeforeValidator(_clock_text)]
ServiceUrl = Annotated[str, _parsed(service_url)]


def _joined(value: object) -> object:
    """A list of names as the text that names them all."""
    return ",".join(str(each) for each in value) if isinstance(value, list) else value


def _listed(value: object) -> object:
    """One thing where several may stand."""
    return value if isinstance(value, list) else [value]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, arbitrary_types_allowed=True)


class TlsSettings(_Strict):
    """PEM files of the gateway's own certificate; taken over when they change."""

    certificate: str
    key: str


class GatewaySettings(_Strict):
    """The reverse proxy in front.

    `drain` says what happens to open streams at a roll back: they finish on their version, for `drain_limit` at
    most, or they move to the stable version at their next utterance boundary. `recognition_paths` say which requests
    to services known only by their URL carry audio; none: every POST and every WebSocket.
    """

    listen: Listen = Address("0.0.0.0", 8080)
    engine: Literal["envoy", "nginx"] = "envoy"
    max_upload: Bytes = 2 * 10**9
    retry_body: Bytes = 32 * 10**6
    max_header: Annotated[Bytes, Field(ge=8_000, le=90_000)] = 60_000
    hang_after: Annotated[Seconds, Field(gt=0)] = 30.0
    max_fallbacks: int = Field(default=256, ge=1)
    drain: Literal["finish", "move"] = "finish"
    drain_limit: Seconds = 3600.0
    log_rotate: Annotated[Bytes, Field(gt=0)] = 256 * 10**6
    recognition_paths: Annotated[list[Annotated[str, _parsed(_recognition_path)]], BeforeValidator(_listed)] = []
    trusted_proxies: list[Cidr] = []
    tls: TlsSettings | None = None


class ControlSettings(_Strict):
    """The controller."""

    listen: Listen = Address("127.0.0.1", 7900)
    share_expiry: Seconds = 900.0


class InstanceSettings(_Strict):
    """Where the instances that `up` runs listen: the first port; the others follow it."""

    listen: Listen = Address("127.0.0.1", 7860)


class AdmissionSettings(_Strict):
    """What must stay free when a candidate starts."""

    reserve: Bytes = 10**9


class RetentionSettings(_Strict):
    """How long what users said is kept. Without `texts` nothing is pruned."""

    texts: Annotated[float, _parsed(_kept_seconds)] | None = None


class VersionSettings(_Strict):
    """A decoding bundle to run, or the address of a service that already runs."""

    engine: Literal["sherpa-onnx"] = "sherpa-onnx"
    model: str | None = None
    device: str = Field(default="cpu", pattern=r"^(cpu|cuda:\d+)$")
    hotwords: str | None = None
    url: Annotated[list[ServiceUrl], BeforeValidator(_listed), Field(min_length=1)] | None = None
    ca: str | None = None
    health: Annotated[str, _parsed(_health_path)] | None = None
    memory: Bytes | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "VersionSettings":
        if (self.model is None) == (self.url is None):
            raise ValueError("read neither or both of model and url; accepted: one of them")
        schemes = {url.partition(":")[0] for url in self.url or []}
        if len(schemes) > 1:
            raise ValueError("read http and https addresses; accepted: one scheme for all addresses of a version")
        if self.ca is not None and schemes != {"https"}:
            raise ValueError("read ca without an https url; accepted: ca beside https only")
        if self.health is not None and self.url is None:
            raise ValueError("read health beside model; accepted: beside url only, Huidu knows its own")
        return self


class ClaimSettings(_Strict):
    """A claim of a valid token and the values that count."""

    claim: str = Field(min_length=1)
    values: list[StrictStr | StrictBool | StrictInt] = Field(alias="in", min_length=1)

    @model_validator(mode="after")
    def _exact(self) -> "ClaimSettings":
        for value in self.values:
            if isinstance(value, int) and abs(value) > _LARGEST_EXACT:
                raise ValueError(f"read number {value}; accepted: numbers up to 2^53, or text")
        return self


class MatcherSettings(_Strict):
    """One rule of an audience."""

    cookie: str | None = None
    header: dict[str, str] | None = None
    cidr: Cidr | None = None
    jwt: ClaimSettings | None = None

    @model_validator(mode="after")
    def _one_rule(self) -> "MatcherSettings":
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"read {' and '.join(given) or 'no rule'}; accepted: one of cookie, header, cidr, jwt")
        if self.cookie is not None and not _TOKEN.fullmatch(self.cookie.split("=", 1)[0]):
            raise ValueError(f"read cookie '{self.cookie}'; accepted: NAME or NAME=VALUE")
        if self.cookie is not None and re.search(r"[\x00-\x1f\x7f;]|^\S+?=[ \t]|[ \t]$", self.cookie):
            raise ValueError(f"read cookie '{self.cookie}'; accepted: a value without ; or blanks around it")
        if self.header is not None:
            if len(self.header) != 1:
                raise ValueError(f"read {len(self.header)} headers in one rule; accepted: one, such as x-tester: '1'")
            ((name, value),) = self.header.items()
            if value != value.strip(" \t") or re.search(r"[\x00-\x1f\x7f]", value):
                raise ValueError(f"read header value '{value}'; accepted: text without blanks around it")
            try:
                _header_name(name)
            except InvalidError as error:
                raise ValueError(str(error)) from None
        return self

    def matcher(self) -> Matcher:
        if self.cidr is not None:
            return NetworkRule(self.cidr)
        if self.jwt is not None:
            return ClaimRule(self.jwt.claim, tuple(self.jwt.values))
        if self.cookie is not None:
            name, equals, value = self.cookie.partition("=")
            return CookieRule(name, value if equals else None)
        ((name, value),) = (self.header or {}).items()
        return HeaderRule(_header_name(name), value)


class JwtSettings(_Strict):
    """Tokens that name users: the file of keys (a JWKS), who issues them, and where they are looked for."""

    jwks: str
    issuer: str | None = None
    sources: list[Annotated[str, _parsed(_token_source)]] = Field(default=["header"], alias="from", min_length=1)


class WindowSettings(_Strict):
    """A weekly window in local time."""

    days: Annotated[tuple[int, ...], _parsed(days_of_week), BeforeValidator(_joined)] = tuple(range(7))
    start: TimeOfDay = Field(alias="from")
    end: TimeOfDay = Field(alias="to")
    tz: str

    @model_validator(mode="after")
    def _window(self) -> "WindowSettings":
        try:
            self.window()
        except InvalidError as error:
            raise ValueError(str(error)) from None
        return self

    def window(self) -> Window:
        return Window(self.days, self.start, self.end, self.tz)


class AudienceSettings(_Strict):
    """Who gets the candidate beside the share."""

    key: list[Annotated[str, _parsed(_unit_key)]] = Field(default=[SUBJECT, COOKIE], min_length=1)
    exclude: list[MatcherSettings] = []
    include: list[MatcherSettings] = []
    window: Annotated[list[WindowSettings], BeforeValidator(_listed)] = []
    jwt: JwtSettings | None = None
    among: Literal["everyone", "volunteers"] = "everyone"


class GoldenSettings(_Strict):
    set: str
    undecided: Undecided = Undecided.ASK


class FloorSettings(_Strict):
    """What each side of a stage must have seen before it goes on; a plain number sets the recognitions."""

    recognitions: int = Field(default=LEAST_RECOGNITIONS, ge=0)
    units: int = Field(default=LEAST_UNITS, ge=1)


def _floor(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return {"recognitions": value}
    if not isinstance(value, dict):
        raise ValueError(f"read {value!r}; accepted: a number of recognitions, or {{recognitions: 500, units: 20}}")
    return value


class StageSettings(_Strict):
    """`{golden: {set: …}}` or `{share: 5%, for: 30m, at_least: 500}`; `holdback` stands beside `share: 100%`."""

    golden: GoldenSettings | None = None
    share: ShareBp | None = None
    duration: Seconds | None = Field(default=None, alias="for")
    at_least: Annotated[FloorSettings, BeforeValidator(_floor)] | None = None
    holdback: ShareBp | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "StageSettings":
        if (self.golden is None) == (self.share is None):
            raise ValueError("read neither or both of golden and share; accepted: one of them")
        if self.share is not None and self.duration is None:
            raise ValueError("read a share without 'for'; accepted: such as {share: 5%, for: 30m}")
        beside = (self.duration, self.at_least, self.holdback)
        if self.golden is not None and any(each is not None for each in beside):
            raise ValueError(
                "read 'for', 'at_least' or 'holdback' beside golden; accepted: {golden: {set: FILE, undecided: ask}}"
            )
        return self

    def stage(self, base: Path, last_share_bp: int) -> Stage:
        """The stage; `last_share_bp` is the share of the one before, by which a usual holdback is chosen."""
        if self.golden is not None:
            return Golden(str(base / self.golden.set), self.golden.undecided)
        assert self.share is not None
        assert self.duration is not None
        floor = self.at_least or FloorSettings()
        usual_bp = usual_holdback_bp(last_share_bp) if self.share == FULL_BP else 0
        holdback_bp = usual_bp if self.holdback is None else self.holdback
        return Share(self.share, self.duration, floor.recognitions, floor.units, holdback_bp)


def _limit(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"read {value!r}; accepted: such as +0.5pp, 1.2x, 0 or p95")
    return str(value)


Limit = Annotated[str, BeforeValidator(_limit)]


class GuardSettings(_Strict):
    """The two numbers of a guard, as text until its kind is known, and what answers a proven loss."""

    fail_above: Limit | None = None
    at_most: Limit | None = None
    quantile: Limit | None = None
    answer: Answer | None = None


def _guard_or_off(value: object) -> object:
    # YAML reads `off` as false. None stands for it here, so that pydantic names no alternative in its complaints.
    if value is False or value == "off":
        return None
    if not isinstance(value, dict):
        raise ValueError(f"read {value!r}; accepted: off, or fail_above, at_most, quantile and answer")
    return value


class _File(_Strict):
    data: str = "./data"
    gateway: GatewaySettings = GatewaySettings()
    control: ControlSettings = ControlSettings()
    instances: InstanceSettings = InstanceSettings()
    admission: AdmissionSettings = AdmissionSettings()
    retention: RetentionSettings = RetentionSettings()
    versions: dict[str, VersionSettings] = Field(min_length=1)
    stable: str
    audience: AudienceSettings = AudienceSettings()
    plan: list[StageSettings] | None = None
    guards: dict[str, Annotated[GuardSettings | None, BeforeValidator(_guard_or_off)]] = {}
    alpha: float = 0.01
    beta: float = 0.05


class Settings(NamedTuple):
    """A configuration that holds. Paths are absolute."""

    path: Path
    data: Path
    gateway: GatewaySettings
    control: ControlSettings
    instances: InstanceSettings
    admission: AdmissionSettings
    versions: dict[str, Version]
    stable: str
    audience: Audience
    plan: Plan
    rules: Rules
    retention: RetentionSettings = RetentionSettings()


def load(path: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """Reads and checks a configuration file. Raises `InvalidError` with one line for the first thing wrong."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise InvalidError(
            f"{path} does not exist; accepted: a configuration file, such as `huidu init` writes"
        ) from None
    except OSError as error:
        raise InvalidError(f"{path} cannot be read ({error}); accepted: a UTF-8 text file") from None
    tree, lines = read_mapping(decoded(content, path.name), path.name)
    known: dict[Keys, int | str] = {**lines}
    _override(tree, known, environment)
    where = _Where(path, known)
    try:
        read = _File.model_validate(tree)
    except ValidationError as error:
        raise _refusal(error, where) from None
    return _settings(read, path.resolve(), where)


class _Where:
    """Says where in the file something stands: by its path of keys, to the nearest known line."""

    def __init__(self, path: Path, lines: dict[Keys, int | str]):
        self._path, self._lines = path, lines

    def __call__(self, *keys: str | int) -> str:
        for length in range(len(keys), -1, -1):
            line = self._lines.get(tuple(keys[:length]))
            if isinstance(line, str):
                return line
            if line is not None:
                return f"{self._path.name}:{line}"
        return self._path.name


def _override(tree: dict[str, Any], lines: dict[Keys, int | str], environment: Mapping[str, str]) -> None:
    for name, value in environment.items():
        keys = tuple(name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__"))
        if not name.startswith(ENVIRONMENT_PREFIX) or keys[0] not in _File.model_fields:
            continue
        inner = tree
        for key in keys[:-1]:
            inner = inner.setdefault(key, {})
            if not isinstance(inner, dict):
                raise InvalidError(f"environment {name}: {key} holds no keys; accepted: the path of a setting")
        inner[keys[-1]] = read_value(value, f"environment {name}")
        lines[keys] = f"environment {name}"


def _refusal(error: ValidationError, where: _Where) -> InvalidError:
    """The first of pydantic's complaints as one line of ours."""
    first = error.errors(include_url=False)[0]
    keys = tuple(first["loc"])
    place = where(*keys)
    read = first.get("input")
    match first["type"]:
        case "extra_forbidden":
            known = ", ".join(_accepted_keys(keys[:-1]))
            inside = f" in {_dotted(keys[:-1])}" if keys[:-1] else ""
            return InvalidError(f"{place}: unknown key '{keys[-1]}'{inside}; accepted: {known}")
        case "missing":
            return InvalidError(f"{place}: {_dotted(keys)} is missing; accepted: a value for it")
        case "value_error":
            return InvalidError(f"{place}: {_dotted(keys)}: {first['msg'].removeprefix('Value error, ')}")
    wanted = first["msg"][0].lower() + first["msg"][1:]
    return InvalidError(f"{place}: {_dotted(keys)}: read {read!r}; accepted: {wanted.removeprefix('input should be ')}")


def _dotted(keys: tuple[str | int, ...]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")


def _accepted_keys(keys: tuple[str | int, ...]) -> list[str]:
    """The keys of the model that stands at a path."""
    model: type[BaseModel] = _File
    inner: dict[str, type[BaseModel]] = {
        "gateway": GatewaySettings,
        "control": ControlSettings,
        "instances": InstanceSettings,
        "admission": AdmissionSettings,
        "retention": RetentionSettings,
        "versions": VersionSettings,
        "audience": AudienceSettings,
        "include": MatcherSettings,
        "exclude": MatcherSettings,
        "window": WindowSettings,
        "jwt": ClaimSettings if {"include", "exclude"} & set(keys) else JwtSettings,
        "tls": TlsSettings,
        "plan": StageSettings,
        "golden": GoldenSettings,
        "at_least": FloorSettings,
        "guards": GuardSettings,
    }
    for key in keys:
        model = inner.get(str(key), model)
    return sorted(field.alias or name for name, field in model.model_fields.items())


def _settings(read: _File, path: Path, where: _Where) -> Settings:
    base = path.parent
    for name in read.versions:
        if not _NAME.fullmatch(name):
            raise InvalidError(
                f"{where('versions', name)}: read version name '{name}'; accepted: letters, digits . _ -"
            )
    _refuse_unprovable(read, where)
    if read.stable not in read.versions:
        known = ", ".join(sorted(read.versions))
        raise InvalidError(f"{where('stable')}: unknown version '{read.stable}'; accepted: {known}")
    return Settings(
        path=path,
        data=(base / read.data).resolve(),
        gateway=read.gateway,
        control=read.control,
        instances=read.instances,
        admission=read.admission,
        versions={name: _version(name, version, base) for name, version in read.versions.items()},
        stable=read.stable,
        audience=_audience(read.audience, base, where),
        plan=_plan(read, base, where),
        rules=_rules(read, where),
        retention=read.retention,
    )


def _version(name: str, read: VersionSettings, base: Path) -> Version:
    return Version(
        name,
        engine=read.engine,
        model=str((base / read.model).resolve()) if read.model else None,
        device=read.device,
        hotwords=str((base / read.hotwords).resolve()) if read.hotwords else None,
        urls=tuple(read.url or ()),
        ca=str((base / read.ca).resolve()) if read.ca else None,
        health=read.health,
        memory_bytes=read.memory,
    )


def _refuse_unprovable(read: _File, where: _Where) -> None:
    """nginx compares certificates with host names only, never with addresses."""
    for name, version in read.versions.items():
        for url in version.url or [] if read.gateway.engine == "nginx" else []:
            host = url.partition("://")[2].rpartition(":")[0].strip("[]")
            if url.startswith("https:") and packed_address(host) is not None:
                raise InvalidError(
                    f"{where('versions', name, 'url')}: nginx cannot verify a certificate for the address {host}; "
                    "accepted: a host name, or gateway.engine: envoy"
                )


def _audience(read: AudienceSettings, base: Path, where: _Where) -> Audience:
    audience = Audience(
        exclude=tuple(rule.matcher() for rule in read.exclude),
        include=tuple(rule.matcher() for rule in read.include),
        key=tuple(read.key),
        windows=tuple(window.window() for window in read.window),
        volunteers_only=read.among == "volunteers",
        jwt=_jwt(read.jwt, base, where) if read.jwt else None,
    )
    if audience.jwt is None and any(isinstance(rule, ClaimRule) for rule in (*audience.exclude, *audience.include)):
        raise InvalidError(
            f"{where('audience')}: a rule reads a claim and audience.jwt is missing; accepted: jwt: {{jwks: FILE, …}}"
        )
    return audience


def _jwt(read: JwtSettings, base: Path, where: _Where) -> Jwt:
    path = base / read.jwks
    try:
        keys = checked_keys(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidError(
            f"{where('audience', 'jwt', 'jwks')}: {path} cannot be read ({error}); accepted: a JWKS file"
        ) from None
    except InvalidError as error:
        raise InvalidError(f"{where('audience', 'jwt', 'jwks')}: {path.name}: {error}") from None
    return Jwt(keys, read.issuer, tuple(read.sources))


def _plan(read: _File, base: Path, where: _Where) -> Plan:
    if read.plan is None:
        return DEFAULT_PLAN
    try:
        before = [0, *(stage.share or 0 for stage in read.plan)]
        return Plan(tuple(stage.stage(base, bp) for stage, bp in zip(read.plan, before, strict=False)))
    except InvalidError as error:
        raise InvalidError(f"{where('plan')}: {error}") from None


def _rules(read: _File, where: _Where) -> Rules:
    known = {guard.name: guard for guard in DEFAULT_GUARDS}
    for name in read.guards:
        if name not in known:
            raise InvalidError(f"{where('guards', name)}: unknown guard '{name}'; accepted: {', '.join(sorted(known))}")
    given = ((guard, read.guards.get(guard.name, GuardSettings())) for guard in DEFAULT_GUARDS)
    guards = tuple(_guard(guard, settings, where) for guard, settings in given if settings is not None)
    try:
        return Rules(guards, read.alpha, read.beta)
    except InvalidError as error:
        raise InvalidError(f"{where(str(error).split()[0])}: {error}") from None


def _guard(default: Guard, read: GuardSettings, where: _Where) -> Guard:
    parse = {Measure.DIFFERENCE: difference, Measure.RATIO: ratio, Measure.COUNT: _count}[default.measure]

    def number(key: Literal["fail_above", "at_most"], fallback: float | None) -> float | None:
        value = getattr(read, key)
        try:
            return fallback if value is None else parse(value)
        except InvalidError as error:
            raise InvalidError(f"{where('guards', default.name, key)}: guards.{default.name}.{key}: {error}") from None

    if default.at_most is None and read.at_most is not None:
        raise InvalidError(
            f"{where('guards', default.name)}: guard {default.name} takes no at_most; accepted: fail_above"
        )
    if default.quantile is None and read.quantile is not None:
        raise InvalidError(
            f"{where('guards', default.name)}: guard {default.name} takes no quantile; accepted: two numbers"
        )
    fail_above = number("fail_above", default.fail_above)
    assert fail_above is not None
    at_most = number("at_most", default.at_most)
    try:
        level = quantile(read.quantile) if read.quantile else default.quantile
        return Guard(default.name, default.measure, fail_above, at_most, level, read.answer or default.answer)
    except InvalidError as error:
        raise InvalidError(f"{where('guards', default.name)}: {error}") from None


def _count(text: str) -> float:
    if not text.isdigit():
        raise InvalidError(f"read count '{text}'; accepted: a whole number such as 0")
    return float(text)
