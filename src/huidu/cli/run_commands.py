"""`huidu up`, `huidu control`, `huidu serve`: what stays running."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeVar

import typer

from huidu.cli import emergency
from huidu.cli.app import DEFAULT_CONFIG, ConfigOption, app
from huidu.cli.doors import listening
from huidu.cli.open_files import raise_open_files
from huidu.cli.serve import DEFAULT_QUEUE_LIMIT, DEFAULT_WORKERS, close_to_others, listen, serve
from huidu.control.alone import alone
from huidu.core import codec
from huidu.core.alarms import SHARE_ENDS_SECONDS
from huidu.core.errors import HuiduError, RefusedError, TakenOverError, UnavailableError, unknown_name
from huidu.core.places import Places, make_sockets
from huidu.core.routes import Routes
from huidu.core.version import Version
from huidu.files import write_aside
from huidu.owner import make_token
from huidu.ports import Gateway
from huidu.settings import Settings, load

if TYPE_CHECKING:
    from huidu.wire import ConfigFile

_T = TypeVar("_T")
_LOG = logging.getLogger(__name__)

_TICK_SECONDS = 0.5
_READY_SECONDS = 180.0


@app.command("serve")
def serve_version(
    model_path: Annotated[Path, typer.Option(help="The directory that holds the model.")],
    version: Annotated[str, typer.Option(help="The name that recognitions are tagged with.")],
    device: Annotated[str, typer.Option(help="cpu or cuda:N.")] = "cpu",
    engine: Annotated[str, typer.Option(help="Which engine decodes.")] = "sherpa-onnx",
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Where to listen.")] = 7860,
    data: Annotated[Path, typer.Option(help="The data folder, for the history.")] = Path("data"),
    hotwords: Annotated[Path | None, typer.Option(help="A file with one word on each line.")] = None,
    max_upload_bytes: Annotated[int, typer.Option(help="A larger upload is refused.")] = 2_000_000_000,
    workers: Annotated[int, typer.Option(help="Decoding threads.")] = DEFAULT_WORKERS,
    queue_limit: Annotated[
        int, typer.Option(help="Requests that may wait; more are refused with 503.")
    ] = DEFAULT_QUEUE_LIMIT,
) -> None:
    """Serve one version of a model. Example: huidu serve --model-path models/v2 --version v2 --port 7861"""
    serve(model_path, version, device, engine, host, port, data, hotwords, max_upload_bytes, workers, queue_limit)


@app.command()
def up(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Run everything on this machine: gateway, instances, control. Example: huidu up"""
    settings = load(config)
    places = Places(settings.data)
    _refuse_second(places)
    _check_ports(settings)
    close_to_others(places)
    with alone(places):
        supervisor_config, begun = _lay_out(settings, places)
    command = [sys.executable, "-m", "huidu.adapters.runtimes.supervisord", "-c", str(supervisor_config)]
    # A group of its own: Ctrl-C reaches `up` alone, which then ends the rest in order.
    supervisord = subprocess.Popen(command, start_new_session=True)
    threading.Thread(target=_announce, args=(settings, begun), daemon=True).start()
    raise typer.Exit(_wait(supervisord))


def _refuse_second(places: Places) -> None:
    from huidu.adapters.runtimes.supervisor import SupervisorRuntime

    try:
        SupervisorRuntime(places, 0).processes()
    except UnavailableError:
        return
    raise RefusedError(f"`huidu up` runs already for {places.data}; accepted: one for each data folder")


def _check_ports(settings: Settings) -> None:
    for host, port in (settings.gateway.listen, settings.control.listen):
        listen(host, port).close()


class _Startable(Gateway, Protocol):
    """A gateway that `up` starts."""

    def prepare(self, routes: Routes) -> None: ...


@dataclass(frozen=True, slots=True)
class _Begun:
    """With what everything starts: the processes of versions, the stable version, and whether control must wait."""

    running: list[tuple[Version, str]]
    stable: str
    stable_address: str
    waits: bool = False


