"""Both sides of the Anthropic dialect for tests: requests in, event streams out."""

from __future__ import annotations

from importlib import resources
from typing import Any

import msgspec

from korad.domain.chat import ChatRequest
from korad.providers.anthropic import AnthropicDialect
from korad.providers.anthropic_models import Capabilities, CapabilityTable
from korad.providers.anthropic_stream import AnthropicStream
from korad.providers.base import Target
from korad.wire.openai import parse_chat_request

CREATED_S = 1_763_800_000
CLASSIC = "claude-sonnet-4-5-20250929"
"""Sampling, budgeted thinking, prefill."""
ADAPTIVE = "claude-opus-4-6"
SYSTEM_TURNS = "claude-opus-4-8"
STRICTEST = "claude-sonnet-5-5"
"""No sampling, no prefill, no forced tools."""

TABLE = CapabilityTable.parse(
    resources.files("korad").joinpath("data/anthropic_models.toml").read_text("utf-8")
)
DIALECT = AnthropicDialect(TABLE, lambda: CREATED_S)

USER = {"role": "user", "content": "Hi"}
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tell the weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def capabilities(model: str = CLASSIC) -> Capabilities:
    return TABLE.find(model)


def a_request(model: str = CLASSIC, **members: Any) -> ChatRequest:
    body = {"model": f"anthropic/{model}", "messages": [USER], **members}
    return parse_chat_request(msgspec.json.encode(body))


def a_target(model: str = CLASSIC) -> Target:
    return Target(provider="anthropic", model=model)


def built(model: str = CLASSIC, **members: Any) -> dict[str, Any]:
    """Return the decoded body that a request with `members` becomes."""
    return msgspec.json.decode(DIALECT.build_body(a_request(model, **members), a_target(model)))


def a_call(call_id: str, name: str = "weather", arguments: str = "{}") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def calling(*calls: dict[str, Any], content: str | None = None) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": list(calls)}


def a_result(call_id: str, content: Any = "sunny") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def event(kind: str, **members: Any) -> bytes:
    data = msgspec.json.encode({"type": kind, **members})
    return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"


def start(**usage: Any) -> bytes:
    message = {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": CLASSIC,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 1, **usage},
    }
    return event("message_start", message=message)


def block_start(index: int, **block: Any) -> bytes:
    return event("content_block_start", index=index, content_block=block)


def delta(index: int, kind: str, **members: Any) -> bytes:
    return event("content_block_delta", index=index, delta={"type": kind, **members})


def block_stop(index: int) -> bytes:
    return event("content_block_stop", index=index)


def text(index: int, *pieces: str) -> bytes:
    opening = block_start(index, type="text", text="")
    middle = b"".join(delta(index, "text_delta", text=piece) for piece in pieces)
    return opening + middle + block_stop(index)


def tool(index: int, call_id: str, *pieces: str, name: str = "weather", **block: Any) -> bytes:
    opening = block_start(index, type="tool_use", id=call_id, name=name, **{"input": {}, **block})
    middle = b"".join(delta(index, "input_json_delta", partial_json=piece) for piece in pieces)
    return opening + middle + block_stop(index)


def end(stop_reason: str = "end_turn", *, details: Any = None, **usage: Any) -> bytes:
    stop = {"stop_reason": stop_reason, "stop_sequence": None, "stop_details": details}
    closing = event("message_delta", delta=stop, usage={"output_tokens": 5, **usage})
    return closing + event("message_stop")


def a_stream(**members: Any) -> AnthropicStream:
    return DIALECT.open_stream(a_request(stream=True, **members), a_target())


def with_usage() -> AnthropicStream:
    return a_stream(stream_options={"include_usage": True})


def chunks_of(output: bytes) -> list[dict[str, Any]]:
    """Return the chunks in `output`, which must be `data:` events and nothing else."""
    events = output.split(b"\n\n")

    assert events.pop() == b""
    assert all(piece.startswith(b"data: ") and b"\n" not in piece for piece in events)

    return [msgspec.json.decode(piece[6:]) for piece in events]


def deltas_of(output: bytes) -> list[dict[str, Any]]:
    return [choice["delta"] for chunk in chunks_of(output) for choice in chunk["choices"]]
