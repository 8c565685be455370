"""Web pages of another origin: let in where the settings say so, and not a byte of it elsewhere."""

from __future__ import annotations

import re

import pytest

from korad.simulator import Fault, Script
from tests.support.proxy import running_proxy
from tests.support.raw_http import Answer, RawConnection, ask, chat, request

ENDPOINT = "/v1/chat/completions"
PAGE = "https://app.example"
ORIGIN = f"Origin: {PAGE}"
ASKED = "Access-Control-Request-Method: POST"
NAMES = "authorization,content-type,x-stainless-os,x-never-heard-of"
ASKED_NAMES = f"Access-Control-Request-Headers: {NAMES}"
DIRECT = ("/livez", "/healthz", "/readyz", "/metrics")


def settings_with(origin: str | None, *lines: str) -> str:
    extra = [] if origin is None else [f'cors_origin = "{origin}"']
    return "\n".join(["access_log = false", *extra, *lines])


@pytest.fixture
async def closed(tmp_path):
    async with running_proxy(tmp_path) as running:
        yield running


@pytest.fixture(params=["*", PAGE])
def origin(request):
    return request.param


@pytest.fixture(params=["fast_lane = true", "fast_lane = false"])
async def proxy(request, tmp_path, origin):
    server = settings_with(origin, request.param, "body_idle_timeout_s = 0.5")
    async with running_proxy(tmp_path, server=server) as running:
        yield running


def preflight(path, *lines):
    return request(method="OPTIONS", path=path, key=None, lines=(ORIGIN, *lines))


def cross_origin_headers(answer):
    """Return what an answer says to browsers, each header as often as it comes."""
    pairs = re.findall(rb"(?i)\r\n(access-control-[a-z-]*|vary): ([^\r]*)", answer.head)
    return sorted((name.decode().lower(), text.decode()) for name, text in pairs)


async def answer_to_preflight(connection, path, *lines):
    """Return the answer to a preflight that is let in, which has no body and no length."""
    connection.send(preflight(path, *lines))
    head = await connection.head()
    return Answer(int(head.split()[1]), head, b"")


def check_marked(answer, origin):
    names = [name for name, _ in cross_origin_headers(answer)]
    vary = [] if origin == "*" else ["vary"]
    assert ["access-control-allow-origin", "access-control-expose-headers", *vary] == names
    assert origin == answer.headers["access-control-allow-origin"]
    assert answer.headers.get("vary", "Origin") == "Origin"
    exposed = answer.headers["access-control-expose-headers"].lower().split(", ")
    shown = ("x-korad-", "x-request-id", "x-client-request-id", "age", "retry-after", "x-rate")
    assert {name for name in answer.headers if name.startswith(shown)} <= set(exposed)


# ── the preflight ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "path", [ENDPOINT, "/v1/models", "/v1/models/openai/gpt-4o", "/v1/responses"]
)
async def test_a_preflight_is_told_what_a_page_may_send(proxy, origin, path):
    async with RawConnection(proxy.port) as connection:
        answer = await answer_to_preflight(connection, path, ASKED, ASKED_NAMES)
    told = dict(cross_origin_headers(answer))

    assert 204 == answer.status
    assert len(told) == len(cross_origin_headers(answer)), "a header twice is a wrong one"
    assert origin == told["access-control-allow-origin"]
    assert {"GET", "POST"} == set(told["access-control-allow-methods"].split(", "))
    assert NAMES == told["access-control-allow-headers"]
    assert int(told["access-control-max-age"]) > 0
    assert "access-control-allow-credentials" not in told
    assert (None if origin == "*" else "Origin") == told.get("vary")


@pytest.mark.parametrize("asked", [(), ("Access-Control-Request-Headers: Gr\u00fc\u00dfe",)])
async def test_a_preflight_that_names_no_headers_is_told_the_known_ones(proxy, asked):
    async with RawConnection(proxy.port) as connection:
        answer = await answer_to_preflight(connection, ENDPOINT, ASKED, *asked)
    names = set(answer.headers["access-control-allow-headers"].split(", "))

    assert 204 == answer.status
    assert {"authorization", "content-type", "x-bf-vk", "x-client-request-id"} <= names
    assert {"x-savings-level", "x-korad-cache", "x-stainless-os"} <= names


