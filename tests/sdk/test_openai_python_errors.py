"""The official openai package against korad: every failure arrives as the SDK's own exception."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx2
import openai
import pytest
from openai import APIError, APIStatusError, APITimeoutError, AsyncOpenAI, OpenAI

from korad.simulator import Fault, Script

from .conftest import Proxy

MESSAGES: Any = [{"role": "user", "content": "Hello!"}]
OPENAI = "openai/gpt-4o"

CLASSES: list[tuple[int, type[APIStatusError]]] = [
    (400, openai.BadRequestError),
    (401, openai.AuthenticationError),
    (402, openai.APIStatusError),
    (403, openai.PermissionDeniedError),
    (404, openai.NotFoundError),
    (409, openai.ConflictError),
    (413, openai.APIStatusError),
    (422, openai.UnprocessableEntityError),
    (429, openai.RateLimitError),
    (500, openai.InternalServerError),
    (503, openai.InternalServerError),
    (529, openai.InternalServerError),
]
MISTAKES: list[tuple[dict[str, Any], type[APIStatusError], str, str | None]] = [
    ({"model": "gpt"}, openai.BadRequestError, "invalid_model", "model"),
    ({"model": "nobody/gpt-4o"}, openai.BadRequestError, "invalid_model", "model"),
    ({"messages": []}, openai.BadRequestError, "invalid_messages", "messages"),
    (
        {"extra_headers": {"X-Savings-Level": "much"}},
        openai.BadRequestError,
        "invalid_savings_level",
        "X-Savings-Level",
    ),
]
KEYS: list[tuple[str, str, type[APIStatusError], str]] = [
    ("sk-bf-nobody-knows-this-key", OPENAI, openai.AuthenticationError, "virtual_key_not_found"),
    (Proxy.inactive_key, OPENAI, openai.PermissionDeniedError, "virtual_key_blocked"),
    (Proxy.narrow_key, "openai/gpt-4", openai.PermissionDeniedError, "model_blocked"),
]
BREAKS = [
    (Fault.EARLY_CLOSE, "upstream_broken"),
    (Fault.RESET_MID_STREAM, "upstream_broken"),
    (Fault.TRUNCATED_JSON, "upstream_broken"),
]


def error_status(status: int) -> Script:
    return Script(fault=Fault.ERROR_STATUS, status=status, retry_after_s=0.01)


class Recovering(httpx2.Client):
    """A transport after whose first answer the provider is well again."""

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(event_hooks={"response": [self._recover]})
        self._proxy = proxy

    def _recover(self, response: Any) -> None:
        del response
        self._proxy.script = Script(text="Well again.")


@pytest.mark.parametrize(("status", "expected"), CLASSES)
@pytest.mark.parametrize("stream", [False, True])
def test_an_error_of_the_provider_keeps_its_status_and_words(
    proxy: Proxy,
    client: OpenAI,
    model: str,
    status: int,
    expected: type[APIStatusError],
    *,
    stream: bool,
) -> None:
    proxy.script = error_status(status)

    with pytest.raises(expected) as raised:
        client.chat.completions.create(model=model, messages=MESSAGES, stream=stream)

    error = raised.value
    assert expected is type(error)
    assert status == error.status_code
    assert isinstance(error.body, dict)
    assert {"message", "type", "param", "code"} == error.body.keys()
    assert error.body["message"]
    assert "sk-sim" not in error.message
    assert error.request_id is not None
    assert error.request_id in proxy.simulator.ledger


@pytest.mark.parametrize(("changes", "expected", "code", "param"), MISTAKES)
def test_a_mistake_of_the_caller_is_named(
    client: OpenAI,
    changes: dict[str, Any],
    expected: type[APIStatusError],
    code: str,
    param: str | None,
) -> None:
    members: dict[str, Any] = {"model": OPENAI, "messages": MESSAGES} | changes

    with pytest.raises(expected) as raised:
        client.chat.completions.create(**members)

    assert (code, param) == (raised.value.code, raised.value.param)
    assert "invalid_request_error" == raised.value.type


@pytest.mark.parametrize(("key", "model_name", "expected", "code"), KEYS)
def test_a_key_that_may_not_is_told_so_and_nothing_is_sent(
    proxy: Proxy, key: str, model_name: str, expected: type[APIStatusError], code: str
) -> None:
    with (
        OpenAI(base_url=proxy.base_url, api_key=key) as client,
        pytest.raises(expected) as raised,
    ):
        client.chat.completions.create(model=model_name, messages=MESSAGES)

    assert code == raised.value.code
    assert key not in str(raised.value.body)
    assert [] == proxy.simulator.requests


@pytest.mark.parametrize("status", [409, 429, 500, 503, 529])
def test_the_sdk_tries_again_what_may_go_better(proxy: Proxy, model: str, status: int) -> None:
    proxy.script = error_status(status)
    with (
        Recovering(proxy) as transport,
        OpenAI(base_url=proxy.base_url, api_key=proxy.key, http_client=transport) as client,
    ):
        answer = client.chat.completions.create(model=model, messages=MESSAGES)

    assert "Well again." == answer.choices[0].message.content
    assert 2 == len(proxy.simulator.requests)


@pytest.mark.parametrize("status", [400, 402, 403, 404])
def test_the_sdk_does_not_try_again_what_cannot_go_better(
    proxy: Proxy, model: str, status: int
) -> None:
    proxy.script = error_status(status)
    with (
        OpenAI(base_url=proxy.base_url, api_key=proxy.key, max_retries=2) as client,
        pytest.raises(APIStatusError) as raised,
    ):
        client.chat.completions.create(model=model, messages=MESSAGES)

    assert status == raised.value.status_code
    assert 1 == len(proxy.simulator.requests)


def test_when_to_retry_is_passed_on(proxy: Proxy, client: OpenAI, model: str) -> None:
    proxy.script = Script(fault=Fault.ERROR_STATUS, status=429, retry_after_s=1.5)

    with pytest.raises(openai.RateLimitError) as raised:
        client.chat.completions.create(model=model, messages=MESSAGES)

    headers = raised.value.response.headers
    assert ("2", "1500") == (headers["retry-after"], headers["retry-after-ms"])


@pytest.mark.parametrize(
    "fault", [Fault.RESET_BEFORE_HEAD, Fault.CLOSE_WITHOUT_ANSWER, Fault.GARBAGE]
)
def test_a_provider_that_does_not_answer_is_a_bad_gateway(
    proxy: Proxy, client: OpenAI, model: str, fault: Fault
) -> None:
    proxy.script = Script(fault=fault)

    with pytest.raises(openai.InternalServerError) as raised:
        client.chat.completions.create(model=model, messages=MESSAGES)

    assert 502 == raised.value.status_code
    assert raised.value.code in {"upstream_broken", "upstream_unreachable"}
    assert "upstream_error" == raised.value.type


def test_a_timeout_of_the_client_ends_the_call_to_the_provider(
    proxy: Proxy, client: OpenAI, model: str
) -> None:
    proxy.script = Script(fault=Fault.STALL_BEFORE_HEAD)

    # On a busy machine a client may give up before the provider has been called.
    while not proxy.simulator.requests:
        with pytest.raises(APITimeoutError):
            client.with_options(timeout=0.1).chat.completions.create(model=model, messages=MESSAGES)

    proxy.until(lambda: all(e.aborted_at for e in proxy.simulator.ledger.values()))
    proxy.script = Script(text="Well again.")
    answer = client.chat.completions.create(model=model, messages=MESSAGES)
    assert "Well again." == answer.choices[0].message.content


@pytest.mark.parametrize(("fault", "code"), BREAKS)
def test_a_stream_that_breaks_raises_after_what_came(
    proxy: Proxy, client: OpenAI, model: str, fault: Fault, code: str
) -> None:
    proxy.script = Script(text="One two three four five six.", fault=fault, fault_after_chunks=5)
    pieces: list[str] = []

    with pytest.raises(APIError) as raised:
        pieces.extend(
            chunk.choices[0].delta.content or ""
            for chunk in client.chat.completions.create(model=model, messages=MESSAGES, stream=True)
        )

    assert (code, "upstream_error") == (raised.value.code, raised.value.type)
    assert "".join(pieces)
    assert "One two three four five six.".startswith("".join(pieces))


@pytest.mark.parametrize("fault", [Fault.ERROR_MID_STREAM, Fault.ERROR_FIRST_EVENT])
async def test_an_error_the_provider_streams_raises_with_its_words(
    proxy: Proxy, async_client: AsyncOpenAI, model: str, fault: Fault
) -> None:
    proxy.script = Script(text="One two three four five.", fault=fault, status=529)

    with pytest.raises(APIError, match=r"(?i)overloaded"):
        [
            chunk
            async for chunk in await async_client.chat.completions.create(
                model=model, messages=MESSAGES, stream=True
            )
        ]


def test_a_client_goes_on_after_a_broken_stream(proxy: Proxy, client: OpenAI, model: str) -> None:
    proxy.script = replace(Script(text="One two three."), fault=Fault.RESET_MID_STREAM)
    with pytest.raises(APIError):
        list(client.chat.completions.create(model=model, messages=MESSAGES, stream=True))
    proxy.script = Script(text="Well again.")
    answer = client.chat.completions.create(model=model, messages=MESSAGES)

    assert "Well again." == answer.choices[0].message.content
