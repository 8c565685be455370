"""The admin API's own listener: who may call, and how errors look."""

from __future__ import annotations

import hmac
import logging
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler
from redis.exceptions import RedisError

from korad.adapters.key_changes import VirtualKeys
from korad.adapters.key_errors import (
    InvalidKeyError,
    KeyConflictError,
    KeyNotFoundError,
    KeyStoreError,
)
from korad.adapters.redis_control import UNAVAILABLE, ControlClient
from korad.clock import monotonic_ns
from korad.domain.secret import Secret
from korad.errors import ClientError, KoradError, server_error
from korad.ledger.database import LedgerError
from korad.ledger.store import Ledger
from korad.web.admin.attempts import Attempts
from korad.web.admin.handlers import Handlers
from korad.web.admin.openapi import DOCUMENT
from korad.web.admin.reading import CHANGE, REQUEST_ID
from korad.web.admin.trail import Trail

BODY_BYTES_MAX = 64 * 1024
TRAIL_STREAM = "ka:audit"
TOLD_MAX = 10_000
"""Changes kept in Redis; the trail has all of them."""
CLOSE_TIMEOUT_S = 1.0
"""What is left of a request when korad stops gets this long."""
_UNIX = "unix:"
_log = logging.getLogger("korad")


class AdminServer:
    """The admin API of one korad."""

    def __init__(  # noqa: PLR0913 - its parts
        self,
        listen: str,
        token: Secret,
        *,
        state_dir: Path,
        open_keys: Callable[[], VirtualKeys],
        ledger: Ledger | None,
        redis: ControlClient,
        shards: int,
    ) -> None:
        """`listen` is "HOST:PORT" or "unix:PATH". Raises ValueError for another."""
        self._listen = listen
        self._token = token.reveal().encode()
        if not self._token:
            raise ValueError("the token of the admin API is empty")
        self._redis = redis
        self._handlers = Handlers(open_keys, Trail(state_dir), ledger, redis, shards=shards)
        self._attempts = Attempts()
        self._runner = web.AppRunner(
            self._application(),
            access_log=None,
            handle_signals=False,
            shutdown_timeout=CLOSE_TIMEOUT_S,
        )
        self.port = 0
        """The port in use, 0 for a Unix socket."""

    async def start(self) -> None:
        """Listen. Raises OSError, ValueError."""
        await self._runner.setup()
        if self._listen.startswith(_UNIX):
            path = Path(self._listen.removeprefix(_UNIX))
            _make_room(path)
            mask = os.umask(0o177)
            try:
                await web.UnixSite(self._runner, str(path)).start()
            finally:
                os.umask(mask)
            return
        host, _, port = self._listen.rpartition(":")
        if not host or not port.isdigit():
            raise ValueError("admin.listen must be HOST:PORT or unix:PATH")
        await web.TCPSite(self._runner, host.strip("[]"), int(port)).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the listener and what it holds."""
        await self._runner.cleanup()
        self._handlers.close()

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[self._guard], client_max_size=BODY_BYTES_MAX)
        handlers = self._handlers
        for path, operations in DOCUMENT["paths"].items():
            for method, operation in operations.items():
                name = operation["operationId"]
                handle = getattr(self, f"_{name}", None) or getattr(handlers, name)
                # aiohttp has no enumerations in a path; a pattern is the same.
                route = path.replace("{kind}", "{kind:teams|customers}")
                app.router.add_route(method.upper(), route, _as_json(handle))
        return app

    async def _livez(self, _request: web.Request) -> Any:
        """Say that the listener answers."""
        return {"status": "ok"}

    async def _openapi(self, _request: web.Request) -> Any:
        """Return the OpenAPI document."""
        return DOCUMENT

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        request_id = request[REQUEST_ID] = f"adm_{secrets.token_hex(12)}"
        try:
            if request.path != "/livez":
                self._authenticate(request)
            response = await handler(request)
        except KoradError as error:
            response = _error(error)
        except web.HTTPException as error:
            response = _error(_http_error(error))
        except (KeyStoreError, LedgerError, RedisError, *UNAVAILABLE) as error:
            response = _error(_store_error(error))
        except Exception:  # noqa: BLE001 - our bug: told without detail
            _log.exception("internal error in admin request %s", request_id)
            response = _error(server_error(500, "The server had an error.", "internal_error"))
        response.headers["x-request-id"] = request_id
        response.headers["Cache-Control"] = "no-store"
        response.headers["Server"] = "korad"
        await self._tell(request)
        return response

    def _authenticate(self, request: web.Request) -> None:
        """Raise ClientError (401, 429) unless the request has the token."""
        given = request.headers.get("Authorization", "")
        scheme, _, token = given.partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(
            token.strip().encode("utf-8", "replace"), self._token
        ):
            return
        if self._attempts.is_too_many(request.remote, monotonic_ns()):
            raise ClientError(
                429,
                "Too many wrong tokens.",
                kind="rate_limit_error",
                code="too_many_attempts",
                headers=(("retry-after", "60"),),
            )
        raise ClientError(
            401,
            "Send the admin token as 'Authorization: Bearer ...'.",
            kind="authentication_error",
            code="admin_token_required",
            headers=(("WWW-Authenticate", "Bearer"),),
        )

    async def _tell(self, request: web.Request) -> None:
        """Tell Redis' readers of a change; the trail on the disk is what counts."""
        if CHANGE in request:
            try:
                await self._redis.execute_command(
                    "XADD", TRAIL_STREAM, "MAXLEN", "~", TOLD_MAX, "*", "e", request[CHANGE]
                )
            except (RedisError, *UNAVAILABLE) as error:
                _log.warning("a change of the admin API is in its trail only: %s", error)


def _make_room(path: Path) -> None:
    """Remove the socket that an earlier start left. Raises ValueError for any other file."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ValueError(f"admin.listen: {path} exists and is no socket")
    path.unlink()


def _as_json(handle: Callable[[web.Request], Any]) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        status = 201 if request.method == "POST" else 200
        return web.json_response(await handle(request), status=status)

    return answer


def _error(error: KoradError) -> web.Response:
    response = web.Response(status=error.status, body=error.body(), content_type="application/json")
    for name, text in error.headers:
        response.headers[name] = text
    return response


def _http_error(error: web.HTTPException) -> KoradError:
    code = {404: "not_found", 405: "method_not_allowed", 413: "request_too_large"}
    headers = tuple((name, error.headers[name]) for name in ("Allow",) if name in error.headers)
    return ClientError(
        error.status,
        f"{error.reason}.",
        kind="invalid_request_error",
        code=code.get(error.status, "bad_request"),
        headers=headers,
    )


def _store_error(error: Exception) -> KoradError:
    if isinstance(error, KeyConflictError):
        status, code = 409, "conflict"
    elif isinstance(error, KeyNotFoundError):
        status, code = 404, "not_found"
    elif isinstance(error, InvalidKeyError):
        status, code = 400, "invalid_field"
    else:
        _log.error("the admin API cannot use its store: %s", error)
        return server_error(503, str(error), "store_unavailable", retry_after_s=1)
    return ClientError(status, str(error), kind="invalid_request_error", code=code)
