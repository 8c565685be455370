"""A whole Messages answer as a `chat.completion`."""

from __future__ import annotations

from typing import Any

import msgspec

from korad.domain.chat import ChatRequest
from korad.providers.anthropic_errors import hidden_error
from korad.providers.anthropic_events import Block, Message, StopDetails, broken
from korad.providers.anthropic_usage import fold, usage_object
from korad.providers.base import Completion

REFUSED_WITHOUT_WORDS = "The model declined to answer."
"""Stands in for a refusal's explanation where Anthropic gives none, so that it is not lost."""

_FINISH_REASONS = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def read_completion(body: bytes, request: ChatRequest, created_s: int) -> Completion:
    """Return the answer in OpenAI's shape.

    Raises UpstreamRefused for an error under a 200, UpstreamError (502) for any other body.
    """
    try:
        answer = _answer_decoder.decode(body)
        message = _message(answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise hidden_error(body) or broken("The provider's answer is not a message.") from None
    completion: dict[str, Any] = {
        "id": completion_id(answer.id),
        "object": "chat.completion",
        "created": created_s,
        "model": request.model,
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": None,
                "finish_reason": finish_reason(answer.stop_reason),
            }
        ],
    }
    usage = None if answer.usage is None else fold(answer.usage)
    if usage is None:
        return Completion(body=_encode(completion), usage=None, text=_generated(message))
    completion["usage"] = usage_object(usage)
    if usage.service_tier is not None:
        completion["service_tier"] = usage.service_tier
    return Completion(body=_encode(completion), usage=usage)


def completion_id(message_id: str) -> str:
    """Return OpenAI's form of Anthropic's message id."""
    return "chatcmpl-" + message_id.removeprefix("msg_")


def finish_reason(stop_reason: str | None) -> str:
    """Return OpenAI's finish reason; an unknown one is a plain stop."""
    return _FINISH_REASONS.get(stop_reason or "", "stop")


def refusal_text(details: StopDetails | None) -> str:
    """Return why the model refused, never empty."""
    return (details.explanation if details else None) or REFUSED_WITHOUT_WORDS


def _message(answer: Message) -> dict[str, Any]:
    text = "".join(block.text or "" for block in answer.content if block.type == "text")
    thinking = "".join(block.thinking or "" for block in answer.content if block.type == "thinking")
    calls = [_tool_call(block) for block in answer.content if block.type == "tool_use"]
    refused = answer.stop_reason == "refusal"
    message: dict[str, Any] = {
        "role": "assistant",
        "content": text if text or not (calls or refused) else None,
        "refusal": refusal_text(answer.stop_details) if refused else None,
    }
    if thinking:
        message["reasoning_content"] = thinking
    if calls:
        message["tool_calls"] = calls
    return message


def _tool_call(block: Block) -> dict[str, Any]:
    arguments = bytes(block.input).decode() or "{}"
    return {
        "id": block.id,
        "type": "function",
        "function": {"name": block.name, "arguments": arguments},
    }


def _generated(message: dict[str, Any]) -> str:
    calls = (call["function"] for call in message.get("tool_calls", ()))
    pieces = [message.get("reasoning_content", ""), message["content"] or ""]
    pieces += [call["name"] + call["arguments"] for call in calls]
    return "".join(pieces)


_answer_decoder = msgspec.json.Decoder(Message)
_encode = msgspec.json.Encoder().encode
