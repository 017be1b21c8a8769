"""Chooses what stands behind each port: the only module that names concrete adapters."""

import hashlib
import logging
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version as package_version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from huidu import __version__
from huidu.adapters.engines.sherpa import SherpaEngine, family_of, provider_of
from huidu.core.errors import (
    HuiduError,
    InvalidError,
    RefusedError,
    TakenOverError,
    UnavailableError,
    unknown_name,
)
from huidu.core.places import Places
from huidu.core.spool import Head
from huidu.core.version import Version, fingerprint
from huidu.owner import Token, make_token
from huidu.ports import AudioReader, Engine, History, Runtime, Sockets
from huidu.settings import Settings, load
from huidu.settings_changes import Running, changes, lines

if TYPE_CHECKING:
    from fastapi import FastAPI
    from sqlalchemy import Engine as DatabaseEngine
    from starlette.types import ASGIApp

    from huidu.adapters.gateways.gateway import FileGateway
    from huidu.adapters.runtimes.instance import HttpInstance
    from huidu.adapters.store.pruning import Size
    from huidu.adapters.store.releases import SqlStore
    from huidu.control.controller import Controller
    from huidu.control.parts import Config
    from huidu.control.retention import Retention
    from huidu.core.formats.keys import Asked
    from huidu.core.testset import TestSet, Utterance
    from huidu.evaluation.recognise import Transcribe
    from huidu.recognition.crowd import CrowdLimits
    from huidu.recognition.recorder import Recorder
    from huidu.recognition.transcribe import InstanceInfo, Limits

_LOG = logging.getLogger(__name__)
_Port = TypeVar("_Port")

# Engines by the name that configurations use, with the package whose version enters the fingerprint.
_ENGINE_PACKAGES = {SherpaEngine.name: "sherpa-onnx"}
_ENGINES = {SherpaEngine.name: SherpaEngine}
# A store that others hold must keep no command waiting: what is refused is written at a later tick.
_CONTROL_BUSY_SECONDS = 0.1
# An installation that works holds the lock for moments.
_LOOK_BUSY_SECONDS = 1.5
_ENGINE_OPTIONS = {"num_threads": 1}


def check_version(version: Version) -> None:
    """Raises `InvalidError` when the version names no engine, device, model directory or hotwords that could run.

    Of one that runs elsewhere only the authorities of its certificate are files of ours.
    """
    if not version.managed:
        from huidu.adapters.runtimes.instance import HttpInstance

        HttpInstance().trust([version.ca] if version.ca else [])
        return
    _model_files(version)
    provider_of(version.device)
    read_hotwords(version)


def make_engine(version: Version) -> Engine:
    """The loaded engine of a version. Raises `InvalidError`."""
    _model_files(version)
    return SherpaEngine(Path(version.model or ""), version.device, **_ENGINE_OPTIONS)


def make_reader() -> AudioReader:
    from huidu.adapters.audio.soundfile_reader import SoundfileReader

    return SoundfileReader()


def make_history(data: Path, migrate: bool = False, busy_seconds: float | None = None) -> History:
    """The history of a data folder, made where there is none. Raises `InvalidError` and `UnavailableError`."""
    from huidu.adapters.store.database import open_database
    from huidu.adapters.store.history import SqlHistory

    return SqlHistory(open_database(data, migrate, busy_seconds))


def make_sockets(data: Path, migrate: bool = False, busy_seconds: float | None = None) -> Sockets:
    """The reports of sockets in a data folder. Raises `InvalidError` and `UnavailableError`.

    Where the schema is older than they are they refuse with `UnavailableError`, and whoever reports goes on without.
    """
    from huidu.adapters.store.database import open_database
    from huidu.adapters.store.sockets import SqlSockets

    return SqlSockets(open_database(data, migrate, busy_seconds))


