"""The stand-in provider's bytes: prebuilt, but for the times in them.

Every answer's text begins with `t=` and times of the monotonic clock in nanoseconds, 19 digits
each: `t=<received>,<sent> ` in an answer and in a stream's first chunk, `t=<sent> ` in the others.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

import msgspec
import orjson

from bench.load.stand_in_orders import Counters, Orders

_MODEL = "gpt-4o-mini"
_CREATED = 1_741_569_952
_PROMPT_TOKENS = 19
_BYTES_A_TOKEN = 4
_STAMP = "t=" + "0" * 19 + " "
_STAMPS = "t=" + "0" * 19 + "," + "0" * 19 + " "
_SENTENCE = "Hello! How can I assist you today? I can help with a wide range of questions. "

# As many headers as OpenAI sends: a gateway reads and writes all of them.
_HEADERS = (
    b"date: Sun, 22 Nov 2026 19:00:00 GMT\r\n"
    b"access-control-expose-headers: X-Request-ID\r\n"
    b"openai-organization: org-abcdefghijkl\r\n"
    b"openai-processing-ms: 312\r\n"
    b"openai-version: 2020-10-01\r\n"
    b"x-ratelimit-limit-requests: 30000\r\n"
    b"x-ratelimit-limit-tokens: 150000000\r\n"
    b"x-ratelimit-remaining-requests: 29999\r\n"
    b"x-ratelimit-remaining-tokens: 149999975\r\n"
    b"x-request-id: req_0123456789abcdef0123456789abcdef\r\n"
    b"server: stand-in\r\n"
)
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"transfer-encoding: chunked\r\n" + _HEADERS + b"\r\n"
)


class Wire:
    """The templates of one set of orders."""

    def __init__(self, orders: Orders) -> None:
        whole = _plain(orders.body_bytes)
        self._plain = _split(_reply("200 OK", whole))
        text = _padded(_text_event, _STAMPS, orders.chunk_bytes)
        self._first = _split(_chunk(_text_event(text)))
        text = _padded(_text_event, _STAMP, orders.chunk_bytes)
        self._next = _split(_chunk(_text_event(text)))
        self.stream_head = _STREAM_HEAD
        self.stream_end = b"".join(
            (
                _chunk(_event(_delta(None))),
                _chunk(_event(_usage_event(orders.chunks))),
                _chunk(b"data: [DONE]\n\n"),
                b"0\r\n\r\n",
            )
        )

    def plain(self, received_ns: int, sent_ns: int) -> bytes:
        """Return a whole answer that is not streamed."""
        before, after = self._plain
        return b"%bt=%019d,%019d %b" % (before, received_ns, sent_ns, after)

    def first_chunk(self, received_ns: int, sent_ns: int) -> bytes:
        """Return a stream's first chunk, framed."""
        before, after = self._first
        return b"%bt=%019d,%019d %b" % (before, received_ns, sent_ns, after)

    def next_chunk(self, sent_ns: int) -> bytes:
        """Return a further chunk, framed."""
        before, after = self._next
        return b"%bt=%019d %b" % (before, sent_ns, after)


def control_reply(counters: Counters) -> bytes:
    """Return the answer to `/control`."""
    return _reply("200 OK", msgspec.json.encode(counters))


def refusal(status: int, reason: str) -> bytes:
    """Return an error in OpenAI's form."""
    error = {"message": reason, "type": "stand_in_error", "param": None, "code": None}
    return _reply(f"{status} {HTTPStatus(status).phrase}", orjson.dumps({"error": error}))


def _reply(status: str, body: bytes) -> bytes:
    return b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%b\r\n%b" % (
        status.encode(),
        len(body),
        _HEADERS,
        body,
    )


def _plain(size: int) -> bytes:
    def dump(text: str) -> bytes:
        message: dict[str, object] = {
            "role": "assistant",
            "content": text,
            "refusal": None,
            "annotations": [],
        }
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        tokens = max(1, len(text) // _BYTES_A_TOKEN)
        answer = _envelope("chat.completion") | {"choices": [choice], "usage": _usage(tokens)}
        return orjson.dumps(answer)

    return dump(_padded(dump, _STAMPS, size))


def _padded(dump: Callable[[str], bytes], text: str, size: int) -> str:
    """Return the text, made longer so that its dump comes to `size` bytes."""
    missing = max(0, size - len(dump(text)))
    return text + (_SENTENCE * (missing // len(_SENTENCE) + 1))[:missing]


def _envelope(kind: str) -> dict[str, object]:
    return {"id": "chatcmpl-B9MBs8Cjcv", "object": kind, "created": _CREATED, "model": _MODEL}


def _delta(text: str | None) -> dict[str, object]:
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": "stop" if text is None else None}
    return _envelope("chat.completion.chunk") | {"choices": [choice]}


def _text_event(text: str) -> bytes:
    return _event(_delta(text))


def _usage_event(tokens: int) -> dict[str, object]:
    return _envelope("chat.completion.chunk") | {"choices": [], "usage": _usage(tokens)}


def _usage(tokens: int) -> dict[str, object]:
    return {
        "prompt_tokens": _PROMPT_TOKENS,
        "completion_tokens": tokens,
        "total_tokens": _PROMPT_TOKENS + tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _event(content: dict[str, object]) -> bytes:
    return b"data: " + orjson.dumps(content) + b"\n\n"


def _chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


def _split(template: bytes) -> tuple[bytes, bytes]:
    """Return what stands before and after the times."""
    for stamp in (_STAMPS.encode(), _STAMP.encode()):
        before, found, after = template.partition(stamp)
        if found:
            return before, after
    raise AssertionError("a template without a time")
