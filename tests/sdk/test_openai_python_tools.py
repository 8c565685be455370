"""The official openai package against korad: tools and structured output, of both dialects."""

from __future__ import annotations

from typing import Any, Literal

import orjson
import pytest
from openai import AsyncOpenAI, LengthFinishReasonError, OpenAI
from pydantic import BaseModel

from korad.simulator import Script

from .conftest import Proxy

QUESTION: Any = [{"role": "user", "content": "How is the weather in Paris and in Rome?"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tell the weather.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
PARIS, ROME = '{"city":"Paris"}', '{"city":"Rome"}'


class Forecast(BaseModel):
    city: str
    degrees: int
    sky: Literal["clear", "cloudy"]


FORECAST = '{"city":"Paris","degrees":21,"sky":"clear"}'


def calls_of(message: Any) -> list[tuple[str, str]]:
    return [(call.function.name, call.function.arguments) for call in message.tool_calls]


def normalised(calls: list[tuple[str, str]]) -> list[tuple[str, Any]]:
    return [(name, orjson.loads(arguments)) for name, arguments in calls]


def test_a_forced_tool_is_called(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.create(
        model=model,
        messages=QUESTION,
        tools=[WEATHER],
        tool_choice={"type": "function", "function": {"name": "weather"}},
    )

    choice = answer.choices[0]
    assert "tool_calls" == choice.finish_reason
    assert choice.message.content is None
    assert [("weather", {"city": "simulated"})] == normalised(calls_of(choice.message))


def test_parallel_calls_come_in_order_with_ids_of_their_own(
    proxy: Proxy, client: OpenAI, model: str
) -> None:
    proxy.script = Script(tool_calls=[("weather", PARIS), ("weather", ROME)])
    answer = client.chat.completions.create(
        model=model, messages=QUESTION, tools=[WEATHER], parallel_tool_calls=True
    )

    message = answer.choices[0].message
    assert [("weather", {"city": "Paris"}), ("weather", {"city": "Rome"})] == normalised(
        calls_of(message)
    )
    assert message.tool_calls is not None
    assert 2 == len({call.id for call in message.tool_calls})


def test_the_arguments_of_parallel_calls_are_streamed_in_pieces(
    proxy: Proxy, client: OpenAI, model: str
) -> None:
    proxy.script = Script(tool_calls=[("weather", PARIS), ("weather", ROME)], odd_chunks=True)
    stream = client.chat.completions.create(
        model=model, messages=QUESTION, tools=[WEATHER], stream=True
    )
    deltas = [
        call
        for chunk in stream
        for choice in chunk.choices
        for call in choice.delta.tool_calls or []
    ]

    whole = ["", ""]
    for call in deltas:
        assert call.function is not None
        whole[call.index] += call.function.arguments or ""
    assert [PARIS, ROME] == whole
    assert len(deltas) > 4
    named = [call for call in deltas if call.function and call.function.name]
    assert [0, 1] == [call.index for call in named]
    assert 2 == len({call.id for call in deltas if call.id})


@pytest.mark.parametrize("arguments", ["", "{}"])
def test_a_streamed_call_without_arguments_is_whole(
    proxy: Proxy, client: OpenAI, model: str, arguments: str
) -> None:
    proxy.script = Script(tool_calls=[("weather", arguments)])
    with client.chat.completions.stream(model=model, messages=QUESTION, tools=[WEATHER]) as stream:
        message = stream.get_final_completion().choices[0].message

    (call,) = calls_of(message)
    assert "weather" == call[0]
    assert call[1] in {"{}", arguments}


async def test_the_stream_helper_parses_arguments_while_they_come(
    proxy: Proxy, async_client: AsyncOpenAI, model: str
) -> None:
    proxy.script = Script(tool_calls=[("weather", PARIS)])
    async with async_client.chat.completions.stream(
        model=model, messages=QUESTION, tools=[WEATHER]
    ) as stream:
        done = [
            event.arguments
            async for event in stream
            if event.type == "tool_calls.function.arguments.done"
        ]
        answer = await stream.get_final_completion()

    assert [PARIS] == done
    assert "tool_calls" == answer.choices[0].finish_reason


def test_the_answers_of_tools_go_back_to_the_provider(
    proxy: Proxy, client: OpenAI, model: str
) -> None:
    proxy.script = Script(tool_calls=[("weather", PARIS), ("weather", ROME)])
    first = client.chat.completions.create(model=model, messages=QUESTION, tools=[WEATHER])
    asked = first.choices[0].message
    assert asked.tool_calls is not None
    results: list[Any] = [
        {"role": "tool", "tool_call_id": call.id, "content": f"sunny, {number}"}
        for number, call in enumerate(asked.tool_calls)
    ]
    proxy.script = Script(text="Sunny in both.")
    second = client.chat.completions.create(
        model=model, messages=[*QUESTION, asked.to_dict(), *results], tools=[WEATHER]
    )

    assert "Sunny in both." == second.choices[0].message.content
    sent = orjson.loads(proxy.simulator.requests[-1].body)["messages"]
    if model.startswith("openai/"):
        assert [asked.to_dict(), *results] == sent[1:]
    else:
        assert ["user", "assistant", "user"] == [message["role"] for message in sent]
        assert [{"city": "Paris"}, {"city": "Rome"}] == [
            block["input"] for block in sent[1]["content"]
        ]
        assert [call.id for call in asked.tool_calls] == [
            block["tool_use_id"] for block in sent[2]["content"]
        ]


def test_a_pydantic_model_is_parsed(proxy: Proxy, client: OpenAI, model: str) -> None:
    proxy.script = Script(text=FORECAST)
    answer = client.chat.completions.parse(model=model, messages=QUESTION, response_format=Forecast)

    assert Forecast(city="Paris", degrees=21, sky="clear") == answer.choices[0].message.parsed


def test_the_schema_decides_what_the_provider_answers(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.parse(model=model, messages=QUESTION, response_format=Forecast)

    assert Forecast(city="simulated", degrees=1, sky="clear") == answer.choices[0].message.parsed


async def test_a_streamed_pydantic_model_is_parsed(
    proxy: Proxy, async_client: AsyncOpenAI, model: str
) -> None:
    proxy.script = Script(text=FORECAST)
    async with async_client.chat.completions.stream(
        model=model, messages=QUESTION, response_format=Forecast
    ) as stream:
        answer = await stream.get_final_completion()

    assert Forecast(city="Paris", degrees=21, sky="clear") == answer.choices[0].message.parsed


def test_a_structured_answer_cut_by_the_token_limit_is_told(
    proxy: Proxy, client: OpenAI, model: str
) -> None:
    proxy.script = Script(text=FORECAST)

    with pytest.raises(LengthFinishReasonError):
        client.chat.completions.parse(
            model=model, messages=QUESTION, response_format=Forecast, max_tokens=3
        )


def test_a_json_schema_written_by_hand_is_honoured(client: OpenAI, model: str) -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {"colour": {"type": "string", "enum": ["red", "blue"]}},
        "required": ["colour"],
        "additionalProperties": False,
    }
    answer = client.chat.completions.create(
        model=model,
        messages=QUESTION,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "choice", "schema": schema, "strict": True},
        },
    )

    assert {"colour": "red"} == orjson.loads(answer.choices[0].message.content or "")


def test_a_refusal_of_the_model_is_told_as_a_refusal(proxy: Proxy, client: OpenAI) -> None:
    proxy.script = Script(text="", finish_reason="refusal")
    answer = client.chat.completions.create(
        model="anthropic/claude-sonnet-4-5-20250929", messages=QUESTION
    )

    assert "content_filter" == answer.choices[0].finish_reason
    assert answer.choices[0].message.refusal
