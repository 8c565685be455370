"""Shape answers as Anthropic does: one message, the events of a stream, errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from korad.simulator.answer import Answer, Ask, Call, Choice, Finish, joined
from korad.simulator.reply import Frame, Refused, Stamp
from korad.simulator.script import Script

PING = b'event: ping\ndata: {"type": "ping"}\n\n'
SIGNATURE = "c2ltdWxhdGVkIHNpZ25hdHVyZQ=="
FIRST_OUTPUT_TOKENS = 1
"""What `message_start` reports before anything was generated."""

_CUMULATIVE = frozenset(
    (
        "input_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "output_tokens",
        "output_tokens_details",
    )
)
"""The part of the usage report that `message_delta` repeats."""

_STOP_REASONS = {
    Finish.STOP: "end_turn",
    Finish.STOP_SEQUENCE: "stop_sequence",
    Finish.LENGTH: "max_tokens",
    Finish.TOOL_CALLS: "tool_use",
}


def completion(ask: Ask, answer: Answer, script: Script, stamp: Stamp) -> bytes:
    """Return the whole message."""
    choice = answer.choices[0]
    body = _message(ask, stamp)
    body["content"] = list(_content(ask, choice, stamp))
    body |= _stop(choice, script)
    if script.usage:
        body["usage"] = _final_usage(ask, answer, script)
    return orjson.dumps(body)


def events(ask: Ask, answer: Answer, script: Script, stamp: Stamp) -> Iterator[Frame]:
    """Return the events from `message_start` to `message_stop`."""
    choice = answer.choices[0]
    message = _message(ask, stamp)
    if script.usage:
        message["usage"] = usage(ask, script, FIRST_OUTPUT_TOKENS)
    yield Frame(_event("message_start", {"message": message}))
    sent = 0
    for index, (opening, deltas) in enumerate(_blocks(ask, choice, stamp)):
        yield Frame(_event("content_block_start", {"index": index, "content_block": opening}), sent)
        if index == 0:
            yield Frame(PING, sent)
        prefix = (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":'
            % index
        )
        for delta, after in deltas:
            sent = max(sent, after)
            yield Frame(b"%b%b}\n\n" % (prefix, delta), sent)
        yield Frame(_event("content_block_stop", {"index": index}), sent)
    ending: dict[str, Any] = {"delta": _stop(choice, script)}
    sent = answer.completion_tokens
    if script.usage:
        ending["usage"] = {
            name: count
            for name, count in _final_usage(ask, answer, script).items()
            if name in _CUMULATIVE
        }
    yield Frame(_event("message_delta", ending), sent, usage=script.usage)
    yield Frame(_event("message_stop", {}), sent)


def usage(ask: Ask, script: Script, output_tokens: int) -> dict[str, Any]:
    """Return the usage report: `input_tokens` excludes what was read from or put in the cache."""
    cached = min(script.cached_tokens, ask.prompt_tokens)
    written = min(script.cache_write_tokens, ask.prompt_tokens - cached)
    written_1h = min(script.cache_write_1h_tokens, written)
    return {
        "input_tokens": ask.prompt_tokens - cached - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": written - written_1h,
            "ephemeral_1h_input_tokens": written_1h,
        },
        "output_tokens": output_tokens,
        "service_tier": "priority" if ask.service_tier == "priority" else "standard",
    }


def _final_usage(ask: Ask, answer: Answer, script: Script) -> dict[str, Any]:
    report = usage(ask, script, answer.completion_tokens)
    if ask.thinking:
        report["output_tokens_details"] = {"thinking_tokens": answer.reasoning_tokens}
    return report


def error_body(refused: Refused, stamp: Stamp) -> bytes:
    """Return the error object."""
    return orjson.dumps(
        {
            "type": "error",
            "error": {"type": refused.kind, "message": refused.message},
            "request_id": f"req_{stamp.token}",
        }
    )


def error_event(refused: Refused, stamp: Stamp) -> bytes:
    """Return the error as a streamed event."""
    return b"event: error\ndata: %b\n\n" % error_body(refused, stamp)


def _event(kind: str, members: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps({"type": kind, **members}))


def _message(ask: Ask, stamp: Stamp) -> dict[str, Any]:
    return {
        "model": ask.model,
        "id": f"msg_{stamp.token}",
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
    }


def _stop(choice: Choice, script: Script) -> dict[str, Any]:
    reason = script.finish_reason or _STOP_REASONS[choice.finish]
    details = None
    if reason == "refusal":
        explanation = "The simulator was told to refuse."
        details = {"type": "refusal", "category": None, "explanation": explanation}
    return {
        "stop_reason": reason,
        "stop_sequence": choice.stop_sequence,
        "stop_details": details,
    }


def _content(ask: Ask, choice: Choice, stamp: Stamp) -> Iterator[dict[str, Any]]:
    if ask.thinking:
        text = joined(choice.reasoning)
        yield {"type": "thinking", "thinking": text, "signature": SIGNATURE}
    if choice.text:
        yield {"type": "text", "text": joined(choice.text)}
    for number, call in enumerate(choice.calls):
        yield _tool_use(call, number, stamp) | {"input": orjson.loads(call.arguments or "{}")}


def _blocks(
    ask: Ask, choice: Choice, stamp: Stamp
) -> Iterator[tuple[dict[str, Any], Iterator[tuple[bytes, int]]]]:
    """Yield the opening of each block, and its deltas with the tokens sent after each."""
    if ask.thinking:
        yield {"type": "thinking", "thinking": "", "signature": ""}, _thinking_deltas(choice)
    if choice.text:
        yield (
            {"type": "text", "text": ""},
            ((b'{"type":"text_delta","text":%b}' % orjson.dumps(t), n) for t, n in choice.text),
        )
    for number, call in enumerate(choice.calls):
        yield _tool_use(call, number, stamp), _input_deltas(call)


def _thinking_deltas(choice: Choice) -> Iterator[tuple[bytes, int]]:
    for text, sent in choice.reasoning:
        yield b'{"type":"thinking_delta","thinking":%b}' % orjson.dumps(text), sent
    yield b'{"type":"signature_delta","signature":"%b"}' % SIGNATURE.encode(), 0


def _input_deltas(call: Call) -> Iterator[tuple[bytes, int]]:
    # As the provider does: an empty piece first, and nothing else for a call without arguments.
    yield b'{"type":"input_json_delta","partial_json":""}', 0
    for text, sent in call.pieces:
        yield b'{"type":"input_json_delta","partial_json":%b}' % orjson.dumps(text), sent


def _tool_use(call: Call, number: int, stamp: Stamp) -> dict[str, Any]:
    token = f"toolu_{stamp.token}{number:02x}"
    return {"type": "tool_use", "id": token, "name": call.name, "input": {}}
