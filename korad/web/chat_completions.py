"""`POST /v1/chat/completions` on aiohttp's own lane: whatever is not of the hot shape."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from korad.domain.exchange import RequestHead
from korad.errors import ClientError, KoradError, body_timed_out, invalid_request
from korad.web.fast_lane import FastLane
from korad.web.shell import Shell


class RelayedResponse(web.StreamResponse):
    """Stands for an answer that the relay has already written to the socket, byte for byte."""

    def __init__(self, *, keep_alive: bool) -> None:
        super().__init__()
        self._relay_keep_alive = keep_alive

    @property
    def keep_alive(self) -> bool:
        """Whether the connection goes on."""
        return self._relay_keep_alive

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write nothing."""
        del request
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Write nothing."""
        del data


def chat_completions(shell: Shell) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return the handler of the endpoint."""

    async def handle(request: web.Request) -> web.StreamResponse:
        length = request.content_length
        if length is not None and length > shell.body_bytes_max:
            raise too_large(shell)
        head = read_head(shell, request)
        protocol = request.protocol
        assert isinstance(protocol, FastLane)
        is_http11 = request.version >= HttpVersion11
        body = await _read_body(shell, request)
        keep_alive = await protocol.relay(
            head, body, keep_alive=request.keep_alive and is_http11, chunked=is_http11
        )
        return RelayedResponse(keep_alive=keep_alive)

    return handle


def expect_continue(shell: Shell) -> Callable[[web.Request], Awaitable[None]]:
    """Return the handler of `Expect`: the body is only asked for when the key is good."""

    async def handle(request: web.Request) -> None:
        if request.headers.get("Expect", "").lower() != "100-continue":
            raise ClientError(
                417, "Unknown expectation.", kind="invalid_request_error", code="bad_request"
            )
        await shell.authenticate(read_head(shell, request).credential_digest)
        length = request.content_length
        if length is not None and length > shell.body_bytes_max:
            raise too_large(shell)
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # aiohttp counts what was written as part of the answer: start it anew.
        request.writer.output_size = 0

    return handle


def read_head(shell: Shell, request: web.Request) -> RequestHead:
    """Return what the headers of an aiohttp request say; of a repeated header the first counts."""
    headers: dict[bytes, bytes] = {}
    for name, value in request.raw_headers:
        headers.setdefault(name.lower(), value)
    return shell.heads.read(headers)


def too_large(shell: Shell) -> KoradError:
    """Return the 413 for a body over the limit."""
    return ClientError(
        413,
        f"The request body is larger than {shell.body_bytes_max} bytes.",
        kind="invalid_request_error",
        code="request_too_large",
    )


def _broken_body() -> KoradError:
    return invalid_request("The request body is broken.", code="bad_request")


async def _read_body(shell: Shell, request: web.Request) -> bytes:
    """Return the whole body. Raises ClientError: 408, 413, 415, or 400 when it is cut short."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ClientError(
            415,
            "Compressed request bodies are not accepted.",
            kind="invalid_request_error",
            code="unsupported_media_type",
        )
    limit = shell.body_bytes_max
    pieces: list[bytes] = []
    size = 0
    while not request.content.at_eof():
        try:
            async with asyncio.timeout(shell.settings.body_idle_timeout_s):
                piece = await request.content.readany()
        except TimeoutError:
            raise body_timed_out() from None
        except (web.RequestPayloadError, ConnectionResetError):
            raise _broken_body() from None
        except RuntimeError:
            # What aiohttp says to whoever goes on reading after the client has gone.
            if request.transport is not None:
                raise
            raise _broken_body() from None
        size += len(piece)
        if size > limit:
            raise too_large(shell)
        pieces.append(piece)
    return b"".join(pieces)
