"""By which door a request reaches control, and what that door asks for."""

from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

# Whether it lives is nobody's secret: load balancers and unit files ask it.
_OPEN_TO_ALL = "/healthz"
_REFUSAL = {
    "error": "unauthorized",
    "detail": "control's port takes nothing without the installation's token; accepted: the header 'Authorization: "
    "Bearer TOKEN' with what stands in run/token of the data folder, or control's Unix socket",
}


class Doors:
    """ASGI middleware. What comes by the Unix socket has passed its mode; what comes by a port shows the token.

    A browser sends no such header to another site's page, so that no page can command. `socket` is where the Unix
    socket lies, None where there is none; `opens` says of a header `Authorization` whether it holds the token.
    """

    def __init__(self, app: ASGIApp, socket: str | None, opens: Callable[[str | None], bool]):
        self._app, self._socket, self._opens = app, socket, opens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or self._lets_in(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            refused = JSONResponse(_REFUSAL, 401, {"www-authenticate": "Bearer"})
            await refused(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _lets_in(self, scope: Scope) -> bool:
        # A port's second part is its number: nobody can say by a request that it came by the socket.
        if self._socket is not None and scope.get("server") == (self._socket, None):
            return True
        if scope["type"] == "http" and scope["path"] == _OPEN_TO_ALL and scope["method"] in ("GET", "HEAD"):
            return True
        return self._opens(Headers(scope=scope).get("authorization"))
