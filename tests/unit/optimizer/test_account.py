"""What each transform does to a request, told for people."""

from __future__ import annotations

import msgspec
import pytest

from korad.optimizer import PASSTHROUGH, CachePolicy, TokenCounter
from korad.optimizer.account import account
from korad.wire.openai import parse_chat_request

ROWS = msgspec.json.format(
    msgspec.json.encode([{"id": n, "name": f"row {n}", "ok": True} for n in range(40)]), indent=2
).decode()
CALL = {"id": "c", "type": "function", "function": {"name": "rows", "arguments": "{}"}}
MESSAGES = [
    {"role": "user", "content": "Which row is the seventh?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c", "content": ROWS},
    {"role": "assistant", "content": "row 6"},
    {"role": "user", "content": "And now?"},
    {"role": "assistant", "content": None, "tool_calls": [{**CALL, "id": "d"}]},
    {"role": "tool", "tool_call_id": "d", "content": ROWS},
]


def the_account(level, messages=MESSAGES, policy=None):
    request = parse_chat_request(msgspec.json.encode({"model": "a/b", "messages": messages}))
    # Characters by fours, blanks too: what is left out can be seen in the count.
    counter = TokenCounter(lambda text: [0] * (len(text) // 4))
    return account(request, level, counter, policy or CachePolicy())


def test_the_steps_lead_from_the_original_to_what_is_sent():
    told = the_account("medium")
    tokens = [told.original_tokens]
    for step in told.steps:
        assert step.tokens_before == tokens[-1]
        tokens.append(step.tokens_after)

    assert [step.name for step in told.steps] == ["JSON minify", "Table", "Duplicate reference"]
    assert tokens[-1] == told.optimized_tokens < told.original_tokens
    assert told.strategy == "JSON minify + Table + Duplicate reference (medium)"


def test_every_changed_text_is_shown():
    told = the_account("low")

    assert [(change.message, change.role) for change in told.changes] == [(2, "tool"), (6, "tool")]
    assert told.changes[0].before == ROWS
    assert msgspec.json.decode(told.changes[0].after) == msgspec.json.decode(ROWS)


@pytest.mark.parametrize("level", ["off", "medium"])
def test_a_request_with_nothing_to_gain_is_a_pass_through(level):
    told = the_account(level, MESSAGES[:1])

    assert told.strategy == PASSTHROUGH
    assert (told.steps, told.changes) == ([], [])
    assert told.original_tokens == told.optimized_tokens


def test_marks_for_the_cache_are_part_of_the_strategy():
    long = [{"role": "system", "content": "rule " * 4_000}, *MESSAGES]
    told = the_account("low", long, CachePolicy(marks=True))

    assert "Prompt cache" in told.strategy
    assert [change.role for change in told.changes] == ["tool", "tool"]
