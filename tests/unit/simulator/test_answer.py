"""Tests of `korad.simulator.answer`."""

from __future__ import annotations

import orjson
import pytest

from korad.simulator import Script, count_words
from korad.simulator.answer import DEMO_OPENING, GREETING, Ask, Finish, Tool, compose, joined


def ask(text="Tell me.", **changes):
    facts = {"model": "m", "stream": False, "prompt_tokens": 3, "last_user_text": text}
    return Ask(**(facts | changes))


def answer(asked, script=None, *, seed=1, demo=False):
    return compose(asked, script or Script(), seed=seed, demo=demo, count=count_words)


def text_of(composed, index=0):
    return joined(composed.choices[index].text)


def test_the_same_seed_and_prompt_give_the_same_answer():
    assert answer(ask()) == answer(ask(stream=True))


@pytest.mark.parametrize(("asked", "seed"), [(ask(), 2), (ask("Else."), 1), (ask(model="n"), 1)])
def test_another_seed_prompt_or_model_gives_another_answer(asked, seed):
    assert text_of(answer(ask())) != text_of(answer(asked, seed=seed))


def test_a_made_up_answer_is_as_long_as_scripted():
    composed = answer(ask(), Script(completion_tokens=100))

    assert (100, 100) == (composed.completion_tokens, count_words(text_of(composed)))


def test_usage_of_a_fixed_text_may_be_scripted_apart():
    composed = answer(ask(), Script(text="one two", completion_tokens=9))

    assert 9 == composed.completion_tokens
    assert [4, 9] == [piece.sent_tokens for piece in composed.choices[0].text]


def test_pieces_tell_how_many_tokens_are_out():
    composed = answer(ask(), Script(text="one two three four five", chunk_tokens=2))

    assert [2, 4, 5] == [piece.sent_tokens for piece in composed.choices[0].text]


def test_a_limit_cuts_the_answer_short():
    composed = answer(ask(max_tokens=2), Script(text="one two three"))

    assert ("one two", 2) == (text_of(composed), composed.completion_tokens)
    assert Finish.LENGTH is composed.choices[0].finish


def test_an_answer_just_within_its_limit_is_not_cut():
    assert Finish.STOP is answer(ask(max_tokens=3), Script(text="one two three")).choices[0].finish


def test_a_stop_sequence_ends_the_answer_before_it():
    choice = answer(ask(stop=("four", "two")), Script(text="one two three four")).choices[0]

    assert ("one ", Finish.STOP_SEQUENCE, "two") == (
        joined(choice.text),
        choice.finish,
        choice.stop_sequence,
    )


def test_several_choices_differ_and_are_counted_together():
    composed = answer(ask(choices=2), Script(completion_tokens=10))

    assert text_of(composed, 0) != text_of(composed, 1)
    assert [5, 10] == [choice.text[-1].sent_tokens for choice in composed.choices]


def test_scripted_tool_calls_are_made_and_counted():
    composed = answer(ask(), Script(tool_calls=[("look_up", '{"a": 1}'), ("now", "")]))
    choice = composed.choices[0]

    assert [("look_up", '{"a": 1}'), ("now", "")] == [(c.name, c.arguments) for c in choice.calls]
    assert Finish.TOOL_CALLS is choice.finish
    assert count_words('look_up {"a": 1} now') == composed.completion_tokens


def test_a_forced_tool_is_called_with_arguments_of_its_schema():
    tool = Tool(name="f", schema={"type": "object", "properties": {"n": {"type": "integer"}}})
    call = answer(ask(forced_tool=tool)).choices[0].calls[0]

    assert ("f", {"n": 1}) == (call.name, orjson.loads(call.arguments))


OFFERED = (
    Tool(name="get_stock_price", schema={}),
    Tool(name="getWeather", schema={"type": "object", "properties": {"city": {"type": "string"}}}),
)


@pytest.mark.parametrize(
    ("prompt", "called"),
    [
        ("What is the weather in Paris?", ["getWeather"]),
        ("WEATHER and price?", ["get_stock_price"]),
        ("Get the news for me.", []),
        ("", []),
    ],
)
def test_the_demo_calls_an_offered_tool_that_the_prompt_speaks_of(prompt, called):
    choice = answer(ask(prompt, offered_tools=OFFERED), demo=True).choices[0]

    assert called == [call.name for call in choice.calls]
    assert (Finish.TOOL_CALLS if called else Finish.STOP) is choice.finish


def test_only_the_demo_calls_tools_by_itself():
    assert [] == answer(ask("weather", offered_tools=OFFERED)).choices[0].calls


def test_a_schema_is_answered_with_json_that_fits():
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}}

    assert {"ok": True} == orjson.loads(text_of(answer(ask(schema=schema))))


def test_reasoning_is_part_of_the_completion():
    composed = answer(ask(), Script(reasoning="let me think", text="yes"))

    assert (3, 4) == (composed.reasoning_tokens, composed.completion_tokens)


@pytest.mark.parametrize("prompt", ["Hello, world!", "  hi", "HI there"])
def test_the_demo_greets_back_in_nine_tokens(prompt):
    composed = answer(ask(prompt), demo=True)

    assert (GREETING, 9) == (text_of(composed), composed.completion_tokens)


def test_the_demo_counts():
    expected = f"{DEMO_OPENING} 1, 2, 3, 4, 5, 6, 7, 8, 9, 10."

    assert expected == text_of(answer(ask("Count to 10"), demo=True))


@pytest.mark.parametrize("prompt", ["What is hi-fi?", "history", ""])
def test_the_demo_says_that_no_provider_was_called(prompt):
    assert text_of(answer(ask(prompt), demo=True)).startswith(DEMO_OPENING)
