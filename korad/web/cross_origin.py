"""What web pages of another origin may do (CORS), as headers that are the same for every request.

Browsers compare the allowed origin with the page's own, so nobody here has to. Cookies are never
allowed: korad has none, and a key is a header that the page itself must know.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from korad.config import ANY_ORIGIN
from korad.errors import Headers

OPERATOR_PATHS = frozenset(("/livez", "/healthz", "/readyz", "/metrics"))
"""For whoever runs korad, without a key: no page has any business there."""
EXPOSED_HEADERS = (
    "x-request-id",
    "X-Client-Request-Id",
    "X-Korad-Original-Tokens",
    "X-Korad-Optimized-Tokens",
    "X-Korad-Savings-USD",
    "X-Korad-Strategy",
    "X-Korad-Billed-Amount",
    "X-Korad-Profit-Margin",
    "X-Korad-Adjusted",
    "Age",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "openai-processing-ms",
    *(
        f"x-ratelimit-{figure}-{what}"
        for what in ("requests", "tokens")
        for figure in ("limit", "remaining", "reset")
    ),
)
_REQUEST_HEADERS = (
    "authorization",
    "content-type",
    "x-bf-vk",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "x-savings-level",
    "x-korad-cache",
    "x-client-request-id",
    "traceparent",
    "tracestate",
    # What OpenAI's JavaScript SDK adds.
    "x-stainless-arch",
    "x-stainless-custom-poll-interval",
    "x-stainless-helper-method",
    "x-stainless-lang",
    "x-stainless-os",
    "x-stainless-package-version",
    "x-stainless-poll-helper",
    "x-stainless-retry-count",
    "x-stainless-runtime",
    "x-stainless-runtime-version",
    "x-stainless-timeout",
)
"""Named one by one: no wildcard covers `authorization`."""
_ALLOW_ORIGIN = "Access-Control-Allow-Origin"
_METHODS = "GET, POST"
_MAX_AGE_S = 7_200
"""How long a browser need not ask again; Chromium believes no more."""
_ASKED = "Access-Control-Request-Method"
_ASKED_HEADERS = "Access-Control-Request-Headers"
_HEADER_NAMES = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z, \t-]+")


def answer_headers(origin: str | None) -> Headers:
    """Return the headers of every answer: none where no page of another origin is let in."""
    if origin is None:
        return ()
    return (*_allow_origin(origin), ("Access-Control-Expose-Headers", ", ".join(EXPOSED_HEADERS)))


def mark_answers(
    origin: str,
) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Return what adds them to an answer that aiohttp writes."""
    headers = answer_headers(origin)

    async def mark(request: web.Request, response: web.StreamResponse) -> None:
        if request.path not in OPERATOR_PATHS and _ALLOW_ORIGIN not in response.headers:
            response.headers.extend(headers)

    return mark


def preflights(origin: str) -> Middleware:
    """Return what answers a browser that asks before it sends a page's request.

    Paths that are unknown are answered too: only so does a page get to read why.
    """
    headers = (
        *_allow_origin(origin),
        ("Access-Control-Allow-Methods", _METHODS),
        ("Access-Control-Max-Age", str(_MAX_AGE_S)),
    )

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        is_preflight = request.method == "OPTIONS" and _ASKED in request.headers
        if not is_preflight or request.path in OPERATOR_PATHS:
            return await handler(request)
        response = web.Response(status=204)
        response.headers.extend(headers)
        response.headers["Access-Control-Allow-Headers"] = _allowed(request)
        return response

    return middleware


def _allow_origin(origin: str) -> Headers:
    allow = (_ALLOW_ORIGIN, origin)
    return (allow,) if origin == ANY_ORIGIN else (allow, ("Vary", "Origin"))


def _allowed(request: web.Request) -> str:
    """Return the headers that were asked for: those korad does not know do no harm."""
    asked = request.headers.get(_ASKED_HEADERS, "")
    return asked if _HEADER_NAMES.fullmatch(asked) else ", ".join(_REQUEST_HEADERS)
