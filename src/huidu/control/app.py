"""Control's HTTP face: commands and queries in the one error shape."""

import logging
import uuid
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from huidu.control.controller import Controller
from huidu.control.queries import status
from huidu.control.replay import replay
from huidu.core.errors import (
    HuiduError,
    InvalidError,
    NotFoundError,
    RefusedError,
    TakenOverError,
    UnavailableError,
)
from huidu.core.release import Seen
from huidu.ports import Clock, Gateway, Store

_LOG = logging.getLogger(__name__)
_APPLIED_SECONDS = 1.0
# What an answer needs to reach its asker in time.
_ON_THE_WAY_SECONDS = 0.15

# Until when the asker waits, in epoch seconds.
Deadline = Annotated[float | None, Header()]

STATUS_OF: dict[type[HuiduError], tuple[int, str]] = {
    InvalidError: (400, "invalid"),
    NotFoundError: (404, "not_found"),
    RefusedError: (409, "refused"),
    UnavailableError: (503, "unavailable"),
}


# What is kept in the record and shown on terminals is text.
_PLAIN = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
_Name = Annotated[str, Field(max_length=200, pattern=_PLAIN)]
_Reason = Annotated[str, Field(max_length=2000, pattern=_PLAIN)]
# The numbers that the store can hold.
_Number = Annotated[int, Path(ge=0, lt=2**63)]


class StartCommand(BaseModel):
    model_config = ConfigDict(extra="forbid")
    version: _Name
    by: _Name = "http"
    reason: _Reason = ""


class Command(BaseModel):
    model_config = ConfigDict(extra="forbid")
    by: _Name = "http"
    reason: _Reason = ""


class SteeringCommand(Command):
    """A command to a running release; it names the release and the stage that its sender saw."""

    expected_release: int | None = None
    expected_stage: str | None = Field(default=None, max_length=100, pattern=_PLAIN)

    def seen(self) -> Seen:
        return Seen(self.expected_release, self.expected_stage)


class PromoteCommand(SteeringCommand):
    """`asked_seconds_ago`: how long before it was sent the command was given."""

    resume: bool = False
    asked_seconds_ago: float | None = Field(default=None, ge=0, allow_inf_nan=False)

    def seen(self) -> Seen:
        return Seen(self.expected_release, self.expected_stage, self.asked_seconds_ago)


class RollbackCommand(Command):
    to: _Name | None = None


def create_app(
    controller: Controller,
    store: Store,
    gateway: Gateway,
    clock: Clock,
    apply: Callable[[], dict[str, Any]],
    on_taken_over: Callable[[TakenOverError], None],
    retention: Callable[[], dict[str, Any] | None] = lambda: None,
) -> FastAPI:
    """`apply` takes the configuration file over and says key by key what came of it; a release starts with that.

    `on_taken_over` hears when a command found that another control writes now. `retention` says what the last prune
    took.
    """
    app = FastAPI(title="Huidu control", docs_url=None, redoc_url=None)
    _handle_errors(app, on_taken_over)
    _add_questions(app, controller, store, gateway, clock, retention)

    async def received() -> float:
        return clock.now()

    def in_time(x_huidu_deadline: Deadline = None) -> None:
        # A command that waited while this process was stopped has been answered otherwise by now.
        if x_huidu_deadline is not None and clock.now() > x_huidu_deadline:
            raise RefusedError("the command came too late; accepted: the same command again")

    commands = APIRouter(prefix="/api/v1", dependencies=[Depends(in_time)])
    _add_release_commands(commands, controller, apply)
    _add_routing_commands(commands, controller, received, lambda *asked: _proof(gateway, clock, *asked))
    app.include_router(commands)
    return app


def _add_questions(
    app: FastAPI,
    controller: Controller,
    store: Store,
    gateway: Gateway,
    clock: Clock,
    retention: Callable[[], dict[str, Any] | None],
) -> None:
    @app.get("/healthz")
    def healthz() -> PlainTextResponse:
        return PlainTextResponse("ok")

    @app.get("/api/v1/status")
    def show_status() -> dict[str, Any]:
        return status(controller, gateway.routes(), clock.now()) | {"retention": retention()}

    @app.get("/api/v1/releases")
    def list_releases() -> list[dict[str, Any]]:
        return store.releases()

    @app.get("/api/v1/releases/{number}")
    def show_release(number: _Number) -> dict[str, Any]:
        return store.release(number)

    @app.get("/api/v1/releases/{number}/replay")
    def replay_release(number: _Number) -> dict[str, Any]:
        return replay(store.release(number), store.evidence(number))


