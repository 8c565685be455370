"""An OpenAI request as the body of Anthropic's `POST /v1/messages`."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from korad.domain.chat import ChatRequest
from korad.errors import invalid_messages, invalid_request
from korad.providers.anthropic_models import Capabilities
from korad.providers.anthropic_parameters import (
    IGNORED,
    max_tokens_of,
    refuse_unsupported,
    sampling_of,
    stop_sequences_of,
    user_id_of,
)
from korad.providers.anthropic_schema import output_format
from korad.providers.anthropic_shapes import Json, cache_control_of
from korad.providers.anthropic_thinking import plan_thinking
from korad.providers.anthropic_tools import Toolbox, read_tools
from korad.providers.anthropic_turns import Conversation, ConversationBuilder

CACHE_BREAKPOINTS_MAX = 4
"""The API's limit on `cache_control` markers in one request."""

_NOT_READ = frozenset(IGNORED) | {"model", "stream"}


def build_body(request: ChatRequest, model: str, capabilities: Capabilities) -> bytes:
    """Return the body for `model`. Raises ClientError (400) for what cannot be honoured."""
    try:
        members = _decode(request)
        refuse_unsupported(members)
        return _encode(_translate(members, model, capabilities, stream=request.stream))
    except RecursionError:
        raise invalid_request(
            "The request body is nested too deeply.", code="invalid_json"
        ) from None


def _decode(request: ChatRequest) -> Json:
    members: Json = {}
    for name, raw in request.members.items():
        if name in _NOT_READ:
            continue
        try:
            members[name] = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise invalid_request(
                f"The request body is not valid JSON: {error}", code="invalid_json", param=name
            ) from None
    return members


def _translate(members: Json, model: str, capabilities: Capabilities, *, stream: bool) -> Json:
    messages = members.get("messages")
    if not isinstance(messages, list):
        raise invalid_messages("'messages' must be an array of message objects.")
    conversation = ConversationBuilder(capabilities).build(messages)
    toolbox = read_tools(members, conversation.tool_names, capabilities)
    thinking = plan_thinking(
        members,
        capabilities,
        max_tokens=max_tokens_of(members, capabilities),
        forced=toolbox.forced,
        budget_fits=not (conversation.tool_names or conversation.prefilled),
    )
    form, hint = output_format(members.get("response_format"), capabilities)
    system = [*conversation.system, {"type": "text", "text": hint}] if hint else conversation.system
    user_id = user_id_of(members)
    output_config = {
        name: setting
        for name, setting in (("effort", thinking.effort), ("format", form))
        if setting
    }
    optional = {
        "system": system,
        "tools": toolbox.tools,
        "tool_choice": toolbox.choice,
        "thinking": thinking.config,
        "output_config": output_config,
        "stop_sequences": stop_sequences_of(members),
        "metadata": user_id and {"user_id": user_id},
        "stream": stream,
    }
    marker = cache_control_of(members, "request")
    _refuse_many_breakpoints(conversation, toolbox, len(marker))
    return {
        "model": model,
        "max_tokens": thinking.max_tokens,
        "messages": conversation.turns,
        **{name: setting for name, setting in optional.items() if setting},
        **sampling_of(members, capabilities, thinking=thinking.active),
        **marker,
    }


def _refuse_many_breakpoints(conversation: Conversation, toolbox: Toolbox, others: int) -> None:
    blocks = _cacheable_blocks(conversation, toolbox)
    if sum("cache_control" in block for block in blocks) + others > CACHE_BREAKPOINTS_MAX:
        raise invalid_messages(
            f"At most {CACHE_BREAKPOINTS_MAX} 'cache_control' markers are allowed in a request."
        )


def _cacheable_blocks(conversation: Conversation, toolbox: Toolbox) -> Iterator[Json]:
    yield from toolbox.tools or ()
    yield from conversation.system
    for turn in conversation.turns:
        yield from turn["content"]


_encode = msgspec.json.Encoder().encode
