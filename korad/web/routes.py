"""The URL table of the aiohttp application, and the error shape of everything it serves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from korad.errors import ClientError, KoradError, server_error
from korad.web.chat_completions import chat_completions, expect_continue
from korad.web.control import ControlPlane
from korad.web.cross_origin import mark_answers, preflights
from korad.web.error_response import error_response
from korad.web.fast_lane import FastLane
from korad.web.hints import hint_for
from korad.web.shell import Shell


def application(shell: Shell, control: ControlPlane) -> web.Application:
    """Return the application behind the fast lane."""
    app = web.Application(middlewares=[_openai_errors(shell)])
    app.on_response_prepare.append(_name_server)
    origin = shell.settings.cors_origin
    if origin is not None:
        app.middlewares.append(preflights(origin))
        app.on_response_prepare.append(mark_answers(origin))
    routes = app.router
    routes.add_post(
        "/v1/chat/completions",
        chat_completions(shell),
        expect_handler=_expect(shell),
    )
    routes.add_get("/v1/models", control.models)
    routes.add_get("/v1/models/{model:.+}", control.model)
    routes.add_get("/v1/korad/requests/{request_id}", control.request)
    routes.add_get("/livez", control.livez)
    routes.add_get("/healthz", control.livez)
    routes.add_get("/readyz", control.readyz)
    if shell.settings.metrics:
        routes.add_get("/metrics", control.metrics)
    return app


def _expect(shell: Shell) -> Callable[[web.Request], Awaitable[web.StreamResponse | None]]:
    """Return the handler of `Expect`; aiohttp calls it outside the middlewares."""
    check = expect_continue(shell)

    async def handle(request: web.Request) -> web.StreamResponse | None:
        try:
            await check(request)
        except KoradError as error:
            return error_response(error, shell, close=True)
        return None

    return handle


async def _name_server(request: web.Request, response: web.StreamResponse) -> None:
    del request
    # aiohttp would name itself and Python, with their versions.
    response.headers["Server"] = "korad"


def _openai_errors(shell: Shell) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        protocol = request.protocol
        try:
            _check_head(request, shell)
            return await handler(request)
        except KoradError as error:
            # What is left of the body must not be read as the next request.
            return error_response(error, shell, close=not request.content.at_eof())
        except web.HTTPException as raised:
            return error_response(
                _of_aiohttp(raised, request), shell, close=not request.content.at_eof()
            )
        finally:
            if isinstance(protocol, FastLane):
                protocol.await_next_request()

    return middleware


def _check_head(request: web.Request, shell: Shell) -> None:
    """Raise ClientError (431) for a head over the limit: aiohttp only limits its single lines."""
    size = len(request.raw_path) + sum(len(name) + len(text) for name, text in request.raw_headers)
    if size > shell.head_bytes_max:
        raise ClientError(
            431,
            f"The request's head is larger than {shell.head_bytes_max} bytes.",
            kind="invalid_request_error",
            code="request_header_fields_too_large",
        )


def _of_aiohttp(raised: web.HTTPException, request: web.Request) -> KoradError:
    kind = "invalid_request_error"
    if isinstance(raised, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(raised.allowed_methods))
        return ClientError(
            405,
            f"The method {request.method} is not allowed here.",
            kind=kind,
            code="method_not_allowed",
            headers=(("Allow", allowed),),
        )
    if raised.status == HTTPStatus.NOT_FOUND:
        message = f"Unknown path: {request.path[:200]}"
        hint = hint_for(request.path)
        return ClientError(
            404, f"{message}. {hint}" if hint else message, kind=kind, code="not_found"
        )
    if raised.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return server_error(raised.status, "The server had an error.", "internal_error")
    return ClientError(raised.status, raised.reason, kind=kind, code="bad_request")
