"""The bytes of requests, built before a block and kept."""

from __future__ import annotations

from urllib.parse import urlsplit

import orjson

from bench.load.plan import Ask, Target

# OpenAI's own client sends as many: a gateway reads and forwards all of them.
_HEADERS = (
    b"accept: application/json\r\n"
    b"accept-encoding: identity\r\n"
    b"content-type: application/json\r\n"
    b"user-agent: OpenAI/Python 3.54.0\r\n"
    b"x-stainless-lang: python\r\n"
    b"x-stainless-package-version: 3.54.0\r\n"
    b"x-stainless-os: Linux\r\n"
    b"x-stainless-arch: x64\r\n"
    b"x-stainless-runtime: CPython\r\n"
    b"x-stainless-runtime-version: 3.11.7\r\n"
    b"x-stainless-async: async:asyncio\r\n"
    b"x-stainless-retry-count: 0\r\n"
    b"x-stainless-read-timeout: 600\r\n"
)


class Requests:
    """Builds a target's requests; each that differs is built once."""

    def __init__(self, target: Target, max_tokens: int | None) -> None:
        self._target = target
        self._max_tokens = max_tokens
        self._built: dict[tuple[bytes, bool, str | None], bytes] = {}

    def of(self, ask: Ask) -> bytes:
        """Return the whole request, head and body."""
        key = (ask.messages, ask.stream, ask.level)
        found = self._built.get(key)
        if found is None:
            found = self._built[key] = self._build(ask)
        return found

    def _build(self, ask: Ask) -> bytes:
        target = self._target
        members = [b'"model":' + orjson.dumps(target.model)]
        if ask.stream:
            members.append(b'"stream":true,"stream_options":{"include_usage":true}')
        if self._max_tokens is not None:
            members.append(b'"max_tokens":%d' % self._max_tokens)
        members.append(b'"messages":' + ask.messages)
        body = b"{" + b",".join(members) + b"}"
        parts = urlsplit(target.url)
        headers = {"host": parts.netloc, "authorization": f"Bearer {target.key}"} | target.headers
        if ask.level is not None:
            headers["x-savings-level"] = ask.level
        own = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
        return b"POST %b/chat/completions HTTP/1.1\r\n%b%bcontent-length: %d\r\n\r\n%b" % (
            parts.path.rstrip("/").encode(),
            own,
            _HEADERS,
            len(body),
            body,
        )
