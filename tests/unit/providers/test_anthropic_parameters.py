"""Top-level parameters: translated, refused, ignored."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsBase

from korad.errors import ClientError
from korad.providers.anthropic_parameters import (
    IGNORED,
    REFUSED,
    max_tokens_of,
    refuse_unsupported,
    sampling_of,
    stop_sequences_of,
    user_id_of,
)
from tests.support.anthropic_wire import CLASSIC, STRICTEST, built, capabilities

TRANSLATED = {
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "model",
    "parallel_tool_calls",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "stop",
    "temperature",
    "tool_choice",
    "tools",
    "top_p",
    "user",
}


def test_every_parameter_of_openai_is_translated_refused_or_ignored() -> None:
    known = set(CompletionCreateParamsBase.__annotations__)

    assert known == TRANSLATED | set(REFUSED) | set(IGNORED)
    assert not set(REFUSED) & set(IGNORED)


REFUSED_VALUES = {
    "audio": {"voice": "alloy", "format": "wav"},
    "function_call": "auto",
    "functions": [{"name": "f"}],
    "logprobs": True,
    "modalities": ["text", "audio"],
    "moderation": {"model": "omni"},
    "n": 2,
    "top_logprobs": 3,
    "web_search_options": {},
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_parameter_that_would_change_the_answer_is_refused_by_name(name: str) -> None:
    with pytest.raises(ClientError) as caught:
        refuse_unsupported({name: REFUSED_VALUES[name]})

    assert (400, "unsupported_parameter", name) == (
        caught.value.status,
        caught.value.code,
        caught.value.param,
    )


def test_harmless_values_of_refused_parameters_pass() -> None:
    harmless = {"n": 1, "logprobs": False, "top_logprobs": 0, "modalities": ["text"]}
    refuse_unsupported({**dict.fromkeys(REFUSED), **harmless, "functions": []})

    assert built() == built(**harmless)


@pytest.mark.parametrize("name", [*IGNORED, "foo", "obfuscation"])
def test_an_ignored_or_unknown_parameter_leaves_no_trace(name: str) -> None:
    assert built() == built(**{name: {"some": "thing"}})


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({}, 32_000),
        ({"max_tokens": 5}, 5),
        ({"max_tokens": 5, "max_completion_tokens": 7}, 7),
        ({"max_tokens": 5, "max_completion_tokens": None}, 5),
    ],
)
def test_the_limit_is_the_clients_or_the_models_default(members: Any, expected: int) -> None:
    assert expected == max_tokens_of(members, capabilities())


@pytest.mark.parametrize(
    ("limit", "code"),
    [("9", "invalid_type"), (1.5, "invalid_type"), (True, "invalid_type"), (0, "invalid_value")],
)
def test_a_limit_that_is_none_is_refused(limit: Any, code: str) -> None:
    with pytest.raises(ClientError) as caught:
        max_tokens_of({"max_tokens": limit}, capabilities())

    assert (code, "max_tokens") == (caught.value.code, caught.value.param)


@pytest.mark.parametrize(
    ("members", "model", "thinking", "expected"),
    [
        ({}, CLASSIC, False, {}),
        ({"temperature": 0}, CLASSIC, False, {"temperature": 0}),
        ({"temperature": 1.7}, CLASSIC, False, {"temperature": 1}),
        ({"temperature": None, "top_p": 0.5}, CLASSIC, False, {"top_p": 0.5}),
        ({"temperature": 0.2, "top_p": 0.5}, CLASSIC, False, {"temperature": 0.2}),
        (
            {"temperature": 0.2, "top_p": 0.5, "top_k": 4},
            "claude-3-haiku-20240307",
            False,
            {"temperature": 0.2, "top_p": 0.5, "top_k": 4},
        ),
        ({"temperature": 0.2, "top_p": 0.5}, CLASSIC, True, {}),
        ({"temperature": 1, "top_p": 1}, STRICTEST, False, {}),
    ],
)
def test_sampling_parameters_are_those_the_model_accepts(
    members: Any, model: str, expected: Any, *, thinking: bool
) -> None:
    assert expected == sampling_of(members, capabilities(model), thinking=thinking)


@pytest.mark.parametrize("model", [CLASSIC, STRICTEST])
@pytest.mark.parametrize(
    ("name", "value"), [("temperature", 2.1), ("temperature", -0.1), ("top_p", 1.1), ("top_p", -1)]
)
def test_a_value_that_openai_refuses_is_refused_whatever_the_model(
    name: str, value: float, model: str
) -> None:
    with pytest.raises(ClientError) as caught:
        sampling_of({name: value}, capabilities(model), thinking=False)

    assert ("invalid_value", name) == (caught.value.code, caught.value.param)


@pytest.mark.parametrize("value", ["hot", True, [1]])
def test_a_temperature_that_is_no_number_is_refused_whatever_the_model(value: Any) -> None:
    with pytest.raises(ClientError) as caught:
        sampling_of({"temperature": value}, capabilities(STRICTEST), thinking=False)

    assert ("invalid_type", "temperature") == (caught.value.code, caught.value.param)


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        (None, []),
        ("END", ["END"]),
        (["a", "\n", "", " b"], ["a", " b"]),
        ("\n\n", []),
    ],
)
def test_stop_becomes_a_list_without_blank_sequences(stop: Any, expected: list[str]) -> None:
    assert expected == stop_sequences_of({"stop": stop})


@pytest.mark.parametrize("stop", [7, [7], {"a": 1}])
def test_a_stop_of_another_shape_is_refused(stop: Any) -> None:
    with pytest.raises(ClientError) as caught:
        stop_sequences_of({"stop": stop})

    assert "stop" == caught.value.param


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({}, None),
        ({"user": ""}, None),
        ({"user": "u-1"}, "u-1"),
        ({"user": "u-1", "safety_identifier": "s-1"}, "s-1"),
    ],
)
def test_an_opaque_user_passes(members: Any, expected: str | None) -> None:
    assert expected == user_id_of(members)


@pytest.mark.parametrize(
    "user", ["ann@example.org", "Ann <ann@example.org>", "+49 (170) 123-4567", "x" * 257]
)
def test_a_user_that_could_be_a_person_or_is_too_long_is_hashed(user: str) -> None:
    assert hashlib.sha256(user.encode()).hexdigest() == user_id_of({"user": user})


def test_a_user_that_is_no_string_is_refused() -> None:
    with pytest.raises(ClientError) as caught:
        user_id_of({"user": 7})

    assert "user" == caught.value.param
