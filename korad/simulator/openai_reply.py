"""Shape answers as OpenAI does: one object, chunks of a stream, errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from korad.simulator.answer import Answer, Ask, Choice, Finish, joined
from korad.simulator.openai_logprobs import logprobs_of
from korad.simulator.reply import Frame, Refused, Stamp
from korad.simulator.script import Script

SYSTEM_FINGERPRINT = "korad-simulator"
DONE = b"data: [DONE]\n\n"

_FINISH_REASONS = {
    Finish.STOP: "stop",
    Finish.STOP_SEQUENCE: "stop",
    Finish.LENGTH: "length",
    Finish.TOOL_CALLS: "tool_calls",
}


def completion(ask: Ask, answer: Answer, script: Script, stamp: Stamp) -> bytes:
    """Return the `chat.completion` object."""
    body = _identity("chat.completion", ask, stamp)
    body["choices"] = [
        {
            "index": index,
            "message": _message(choice, index, stamp),
            "logprobs": logprobs_of(joined(choice.text), ask.top_logprobs),
            "finish_reason": _finish_reason(choice, script),
        }
        for index, choice in enumerate(answer.choices)
    ]
    if script.usage:
        body["usage"] = usage(ask, answer, script)
    return orjson.dumps(body)


def events(ask: Ask, answer: Answer, script: Script, stamp: Stamp) -> Iterator[Frame]:
    """Return the `chat.completion.chunk` events and `[DONE]`."""
    with_usage = ask.include_usage and script.usage
    head = orjson.dumps(_identity("chat.completion.chunk", ask, stamp))[:-1] + b',"choices":['
    tail = b'],"usage":null}\n\n' if with_usage else b"]}\n\n"
    sent = 0
    for index, choice in enumerate(answer.choices):
        open_choice = b'data: %b{"index":%d,"delta":' % (head, index)
        close_choice = b',"logprobs":null,"finish_reason":null}' + tail
        for delta, after, said in _deltas(choice, index, stamp):
            sent = max(sent, after)
            closing = close_choice
            if said and ask.top_logprobs is not None:
                told = orjson.dumps(logprobs_of(said, ask.top_logprobs))
                closing = b',"logprobs":%b,"finish_reason":null}%b' % (told, tail)
            yield Frame(open_choice + delta + closing, sent)
        reason = orjson.dumps(_finish_reason(choice, script))
        yield Frame(
            b'%b{},"logprobs":null,"finish_reason":%b}%b' % (open_choice, reason, tail), sent
        )
    sent = answer.completion_tokens
    if with_usage:
        report = orjson.dumps(usage(ask, answer, script))
        yield Frame(b'data: %b],"usage":%b}\n\n' % (head, report), sent, usage=True)
    yield Frame(DONE, sent)


def usage(ask: Ask, answer: Answer, script: Script) -> dict[str, Any]:
    """Return the usage report: cached prompt tokens are part of `prompt_tokens`."""
    prompt_details = {
        "cached_tokens": min(script.cached_tokens, ask.prompt_tokens),
        "audio_tokens": 0,
    }
    if script.cache_write_tokens:
        prompt_details["cache_write_tokens"] = script.cache_write_tokens
    return {
        "prompt_tokens": ask.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "total_tokens": ask.prompt_tokens + answer.completion_tokens,
        "prompt_tokens_details": prompt_details,
        "completion_tokens_details": {
            "reasoning_tokens": answer.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def error_body(refused: Refused) -> bytes:
    """Return the error object, all four members present."""
    return orjson.dumps(
        {
            "error": {
                "message": refused.message,
                "type": refused.kind,
                "param": refused.param,
                "code": refused.code,
            }
        }
    )


def _identity(kind: str, ask: Ask, stamp: Stamp) -> dict[str, Any]:
    tier = ask.service_tier
    return {
        "id": f"chatcmpl-{stamp.token}",
        "object": kind,
        "created": stamp.created_s,
        "model": ask.model,
        "service_tier": "default" if tier in {None, "auto"} else tier,
        "system_fingerprint": SYSTEM_FINGERPRINT,
    }


def _message(choice: Choice, index: int, stamp: Stamp) -> dict[str, Any]:
    text = joined(choice.text)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if choice.calls and not text else text,
        "refusal": None,
        "annotations": [],
    }
    if choice.reasoning:
        message["reasoning_content"] = joined(choice.reasoning)
    if choice.calls:
        message["tool_calls"] = [
            {
                "id": _call_id(stamp, index, number),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for number, call in enumerate(choice.calls)
        ]
    return message


def _deltas(choice: Choice, index: int, stamp: Stamp) -> Iterator[tuple[bytes, int, str]]:
    """Yield each delta, the tokens sent with it (0: it adds none), and its part of the text."""
    opening = b"null" if choice.calls and not choice.text else b'""'
    yield b'{"role":"assistant","content":%b,"refusal":null}' % opening, 0, ""
    for text, sent in choice.reasoning:
        yield b'{"reasoning_content":%b}' % orjson.dumps(text), sent, ""
    for text, sent in choice.text:
        yield b'{"content":%b}' % orjson.dumps(text), sent, text
    for number, call in enumerate(choice.calls):
        yield (
            orjson.dumps(
                {
                    "tool_calls": [
                        {
                            "index": number,
                            "id": _call_id(stamp, index, number),
                            "type": "function",
                            "function": {"name": call.name, "arguments": ""},
                        }
                    ]
                }
            ),
            0,
            "",
        )
        for text, sent in call.pieces:
            yield (
                b'{"tool_calls":[{"index":%d,"function":{"arguments":%b}}]}'
                % (number, orjson.dumps(text)),
                sent,
                "",
            )


def _call_id(stamp: Stamp, index: int, number: int) -> str:
    return f"call_{stamp.token}{index:02x}{number:02x}"


def _finish_reason(choice: Choice, script: Script) -> str:
    return script.finish_reason or _FINISH_REASONS[choice.finish]