async def test_the_connection_goes_on_after_a_preflight(proxy, origin):
    async with RawConnection(proxy.port) as connection:
        first = await answer_to_preflight(connection, ENDPOINT, ASKED, ASKED_NAMES)
        second = await connection.ask(request(chat(), lines=(ORIGIN,)))

    assert (204, 200) == (first.status, second.status)
    check_marked(second, origin)


async def test_options_without_the_question_are_another_method(proxy, origin):
    answer = await ask(proxy.port, preflight(ENDPOINT))

    assert (405, "invalid_request_error", "method_not_allowed") == answer.error
    check_marked(answer, origin)


# ── answers ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "data"),
    [
        (200, request(chat(), lines=(ORIGIN, "X-Client-Request-Id: mine"))),
        (200, request(chat())),
        (200, request(chat(stream=True), lines=(ORIGIN,))),
        (200, request(chat(model="anthropic/claude-sonnet-4-6", stream=True))),
        (200, request(chat(model="anthropic/claude-sonnet-4-6", seed=1))),
        (200, request(method="GET", path="/v1/models")),
        (400, request(b"no JSON")),
        (401, request(chat(), key=None)),
        (401, request(chat(stream=True), key="sk-bf-nobody")),
        (401, request(method="GET", path="/v1/models", key=None)),
        (401, request(chat(), key=None, lines=("Expect: 100-continue",))),
        (404, request(chat(), path="/v1/embeddings")),
        (404, request(chat(), path="/chat/completions")),
        (405, request(method="PUT")),
        (408, request(b"{", lines=("Content-Length: 9",), length=None)),
        (415, request(chat(), lines=("Content-Type: text/plain",))),
    ],
)
async def test_every_answer_is_marked(proxy, origin, status, data):
    answer = await ask(proxy.port, data)

    assert status == answer.status
    check_marked(answer, origin)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_stored_answer_is_marked(proxy, origin, stream):
    data = request(chat(stream=stream), lines=("X-Korad-Cache: on",))
    await ask(proxy.port, data)
    answer = await ask(proxy.port, data)

    assert "Exact cache hit" == answer.headers["x-korad-strategy"]
    check_marked(answer, origin)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_provider_s_error_is_marked(proxy, origin, stream):
    proxy.simulator.script = Script(fault=Fault.ERROR_STATUS, status=429, retry_after_s=1)
    answer = await ask(proxy.port, request(chat(stream=stream)))

    assert 429 == answer.status
    assert "retry-after" in answer.headers
    check_marked(answer, origin)


# ── what stays as it was ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", DIRECT)
async def test_what_is_for_the_operator_is_for_no_page(proxy, path):
    asked = await ask(proxy.port, preflight(path, ASKED))
    answer = await ask(proxy.port, request(method="GET", path=path, lines=(ORIGIN,)))

    assert (405, 200) == (asked.status, answer.status)
    assert [] == cross_origin_headers(asked) + cross_origin_headers(answer)


@pytest.mark.parametrize(
    ("status", "data"),
    [
        (200, request(chat(), lines=(ORIGIN,))),
        (200, request(chat(stream=True), lines=(ORIGIN,))),
        (401, request(chat(), key=None, lines=(ORIGIN,))),
        (404, request(chat(), path="/v1/embeddings", lines=(ORIGIN,))),
        (405, preflight(ENDPOINT, ASKED, ASKED_NAMES)),
    ],
)
async def test_without_the_setting_nothing_is_said_to_browsers(closed, status, data):
    answer = await ask(closed.port, data)

    assert status == answer.status
    assert [] == cross_origin_headers(answer)


async def test_without_the_setting_an_answer_ends_with_these_lines(closed):
    answer = await ask(closed.port, request(chat()))

    assert re.search(
        rb"\r\nx-request-id: [^\r]+\r\nDate: [^\r]+ GMT\r\nServer: korad\r\nContent-Length: \d+"
        rb"\r\n\r\n$",
        answer.head,
    )
