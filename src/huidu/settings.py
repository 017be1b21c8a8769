"""`huidu.yaml`: read once, checked whole, refused with the line, what was read and what is accepted.

Any setting can be overridden by environment: `HUIDU_CONTROL__LISTEN` stands for `control.listen`.
"""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from huidu.core.audience import Audience, CookieRule, HeaderRule, Matcher
from huidu.core.errors import InvalidError
from huidu.core.plan import (
    DEFAULT_GUARDS,
    DEFAULT_PLAN,
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
)
from huidu.core.version import Version

ENVIRONMENT_PREFIX = "HUIDU_"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


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


def service_url(text: str) -> Address:
    """`http://10.0.0.5:7860` as its address. Raises `InvalidError`."""
    found = re.fullmatch(r"http://([^/?#@]+?)/?", text)
    if not found:
        raise InvalidError(f"read url '{text}'; accepted: http://HOST:PORT without a path")
    return address(found[1] if ":" in found[1] else f"{found[1]}:80")


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


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class GatewaySettings(_Strict):
    """The reverse proxy in front."""

    listen: Listen = Address("0.0.0.0", 8080)
    engine: Literal["envoy"] = "envoy"
    max_upload: Bytes = 2 * 10**9
    retry_body: Bytes = 32 * 10**6
    max_fallbacks: int = Field(default=256, ge=1)


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


class VersionSettings(_Strict):
    """A decoding bundle to run, or the address of a service that already runs."""

    engine: Literal["sherpa-onnx"] = "sherpa-onnx"
    model: str | None = None
    device: str = Field(default="cpu", pattern=r"^(cpu|cuda:\d+)$")
    hotwords: str | None = None
    url: Annotated[Address, _parsed(service_url)] | None = None
    memory: Bytes | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "VersionSettings":
        if (self.model is None) == (self.url is None):
            raise ValueError("read neither or both of model and url; accepted: one of them")
        return self


class MatcherSettings(_Strict):
    """One rule of an audience."""

    cookie: str | None = None
    header: dict[str, str] | None = None

    @model_validator(mode="after")
    def _one_rule(self) -> "MatcherSettings":
        if (self.cookie is None) == (self.header is None):
            raise ValueError("read neither or both of cookie and header; accepted: one of them")
        name = self.cookie.split("=", 1)[0] if self.cookie is not None else "".join(self.header or {})
        if not _TOKEN.fullmatch(name) or len(self.header or {"": ""}) != 1:
            raise ValueError(f"read name '{name}'; accepted: one cookie (NAME or NAME=VALUE) or one header name")
        return self

    def matcher(self) -> Matcher:
        if self.cookie is not None:
            name, equals, value = self.cookie.partition("=")
            return CookieRule(name, value if equals else None)
        ((name, value),) = (self.header or {}).items()
        return HeaderRule(name.lower(), value)


class AudienceSettings(_Strict):
    """Who gets the candidate beside the share."""

    key: list[Literal["cookie"]] = ["cookie"]
    exclude: list[MatcherSettings] = []
    include: list[MatcherSettings] = []
    among: Literal["everyone"] = "everyone"


class GoldenSettings(_Strict):
    set: str
    undecided: Undecided = Undecided.ASK


class StageSettings(_Strict):
    """`{golden: {set: …}}` or `{share: 5%, for: 30m, at_least: 500}`."""

    golden: GoldenSettings | None = None
    share: ShareBp | None = None
    duration: Seconds | None = Field(default=None, alias="for")
    at_least: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _one_kind(self) -> "StageSettings":
        if (self.golden is None) == (self.share is None):
            raise ValueError("read neither or both of golden and share; accepted: one of them")
        if self.share is not None and self.duration is None:
            raise ValueError("read a share without 'for'; accepted: such as {share: 5%, for: 30m}")
        if self.golden is not None and (self.duration is not None or self.at_least):
            raise ValueError("read 'for' or 'at_least' beside golden; accepted: {golden: {set: FILE, undecided: ask}}")
        return self

    def stage(self, base: Path) -> Stage:
        if self.golden is not None:
            return Golden(str(base / self.golden.set), self.golden.undecided)
        assert self.share is not None
        assert self.duration is not None
        return Share(self.share, self.duration, self.at_least)


class GuardSettings(_Strict):
    """The two numbers of a guard, as text until its kind is known."""

    fail_above: str | int | None = None
    at_most: str | int | None = None
    quantile: str | None = None


class _File(_Strict):
    data: str = "./data"
    gateway: GatewaySettings = GatewaySettings()
    control: ControlSettings = ControlSettings()
    instances: InstanceSettings = InstanceSettings()
    admission: AdmissionSettings = AdmissionSettings()
    versions: dict[str, VersionSettings] = Field(min_length=1)
    stable: str
    audience: AudienceSettings = AudienceSettings()
    plan: list[StageSettings] | None = None
    guards: dict[str, GuardSettings] = {}
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