def _lay_out(settings: Settings, places: Places) -> tuple[Path, _Begun]:
    """Writes what supervisord and the gateway start from; returns supervisord's file and with what it all starts."""
    from huidu import wire
    from huidu.adapters.runtimes.supervisor import write_configuration, write_instance

    # Left by an earlier run: nobody listens there now.
    for left in (places.control_file, places.control_socket):
        left.unlink(missing_ok=True)
    gateway = wire.make_gateway(settings)
    # It is never made up anew, and without it nothing that a gateway starts from can be written.
    gateway.secret()
    try:
        begun = _as_stored(settings)
    except TakenOverError:
        raise
    except UnavailableError as error:
        begun = _as_in_force(settings, gateway, error)
    control = [sys.executable, "-m", "huidu", "control", "--config", str(settings.path)]
    managed = [(version, address) for version, address in begun.running if version.managed]
    path = write_configuration(places, gateway.command(), control, [version.name for version, _ in managed])
    for version, address in managed:
        write_instance(places, version, address, settings.gateway.max_upload)
    return path, begun


def _as_stored(settings: Settings) -> _Begun:
    """As the store says. Raises `UnavailableError` where it, or the disk, refuses."""
    from huidu import wire

    gateway = wire.make_gateway(settings)
    controller = wire.make_controller(settings, gateway, wire.make_store(settings.data))
    routes = controller.awake()
    fleet = controller.view.fleet
    for version, _ in controller.running():
        if version.managed and version.name == fleet.stable:
            wire.check_version(version)
    try:
        gateway.prepare(routes)
    except OSError as error:
        raise UnavailableError(f"{error.filename or settings.data} cannot be written ({error.strerror})") from error
    return _Begun(controller.running(), fleet.stable, fleet.address(fleet.stable))


def _as_in_force(settings: Settings, gateway: _Startable, why: UnavailableError) -> _Begun:
    """As the routes in force say, where the store refuses: recognition does not wait for that, and control does.

    Raises what the store said where there are no routes, and `UnavailableError` where somebody else has a port.
    """
    from huidu.adapters.runtimes.supervisor import port_is_free

    routes = gateway.routes()
    if routes is None:
        raise why
    running = []
    for upstream in routes.upstreams:
        if upstream.version not in settings.versions:
            if upstream.version == routes.stable:
                raise unknown_name("version", upstream.version, list(settings.versions))
            continue
        address = upstream.addresses[0]
        host, _, port = address.rpartition(":")
        if upstream.managed and not port_is_free(host.strip("[]"), int(port)):
            # Another one is chosen with the store's knowledge alone.
            raise UnavailableError(f"{why}; and somebody else listens at {address}, where {upstream.version} was")
        running.append((settings.versions[upstream.version], address))
    # Where the disk refuses, what lies there is what the gateway ran with.
    with suppress(OSError, UnavailableError):
        # The share begins expired, as always: nobody watches yet.
        gateway.prepare(replace(routes, expires_at=0.0 if routes.candidate else None, issued_at=None))
    stable = routes.upstream(routes.stable)
    assert stable is not None
    print(
        f"huidu: {why}: {routes.stable} is the stable version, as the routes in force say; control waits for the store",
        file=sys.stderr,
        flush=True,
    )
    return _Begun(running, routes.stable, stable.addresses[0], waits=True)


def _announce(settings: Settings, begun: _Begun) -> None:
    """Says when the stable version can be used."""
    from huidu.adapters.runtimes.instance import HttpInstance

    host = "127.0.0.1" if settings.gateway.listen.host in ("0.0.0.0", "::") else settings.gateway.listen.host
    print(f"starting; logs in {settings.data / 'logs'}", file=sys.stderr, flush=True)
    instance, waited = HttpInstance(), threading.Event()
    for _ in range(int(_READY_SECONDS / 0.2)):
        answers = _accepts(host, settings.gateway.listen.port) and instance.ready(begun.stable_address)
        if answers and (begun.waits or _control_answers(Places(settings.data))):
            control = "control waits for the store" if begun.waits else f"control at http://{settings.control.listen}"
            print(
                f"ready: recognition at http://{host}:{settings.gateway.listen.port}, {control}",
                file=sys.stderr,
                flush=True,
            )
            return
        waited.wait(0.2)
    print(f"not everything is ready yet; see the logs in {settings.data / 'logs'}", file=sys.stderr, flush=True)


def _accepts(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1.0):
            return True
    except OSError:
        return False


def _control_answers(places: Places) -> bool:
    try:
        emergency.ask(places, "GET", "/api/v1/status", None, 1.0)
    except emergency.NoAnswerError:
        return False
    return True


def _wait(supervisord: "subprocess.Popen[bytes]") -> int:
    """Waits for supervisord, passing on the wish to end."""

    def stop(number: int, frame: FrameType | None) -> None:
        supervisord.terminate()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    code = supervisord.wait()
    return 0 if code in (0, -signal.SIGTERM) else 1