def read_hotwords(version: Version) -> bytes:
    """The hotwords file of a version, one word on each line; empty where it has none. Raises `InvalidError`."""
    if version.hotwords is None:
        return b""
    try:
        content = Path(version.hotwords).read_bytes()
        content.decode()
    except OSError as error:
        raise InvalidError(f"the hotwords file {version.hotwords} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidError(f"the hotwords file {version.hotwords} is not UTF-8 text; one word on each line") from error
    return content


def ignored_options(version: Version) -> tuple[str, ...]:
    """What a version is configured with that its engine does not honour. Raises `InvalidError`."""
    if not version.managed or version.hotwords is None:
        return ()
    return () if "hotwords" in _engine_class(version).honours else ("hotwords",)


def ignored_words(version: Version) -> str | None:
    """The same as one line for people; None where all counts."""
    if not (names := ignored_options(version)):
        return None
    return f"version {version.name}: engine {version.engine} ignores {', '.join(names)}"


def _engine_class(version: Version) -> type[SherpaEngine]:
    if version.engine not in _ENGINES:
        raise unknown_name("engine", version.engine, list(_ENGINES))
    return _ENGINES[version.engine]


def version_fingerprint(version: Version) -> str:
    """The fingerprint of everything that a version decodes with; the same files elsewhere give the same.

    Hotwords that the engine does not honour change nothing in a text, and so nothing here.
    """
    bundle = {
        "engine": version.engine,
        "engine_version": package_version(_ENGINE_PACKAGES[version.engine]),
        "huidu": __version__,
        "device": version.device,
        "options": _ENGINE_OPTIONS,
        # Digests instead of contents: a model can be larger than memory allows to hold twice.
        "model": {path.name: _digest(path) for path in _model_files(version)},
    }
    counts = version.hotwords is not None and "hotwords" not in ignored_options(version)
    return fingerprint(bundle, {"hotwords": read_hotwords(version)} if counts else {})


def instance_info(version: Version) -> "InstanceInfo":
    from huidu.recognition.transcribe import InstanceInfo

    return InstanceInfo(
        version=version.name,
        fingerprint=version_fingerprint(version),
        engine=version.engine,
        device=version.device,
        model=str(version.model),
        huidu=__version__,
    )


def instance_app(
    version: Version,
    data: Path,
    limits: "Limits",
    on_failure: Callable[[HuiduError], None] = lambda _: None,
    crowd: "CrowdLimits | None" = None,
) -> "FastAPI":
    """The recognition service of one version. `on_failure` hears when its model cannot be loaded after all."""
    from huidu.adapters.spool.folder import SpoolFolder
    from huidu.recognition.app import create_app
    from huidu.recognition.crowd import CrowdLimits
    from huidu.recognition.transcribe import Service

    info = instance_info(version)
    history = _opened_or_awaited(lambda: make_history(data))
    words = [word for line in read_hotwords(version).decode().splitlines() if (word := line.strip())]
    service = Service(
        load=lambda: make_engine(version),
        reader=make_reader(),
        history=history,
        info=info,
        limits=limits,
        hotwords=tuple(words),
        on_failure=on_failure,
        spools=SpoolFolder(Places(data).spool, version.name),
        honours=_engine_class(version).honours,
    )
    token = make_token(Places(data.resolve()))
    return create_app(
        service,
        history,
        info,
        limits,
        sockets=_opened_or_awaited(lambda: make_sockets(data)),
        opens=token.opens,
        crowd_limits=crowd or CrowdLimits(),
    )


def _opened_or_awaited(make: Callable[[], _Port]) -> _Port:
    """The port, or what stands for it until the store can be opened: recognition does not wait for that."""
    from huidu.adapters.store.opening import Opening

    try:
        return make()
    except UnavailableError as error:
        _LOG.warning("starting without the history: %s", error)
        return cast("_Port", Opening(make))


def spooled(data: Path) -> list[Head]:
    """What each spool of a data folder says of itself."""
    from huidu.adapters.spool.folder import heads

    return heads(Places(data).spool)


def replay_left(data: Path) -> "Recorder":
    """Brings into the history what instances left in their spools that ended; begins when started."""
    from huidu.adapters.spool.folder import SpoolFolder
    from huidu.recognition.recorder import Recorder

    return Recorder(_opened_or_awaited(lambda: make_history(data)), SpoolFolder(Places(data).spool, None))


def _model_files(version: Version) -> list[Path]:
    _engine_class(version)
    if not version.model:
        raise InvalidError(f"version '{version.name}' names no model; give the directory that holds it")
    return sorted(family_of(Path(version.model)).files.values())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def config_of(settings: "Settings") -> "Config":
    """What control takes from a configuration."""
    from huidu.control.parts import Config

    return Config(
        versions=settings.versions,
        stable=settings.stable,
        audience=settings.audience,
        plan=settings.plan,
        rules=settings.rules,
        share_expiry_seconds=settings.control.share_expiry,
        reserve_bytes=settings.admission.reserve,
        first_address=(settings.instances.listen.host, settings.instances.listen.port),
        move_streams=settings.gateway.drain == "move",
        drain_limit_seconds=settings.gateway.drain_limit,
        hang_after_seconds=settings.gateway.hang_after,
        sees_messages=settings.gateway.engine != "nginx",
        keep_texts_seconds=settings.retention.texts,
    )


def make_gateway(settings: "Settings", engine: str | None = None) -> "FileGateway":
    """The gateway of an installation; `engine` asks for another kind than the configuration names."""
    from huidu.adapters.gateways.envoy.gateway import EnvoyGateway
    from huidu.adapters.gateways.nginx.gateway import NginxGateway
    from huidu.adapters.gateways.place import Place, Tls

    read, base = settings.gateway, settings.path.parent
    tls = Tls(str((base / read.tls.certificate).resolve()), str((base / read.tls.key).resolve())) if read.tls else None
    place = Place(
        listen_host=read.listen.host,
        listen_port=read.listen.port,
        max_upload_bytes=read.max_upload,
        retry_body_bytes=read.retry_body,
        hang_after_seconds=read.hang_after,
        max_fallbacks=read.max_fallbacks,
        max_header_bytes=read.max_header,
        trusted_proxies=tuple(read.trusted_proxies),
        recognition_paths=tuple(read.recognition_paths),
        tls=tls,
    )
    kinds: dict[str, Callable[[Places, Place], FileGateway]] = {"envoy": EnvoyGateway, "nginx": NginxGateway}
    return kinds[engine or read.engine](Places(settings.data), place)


def nginx_findings() -> tuple[str, str]:
    """For `doctor`: what was found of nginx, and what to do about it; empty where nothing is."""
    from huidu.adapters.gateways.nginx.binary import INSTALL, find_nginx_with_lua

    try:
        return f"{find_nginx_with_lua().path} with Lua", ""
    except HuiduError as error:
        return str(error), INSTALL


def make_store(data: Path) -> "SqlStore":
    """The store of control, brought to the newest schema; a damaged one is set aside for a new one."""
    from huidu.adapters.store.database import FILE_NAME, open_database
    from huidu.adapters.store.mending import mended
    from huidu.adapters.store.releases import SqlStore

    lost = mended(data, FILE_NAME, time.time())
    if lost is not None:
        _LOG.error("%s; a new one begins", lost)
    return SqlStore(open_database(data, True, _CONTROL_BUSY_SECONDS), lost or "")


def make_runtime(settings: "Settings") -> "Runtime":
    """supervisord's where Huidu runs processes of its own; none where all versions are URLs."""
    from huidu.adapters.runtimes.supervisor import NoRuntime, SupervisorRuntime

    if any(version.managed for version in settings.versions.values()):
        return SupervisorRuntime(Places(settings.data), settings.gateway.max_upload)
    return NoRuntime()


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


def read_set(path: Path, name: str | None = None, asked: "Asked | None" = None) -> "TestSet":
    """The test set at a path; `asked` names its columns where they cannot be told.

    Raises `SetError` with everything that is wrong with it.
    """
    from huidu.adapters.testsets.reader import read_test_set

    return read_test_set(path, name, asked)


@contextmanager
def reached(version: Version) -> Iterator[tuple[str | None, "Transcribe"]]:
    """A version ready to be evaluated: its fingerprint, None where it tells none, and what gives its texts.

    One that Huidu runs is started for the purpose and ended. Raises `UnavailableError` when it cannot be reached.
    """
    from huidu.adapters.runtimes.child import child_instance
    from huidu.adapters.runtimes.instance import HttpInstance

    instance = HttpInstance()
    if not version.managed:
        instance.trust([version.ca] if version.ca else [])
        address = version.urls[0]
        if not instance.ready(address):
            raise UnavailableError(f"version {version.name} does not answer at {address}; accepted: one that is ready")
        yield instance.fingerprint(address), lambda found: _transcribed(instance, address, found)
        return
    fingerprint = version_fingerprint(version)
    with child_instance(version, fingerprint) as child:

        def transcribe(found: "Utterance") -> str:
            try:
                return _transcribed(instance, child.address, found)
            except UnavailableError:
                if (status := child.ended()) is None:
                    raise
                raise RefusedError(
                    f"version {version.name} ended (status {status}) as it recognised {found.id}; accepted: one that "
                    "stays up; what it heard so far is kept"
                ) from None

        yield fingerprint, transcribe


def _transcribed(instance: "HttpInstance", address: str, found: "Utterance") -> str:
    request_id = f"eval-{found.audio_sha256[:16]}-{uuid.uuid4().hex[:12]}"
    # A meeting of two hours takes its time; nobody waits for it as a user would.
    return instance.transcribe(address, found.audio, request_id, timeout_seconds=max(60.0, 10 * found.audio_seconds))


def probe_clip(data: Path) -> Path | None:
    """A second or two of the demo kit's speech as WAV, which every service reads; None where there is no kit."""
    import soundfile

    made, kit = Places(data).run / "probe.wav", Path(__file__).parent / "demo" / "kit"
    if made.exists():
        return made
    try:
        header, first = (kit / "test.tsv").read_text(encoding="utf-8").splitlines()[:2]
        audio = kit / first.split("\t")[header.split("\t").index("audio")]
        samples, rate_hz = soundfile.read(audio, dtype="int16")
        aside = made.with_suffix(".new.wav")
        soundfile.write(aside, samples, rate_hz)
        aside.rename(made)
    except (OSError, ValueError, IndexError, soundfile.LibsndfileError):
        return None
    return made


def make_controller(settings: "Settings", gateway: "FileGateway", store: "SqlStore") -> "Controller":
    from huidu.adapters.gateways.log import GatewayLogFiles
    from huidu.adapters.runtimes.instance import HttpInstance
    from huidu.control.controller import Controller
    from huidu.control.parts import Parts

    parts = Parts(
        store=store,
        history=make_history(settings.data, busy_seconds=_CONTROL_BUSY_SECONDS),
        sockets=make_sockets(settings.data, busy_seconds=_CONTROL_BUSY_SECONDS),
        gateway=gateway,
        log=GatewayLogFiles(Places(settings.data).gateway_log, gateway.reopen_log, settings.gateway.log_rotate),
        runtime=make_runtime(settings),
        instance=HttpInstance(Token(Places(settings.data)).for_address),
        clock=SystemClock(),
        check=check_version,
        read_set=read_set,
        clip=lambda: probe_clip(settings.data),
        salt=lambda: secrets.token_hex(8),
        spooled=lambda: spooled(settings.data),
    )
    return Controller(parts, config_of(settings))


def make_retention(
    settings: "Settings",
    engine: "DatabaseEngine",
    keep_seconds: Callable[[], float | None],
    wait: Callable[[float], bool] = lambda _: False,
) -> "Retention":
    """What prunes an installation; `keep_seconds` says how long texts are kept now, None for ever."""
    from huidu.adapters.gateways.refused import tidy_refused_log
    from huidu.adapters.store.pruning import SqlPruning
    from huidu.control.retention import Retention
    from huidu.evaluation.heard import forget

    store, reopen = SqlPruning(engine, settings.data), make_gateway(settings).reopen_log
    refused = Places(settings.data).logs / "gateway-refused.jsonl"

    def tidy_log(now: float, keep: float | None) -> None:
        if keep is not None:
            tidy_refused_log(refused, reopen, now, keep)

    def tidy_heard(now: float, keep: float | None) -> None:
        if keep is not None:
            forget(settings.data / "evaluation", now - keep)

    return Retention(store, SystemClock(), keep_seconds, (tidy_log, tidy_heard, store.forget_copies), wait)


def history_size(data: Path) -> "Size | None":
    """How large the history of a data folder is; None where there is none. Raises `UnavailableError`."""
    from huidu.adapters.store.observed import open_existing
    from huidu.adapters.store.pruning import SqlPruning

    try:
        engine = open_existing(data)
    except InvalidError:
        return None
    try:
        return SqlPruning(engine, data).size(time.time())
    finally:
        engine.dispose()


def store_refusal(data: Path) -> str | None:
    """Why the database of an installation takes nothing now, in words; None where it does, or where none runs yet."""
    from huidu.adapters.store.database import FILE_NAME, connected, writing

    file = data / FILE_NAME
    if not Places(data).gateway.exists():
        return None
    if not file.is_file():
        return f"{file} is {'no file' if file.exists() else 'gone'}"
    engine = connected(file, _LOOK_BUSY_SECONDS)
    try:
        with writing(engine):
            return None
    except UnavailableError as error:
        return str(error)
    finally:
        engine.dispose()


def begin_control(settings: "Settings", gateway: "FileGateway") -> "tuple[SqlStore, Controller]":
    """The store, claimed, and the one that writes it. Raises `UnavailableError` where the store cannot be read now."""
    store = make_store(settings.data)
    try:
        # Before anything is read: what another control has not written by now it never will.
        store.claim()
    except TakenOverError:
        raise
    except UnavailableError as error:
        # Nobody else writes either; what is written first claims it.
        _LOG.warning("%s; control goes on without for now", error)
    return store, make_controller(settings, gateway, store)


class ConfigFile:
    """The configuration file of a control that runs: read again, taken over, and told what came of it."""

    def __init__(self, settings: "Settings", controller: "Controller"):
        self._started = self._taken = settings
        self._controller = controller
        self._lock = threading.Lock()

    def apply(self) -> dict[str, Any]:
        """Takes the file over; returns what `settings_changes.changes` says. Raises `InvalidError`, `RefusedError`."""
        with self._lock:
            read = load(self._started.path)
            fleet = self._controller.view.fleet
            candidate = fleet.release.candidate if fleet.release else None
            running = Running(frozenset(filter(None, (fleet.stable, fleet.previous))), candidate)
            self._controller.reconfigure(config_of(read))
            found = changes(self._started, self._taken, read, running)
            self._taken = read
        for line in lines(found):
            _LOG.info("%s: %s", read.path.name, line)
        return found


def control_app(
    controller: "Controller",
    gateway: "FileGateway",
    store: "SqlStore",
    file: ConfigFile,
    on_taken_over: Callable[[TakenOverError], None],
    places: Places,
    socket: str | None,
    retention: Callable[[], dict[str, Any]],
) -> "ASGIApp":
    """Control's HTTP face behind its doors; `socket` is where its Unix socket lies, None where it has none."""
    from huidu.control.app import create_app
    from huidu.control.doors import Doors

    app = create_app(controller, store, gateway, SystemClock(), file.apply, on_taken_over, retention)
    return Doors(app, socket, make_token(places).opens)