def load(path: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """Reads and checks a configuration file. Raises `InvalidError` with one line for the first thing wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InvalidError(
            f"{path} does not exist; accepted: a configuration file, such as `huidu init` writes"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidError(f"{path} cannot be read ({error}); accepted: a UTF-8 text file") from None
    tree, lines = _tree(text, path)
    _override(tree, lines, environment)
    where = _Where(path, lines)
    try:
        read = _File.model_validate(tree)
    except ValidationError as error:
        raise _refusal(error, where) from None
    return _settings(read, path.resolve(), where)


class _Where:
    """Says where in the file something stands: by its path of keys, to the nearest known line."""

    def __init__(self, path: Path, lines: dict[tuple[str | int, ...], int | str]):
        self._path, self._lines = path, lines

    def __call__(self, *keys: str | int) -> str:
        for length in range(len(keys), -1, -1):
            line = self._lines.get(tuple(keys[:length]))
            if isinstance(line, str):
                return line
            if line is not None:
                return f"{self._path.name}:{line}"
        return self._path.name


def _tree(text: str, path: Path) -> tuple[dict[str, Any], dict[tuple[str | int, ...], int | str]]:
    """The file's plain values, and the line of each by its path of keys."""
    lines: dict[tuple[str | int, ...], int | str] = {}
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise InvalidError(f"{path.name}:1: read no mapping; accepted: keys such as versions and stable")
        value = _value(loader, node, (), lines, path)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidError(f"{path.name}:{line}: not YAML: {error.problem}; accepted: key: value") from None
    except yaml.YAMLError as error:
        raise InvalidError(f"{path.name}: not YAML: {' '.join(str(error).split())}") from None
    finally:
        loader.dispose()
    return dict(value), lines


def _value(
    loader: yaml.SafeLoader,
    node: yaml.Node,
    keys: tuple[str | int, ...],
    lines: dict[tuple[str | int, ...], int | str],
    path: Path,
) -> Any:
    lines[keys] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        return [_value(loader, child, (*keys, index), lines, path) for index, child in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return loader.construct_object(node)
    found: dict[str, Any] = {}
    for key_node, child in node.value:
        key = str(loader.construct_object(key_node))
        if key in found:
            raise InvalidError(f"{path.name}:{key_node.start_mark.line + 1}: key '{key}' stands twice; accepted: once")
        found[key] = _value(loader, child, (*keys, key), lines, path)
        lines[(*keys, key)] = key_node.start_mark.line + 1
    return found


def _override(
    tree: dict[str, Any], lines: dict[tuple[str | int, ...], int | str], environment: Mapping[str, str]
) -> None:
    for name, value in environment.items():
        keys = tuple(name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__"))
        if not name.startswith(ENVIRONMENT_PREFIX) or keys[0] not in _File.model_fields:
            continue
        inner = tree
        for key in keys[:-1]:
            inner = inner.setdefault(key, {})
            if not isinstance(inner, dict):
                raise InvalidError(f"environment {name}: {key} holds no keys; accepted: the path of a setting")
        inner[keys[-1]] = yaml.safe_load(value)
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
        "versions": VersionSettings,
        "audience": AudienceSettings,
        "include": MatcherSettings,
        "exclude": MatcherSettings,
        "plan": StageSettings,
        "golden": GoldenSettings,
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
        audience=Audience(
            tuple(rule.matcher() for rule in read.audience.exclude),
            tuple(rule.matcher() for rule in read.audience.include),
        ),
        plan=_plan(read, base, where),
        rules=_rules(read, where),
    )


def _version(name: str, read: VersionSettings, base: Path) -> Version:
    return Version(
        name,
        engine=read.engine,
        model=str((base / read.model).resolve()) if read.model else None,
        device=read.device,
        hotwords=str((base / read.hotwords).resolve()) if read.hotwords else None,
        url=str(read.url) if read.url else None,
        memory_bytes=read.memory,
    )


def _plan(read: _File, base: Path, where: _Where) -> Plan:
    if read.plan is None:
        return DEFAULT_PLAN
    try:
        return Plan(tuple(stage.stage(base) for stage in read.plan))
    except InvalidError as error:
        raise InvalidError(f"{where('plan')}: {error}") from None


def _rules(read: _File, where: _Where) -> Rules:
    known = {guard.name: guard for guard in DEFAULT_GUARDS}
    for name in read.guards:
        if name not in known:
            raise InvalidError(f"{where('guards', name)}: unknown guard '{name}'; accepted: {', '.join(sorted(known))}")
    guards = tuple(_guard(guard, read.guards.get(guard.name), where) for guard in DEFAULT_GUARDS)
    try:
        return Rules(guards, read.alpha, read.beta)
    except InvalidError as error:
        raise InvalidError(f"{where(str(error).split()[0])}: {error}") from None


def _guard(default: Guard, read: GuardSettings | None, where: _Where) -> Guard:
    if read is None:
        return default
    parse = {Measure.DIFFERENCE: difference, Measure.RATIO: ratio, Measure.COUNT: _count}[default.measure]

    def number(key: Literal["fail_above", "at_most"], fallback: float | None) -> float | None:
        value = getattr(read, key)
        try:
            return fallback if value is None else parse(str(value))
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
        return Guard(default.name, default.measure, fail_above, at_most, level)
    except InvalidError as error:
        raise InvalidError(f"{where('guards', default.name)}: {error}") from None


def _count(text: str) -> float:
    if not text.isdigit():
        raise InvalidError(f"read count '{text}'; accepted: a whole number such as 0")
    return float(text)