@app.command()
def control(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Run the controller alone. Example: huidu control"""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = load(config)
    places = Places(settings.data)
    raise_open_files()
    close_to_others(places)
    with alone(places), ExitStack() as ends:
        make_token(places)
        make_sockets(places)
        port = ends.enter_context(listen(*settings.control.listen))
        door: socket.socket | None = None
        try:
            door = ends.enter_context(listening(places.control_socket))
        except UnavailableError as error:
            # A disk without Unix sockets, perhaps: whoever owns the data folder still has the port, by the token.
            _LOG.warning("%s; commands go to its port", error)
        _control(settings, places, port, door)


def _control(settings: Settings, places: Places, port: socket.socket, door: socket.socket | None) -> None:
    import uvicorn

    from huidu import wire
    from huidu.adapters.store.observed import open_existing
    from huidu.control.loop import Loop
    from huidu.control.queries import status
    from huidu.control.retention import Retention, RetentionLoop

    gateway = wire.make_gateway(settings)
    store, controller = _patiently(lambda: wire.begin_control(settings, gateway), gateway)
    if gateway.routes() is None:
        gateway.prepare(controller.awake())
    clock, file = wire.SystemClock(), wire.ConfigFile(settings, controller)
    taken_over: list[TakenOverError] = []

    def end(error: TakenOverError) -> None:
        taken_over.append(error)
        server.should_exit = True

    def keep_seconds() -> float | None:
        return controller.config.keep_texts_seconds

    def make_retention(wait: Callable[[float], bool]) -> Retention:
        return wire.make_retention(settings, open_existing(settings.data), keep_seconds, wait)

    retention = RetentionLoop(make_retention, keep_seconds)

    def tick() -> None:
        controller.tick()
        found = status(controller, gateway.routes(), clock.now()) | {"retention": retention.last()}
        write_aside(places.status_file, codec.sealed(found), durably=False)

    socket_path = str(places.control_socket) if door else None
    app_ = wire.control_app(controller, gateway, store, file, end, places, socket_path, retention.last)
    # Nobody stands in front of control whose word about its clients would count.
    server = uvicorn.Server(
        uvicorn.Config(app_, proxy_headers=False, access_log=False, log_level="warning", timeout_graceful_shutdown=5)
    )
    _say_where(places, {"url": f"http://{settings.control.listen}", "socket": socket_path, "pid": os.getpid()})
    _on_hangup(file)
    beside = (wire.replay_left(settings.data), Loop(tick, _TICK_SECONDS, end), retention)
    for each in beside:
        each.start()
    server.run(sockets=[port, door] if door else [port])
    for each in reversed(beside):
        each.stop()
    if taken_over:
        raise taken_over[0]


def _say_where(places: Places, said: dict[str, Any]) -> None:
    """Where control listens. On a full disk commands find its socket without, and control must not end for it."""
    try:
        write_aside(places.control_file, codec.sealed(said))
    except OSError as error:
        why = error.strerror or error
        _LOG.warning("%s cannot be written (%s): commands find control by its socket", places.control_file, why)


def _patiently(begin: "Callable[[], _T]", gateway: "Gateway") -> "_T":
    """What is begun, as soon as the store lets it. Until then nobody watches: when that lasts, the share ends."""
    waiting, began, said = threading.Event(), time.monotonic(), ""
    while True:
        try:
            return begin()
        except TakenOverError:
            raise
        except UnavailableError as error:
            if str(error) != said:
                said = str(error)
                _LOG.error("control waits for the store: %s", said)
        if time.monotonic() - began >= SHARE_ENDS_SECONDS:
            with suppress(UnavailableError):
                _send_back(gateway)
        waiting.wait(_TICK_SECONDS)


def _send_back(gateway: "Gateway") -> None:
    routes = gateway.routes()
    if routes is not None and routes.candidate is not None:
        _LOG.error("nobody watches %s: everybody is sent back", routes.candidate)
        gateway.go_back()


def _on_hangup(file: "ConfigFile") -> None:
    """SIGHUP reads the file again, as `huidu config apply` does."""

    def reload() -> None:
        try:
            file.apply()
        except HuiduError as error:
            _LOG.error("configuration not taken over: %s", error)

    # A handler must not wait for a lock that the interrupted code holds.
    signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=reload, daemon=True).start())
