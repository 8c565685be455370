"""The answer of a provider of the OpenAI dialect: head, usage, streamed chunks."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from bench.micro.work import Work
from korad.providers.base import Completion, Target
from korad.providers.openai import OpenAIDialect
from korad.upstream.answer_head import HeadReader
from korad.wire.openai import parse_chat_request
from tests.support.raw_http import chat

_TARGET = Target(provider="openai", model="gpt-4o")
_PROMPT_TOKENS, _COMPLETION_TOKENS = 10, 9
_USAGE = {"prompt_tokens": _PROMPT_TOKENS, "completion_tokens": _COMPLETION_TOKENS}
_HEAD = (
    b"HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 12:00:00 GMT\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\nConnection: keep-alive\r\nopenai-organization: bench\r\n"
    b"openai-processing-ms: 12\r\nopenai-version: 2020-10-01\r\n"
    b"x-ratelimit-limit-requests: 10000\r\nx-ratelimit-limit-tokens: 2000000\r\n"
    b"x-ratelimit-remaining-requests: 9999\r\nx-ratelimit-remaining-tokens: 1999990\r\n"
    b"x-request-id: req_bench\r\nServer: bench\r\n\r\n"
)
_CHUNKS = 100
_CHUNK_TEXT = "x" * 40


def _answer() -> bytes:
    return orjson.dumps(
        {
            "id": "chatcmpl-bench",
            "object": "chat.completion",
            "created": 1_764_158_400,
            "model": "gpt-4o",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "word " * 100},
                    "finish_reason": "stop",
                }
            ],
            "usage": _USAGE | {"total_tokens": _PROMPT_TOKENS + _COMPLETION_TOKENS},
        }
    )


def head() -> Iterator[Work]:
    """Read head and body of a whole answer whose shape is known."""
    body = _answer()
    data = _HEAD % len(body) + body
    reader = HeadReader()
    for _ in range(2):
        reader.read_hot(data)

    def is_right(found: object) -> bool:
        return isinstance(found, tuple) and found[1] == body

    yield Work(lambda: reader.read_hot(data), is_right)


def usage() -> Iterator[Work]:
    """Read the usage of a whole answer."""
    body = _answer()
    dialect, request = OpenAIDialect(), parse_chat_request(orjson.dumps(chat()))

    def is_right(found: object) -> bool:
        return (
            isinstance(found, Completion)
            and found.body is body
            and found.usage is not None
            and found.usage.completion_tokens == _COMPLETION_TOKENS
        )

    yield Work(lambda: dialect.read_completion(body, request, _TARGET), is_right)


def _event(delta: dict[str, str], **members: object) -> bytes:
    chunk = {
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": 1_764_158_400,
        "model": "gpt-4o",
        "choices": [{"index": 0, "delta": delta, "finish_reason": None}],
    }
    return b"data: " + orjson.dumps(chunk | members) + b"\n\n"


def chunks() -> Iterator[Work]:
    """Pass 100 chunks of a stream on, one per read, and read the usage at its end."""
    dialect = OpenAIDialect()
    request = parse_chat_request(orjson.dumps(chat(stream=True)))
    texts = [_event({"content": _CHUNK_TEXT}) for _ in range(_CHUNKS)]
    events = [*texts, _event({}, choices=[], usage=_USAGE), b"data: [DONE]\n\n"]

    def call() -> tuple[int, object, bool]:
        decoder = dialect.open_stream(request, _TARGET)
        passed_on = sum([len(decoder.feed(event)) for event in events])
        reported = decoder.usage
        return passed_on, reported and reported.completion_tokens, decoder.finished

    told = (sum(map(len, texts)), _COMPLETION_TOKENS, True)
    yield Work(call, lambda found: found == told, _CHUNKS)
