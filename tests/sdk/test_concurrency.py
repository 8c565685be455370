"""Hundreds of calls at once through one client: everybody gets the answer to his own question."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from openai import AsyncOpenAI

from korad.simulator import Script

from .conftest import Proxy

CALLS = 200
MODELS = ("openai/gpt-4o", "anthropic/claude-sonnet-4-5-20250929")
TOKEN_NANO_USD = 3_000


def a_format(word: str) -> Any:
    """Return the response format whose only answer names `word`."""
    schema = {
        "type": "object",
        "properties": {"word": {"type": "string", "enum": [word]}},
        "required": ["word"],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "w", "schema": schema, "strict": True}}


async def ask(client: AsyncOpenAI, number: int) -> tuple[str, str, str]:
    """Return the word asked for, the word answered and the request's id."""
    word = f"unique-{number:04d}"
    members: dict[str, Any] = {
        "model": MODELS[number % 2],
        "messages": [{"role": "user", "content": f"Say {word}. " + "Please. " * (number % 7)}],
        "response_format": a_format(word),
    }
    create = client.chat.completions.with_raw_response.create
    if number % 4 < 2:
        raw: Any = await create(**members, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in await _parsed(raw)])
    else:
        raw = await create(**members)
        text = (await _parsed(raw)).choices[0].message.content
    return word, orjson.loads(text)["word"], raw.headers["x-request-id"]


async def _parsed(raw: Any) -> Any:
    parsed = raw.parse()
    return await parsed if asyncio.iscoroutine(parsed) else parsed


async def test_no_answer_goes_to_another_call(proxy: Proxy, async_client: AsyncOpenAI) -> None:
    proxy.script = Script(first_token_s=0.02, token_interval_s=0.002, odd_chunks=True)
    answers = await asyncio.gather(*(ask(async_client, number) for number in range(CALLS)))

    assert [word for word, _, _ in answers] == [answered for _, answered, _ in answers]
    sent = {each.header("x-request-id"): each.body for each in proxy.simulator.requests}
    assert CALLS == len(sent)
    for word, _, request_id in answers:
        assert word.encode() in sent[request_id]


async def test_every_call_is_billed_for_its_own_tokens(
    proxy: Proxy, async_client: AsyncOpenAI
) -> None:
    answers = await asyncio.gather(*(ask(async_client, number) for number in range(CALLS)))
    records: list[Any] = await asyncio.gather(
        *(
            async_client.get(f"/korad/requests/{request_id}", cast_to=object)
            for _, _, request_id in answers
        )
    )

    ledger = proxy.simulator.ledger
    assert CALLS == len(ledger)
    assert [
        (ledger[each].prompt_tokens + ledger[each].completion_tokens) * TOKEN_NANO_USD
        for _, _, each in answers
    ] == [record["charge"]["billed_nano_usd"] for record in records]


async def test_calls_that_are_given_up_do_not_disturb_the_others(
    proxy: Proxy, async_client: AsyncOpenAI
) -> None:
    proxy.script = Script(first_token_s=0.02, token_interval_s=0.002)
    tasks = [asyncio.create_task(ask(async_client, number)) for number in range(CALLS // 2)]
    await asyncio.to_thread(proxy.until, lambda: len(proxy.simulator.requests) >= CALLS // 4)
    for given_up in tasks[::3]:
        given_up.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)

    answers = [each for each in results if not isinstance(each, BaseException)]
    assert len(tasks) - len(tasks[::3]) <= len(answers)
    assert {type(each) for each in results} <= {tuple, asyncio.CancelledError}
    assert [word for word, _, _ in answers] == [answered for _, answered, _ in answers]
