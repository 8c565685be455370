"""Whatever a client sends becomes a body or a 400, and never anything else."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings, strategies as st

from korad.errors import ClientError
from korad.providers.anthropic_request import build_body
from korad.providers.anthropic_turns import ConversationBuilder
from korad.wire.openai import parse_chat_request
from tests.support.anthropic_wire import (
    CLASSIC,
    STRICTEST,
    SYSTEM_TURNS,
    a_call,
    a_result,
    calling,
    capabilities,
)

MODELS = st.sampled_from([CLASSIC, STRICTEST, SYSTEM_TURNS, "claude-3-haiku", "claude-opus-4-5"])
KEYWORDS = (  # noqa: SIM905 - quotes and commas read worse
    "type role content text name id function arguments parameters properties items format"
    " description enum anyOf tool_calls tool_call_id image_url url file file_data cache_control"
    " json_schema schema allowed_tools tools mode strict refusal minItems minimum"
).split()
WORDS = (  # noqa: SIM905 - quotes and commas read worse
    "user assistant system developer tool function text image_url file json_schema json_object"
    " object string auto required none allowed_tools low max END data:image/png;base64,AAAA"
    " https://x.org/a ephemeral date"
).split()
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(WORDS),
    st.text(max_size=5),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(KEYWORDS), inner, max_size=4),
    ),
    max_leaves=12,
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(WORDS[:6]), "content": JSON},
        optional={"tool_calls": JSON, "tool_call_id": JSON, "refusal": JSON, "cache_control": JSON},
    ),
    min_size=1,
    max_size=4,
)
PARAMETERS = (  # noqa: SIM905 - quotes and commas read worse
    "max_tokens max_completion_tokens temperature top_p top_k stop user safety_identifier n"
    " tools tool_choice parallel_tool_calls response_format reasoning_effort thinking logprobs"
    " modalities cache_control anything"
).split()
FUNCTIONS = JSON.map(
    lambda schema: {"function": {"name": "f", "strict": True, "parameters": schema}}
)
MEMBERS = st.dictionaries(st.sampled_from(PARAMETERS), JSON, max_size=4) | st.fixed_dictionaries(
    {"tools": st.lists(FUNCTIONS, min_size=1, max_size=2)},
    optional={"tool_choice": JSON, "response_format": JSON},
)


def translate(model: str, raw: bytes) -> dict[str, Any] | int:
    """Return the body, or the status of the refusal."""
    try:
        body = build_body(parse_chat_request(raw), model, capabilities(model))
    except ClientError as error:
        return error.status
    return msgspec.json.decode(body)


@settings(max_examples=200, deadline=None)
@given(model=MODELS, messages=MESSAGES, members=MEMBERS)
def test_any_request_is_translated_or_refused(
    model: str, messages: list[Any], members: dict[str, Any]
) -> None:
    found = translate(model, msgspec.json.encode({"model": "m", "messages": messages, **members}))

    if isinstance(found, int):
        assert 400 == found
    else:
        assert {"model", "max_tokens", "messages"} <= set(found)
        assert all(turn["content"] for turn in found["messages"])


TEXTS = st.sampled_from(["a", "b", " ", ""])
STEPS = st.one_of(
    st.builds(
        lambda role, text: [{"role": role, "content": text}], st.sampled_from(WORDS[:4]), TEXTS
    ),
    st.builds(
        lambda ids, text: [
            calling(*(a_call(call_id) for call_id in ids), content=text),
            *(a_result(call_id, text) for call_id in reversed(ids)),
        ],
        st.lists(st.sampled_from(["c1", "c2", "c:2", "c_2"]), unique=True, min_size=1),
        TEXTS,
    ),
)


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(STEPS, max_size=8), system_turns=st.booleans())
def test_turns_alternate_and_every_call_is_answered_in_the_next(
    steps: list[list[Any]], *, system_turns: bool
) -> None:
    model = SYSTEM_TURNS if system_turns else CLASSIC
    messages = [*(message for step in steps for message in step), {"role": "user", "content": "z"}]
    turns = ConversationBuilder(capabilities(model)).build(messages).turns
    ids: list[str] = []

    assert "user" == turns[0]["role"] == turns[-1]["role"]

    for turn, following in zip(turns, [*turns[1:], None], strict=True):
        calls = [block["id"] for block in turn["content"] if block["type"] == "tool_use"]
        ids += calls
        after = [] if following is None else following["content"]
        answers = [block["tool_use_id"] for block in after if block["type"] == "tool_result"]

        assert sorted(calls) == sorted(answers)
        assert following is None or turn["role"] != following["role"]
        assert turn["role"] != "system" or (following or {}).get("role") == "assistant"

    assert len(set(ids)) == len(ids)