def _add_release_commands(commands: APIRouter, controller: Controller, apply: Callable[[], dict[str, Any]]) -> None:
    """Commands after which the routes are as before, or are changed by control in its own time."""

    @commands.post("/releases", status_code=201)
    def start(command: StartCommand) -> dict[str, Any]:
        changed = apply()
        release = controller.start(command.version, command.by, command.reason)
        # What waits for the next release counts for the one that has just begun.
        changed |= {"took_effect": sorted(changed["took_effect"] + changed["next_release"]), "next_release": []}
        found = {"id": release.id, "version": release.candidate, "stage": release.stage_name}
        return found | {"config": changed}

    @commands.post("/pause")
    def pause(command: SteeringCommand) -> dict[str, Any]:
        moved = controller.pause(command.by, command.reason, command.seen())
        return {"id": moved.id, "stage": moved.stage_name, "held": moved.held}

    @commands.post("/resume")
    def resume(command: SteeringCommand) -> dict[str, Any]:
        moved = controller.resume(command.by, command.reason, command.seen())
        return {"id": moved.id, "stage": moved.stage_name, "held": moved.held}

    @commands.post("/config/apply")
    def apply_config() -> dict[str, Any]:
        return {"applied": True} | apply()


def _add_routing_commands(
    commands: APIRouter,
    controller: Controller,
    received: Callable[[], Awaitable[float]],
    proof: Callable[[float, float | None], dict[str, Any]],
) -> None:
    """Commands whose answer says whether the gateway has taken the new routes over."""
    Received = Annotated[float, Depends(received)]  # noqa: N806

    @commands.post("/promote")
    def promote(command: PromoteCommand, received_at: Received, x_huidu_deadline: Deadline = None) -> dict[str, Any]:
        if not command.reason.strip():
            raise InvalidError("promote without a reason; accepted: promote --reason TEXT")
        moved = controller.promote(command.by, command.reason, command.seen(), command.resume)
        found = {"id": moved.id, "stage": moved.stage_name, "phase": moved.phase.value}
        return found | proof(received_at, x_huidu_deadline)

    @commands.post("/rollback")
    def rollback(command: RollbackCommand, received_at: Received, x_huidu_deadline: Deadline = None) -> dict[str, Any]:
        found = controller.rollback(command.by, command.reason, command.to, received_at)
        return found | proof(received_at, x_huidu_deadline)


def _proof(gateway: Gateway, clock: Clock, received_at: float, deadline: float | None) -> dict[str, Any]:
    """What the gateway reports, and how long after the command's arrival; asked for no longer than somebody waits."""
    left = _APPLIED_SECONDS if deadline is None else deadline - clock.now() - _ON_THE_WAY_SECONDS
    routes = gateway.routes()
    applied = routes is not None and gateway.applied(routes.generation, min(max(left, 0.0), _APPLIED_SECONDS))
    applied_ms = round((clock.now() - received_at) * 1000, 1)
    generation = routes.generation if routes else 0
    return {"generation": generation, "applied": applied, "applied_ms": applied_ms if applied else None}


def _handle_errors(app: FastAPI, on_taken_over: Callable[[TakenOverError], None]) -> None:
    def refuse(_: Request, error: Exception) -> JSONResponse:
        if isinstance(error, TakenOverError):
            on_taken_over(error)
        code, family = next(row for kind, row in STATUS_OF.items() if isinstance(error, kind))
        return JSONResponse({"error": family, "detail": str(error)}, code)

    def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return JSONResponse({"error": "invalid", "detail": " ".join(f"{where}: {first['msg']}".split())}, 400)

    def http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        family = "not_found" if error.status_code in (404, 405) else "invalid"
        return JSONResponse({"error": family, "detail": str(error.detail)}, error.status_code)

    def bug(_: Request, error: Exception) -> JSONResponse:
        number = uuid.uuid4().hex[:12]
        _LOG.error("error %s", number, exc_info=error)
        return JSONResponse(
            {"error": "internal", "detail": f"an error of Huidu; its log says more under {number}"}, 500
        )

    for kind in STATUS_OF:
        app.add_exception_handler(kind, refuse)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, bug)
