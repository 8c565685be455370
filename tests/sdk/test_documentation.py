"""The public documentation's examples word for word; only host and port are put in."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import orjson
import pytest
from openai import BadRequestError, OpenAI

from korad.simulator import Script

from .conftest import Proxy

NODE_FOLDER = Path(__file__).parent / "node"
ANSWER = "Hello! How can I help you today?"
MODEL = "anthropic/claude-sonnet-4-5-20250929"

needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
needs_node = pytest.mark.skipif(
    not shutil.which("node") or not (NODE_FOLDER / "node_modules" / "openai").is_dir(),
    reason="Node.js or the npm package openai is not installed",
)

BASIC_REQUEST = r"""
curl -X POST http://localhost:8084/v1/chat/completions \
-H "Content-Type: application/json" \
-H "x-bf-vk: sk-bf-YOUR_VIRTUAL_KEY" \
-d '{
"model": "anthropic/claude-sonnet-4-5-20250929",
"messages": [
{"role": "user", "content": "Hello!"}
],
"max_tokens": 100
}'
"""

WITH_SAVINGS_SLIDER = r"""
curl -X POST http://localhost:8084/v1/chat/completions \
-H "Content-Type: application/json" \
-H "X-Savings-Level: extreme" \
-H "x-bf-vk: sk-bf-YOUR_VIRTUAL_KEY" \
-d '{
"model": "anthropic/claude-sonnet-4-5-20250929",
"messages": [{"role": "user", "content": "...large content..."}]
}'
"""

STREAMING_RESPONSE = r"""
curl -X POST http://localhost:8084/v1/chat/completions \
-H "Content-Type: application/json" \
-H "x-bf-vk: sk-bf-YOUR_VIRTUAL_KEY" \
-d '{
"model": "anthropic/claude-sonnet-4-5-20250929",
"messages": [{"role": "user", "content": "Count to 10"}],
"stream": true
}'
"""

PYTHON_SDK = """
from openai import OpenAI

client = OpenAI(
base_url="http://localhost:8084/v1",
api_key="sk-bf-YOUR_VIRTUAL_KEY"
)

response = client.chat.completions.create(
model="anthropic/claude-sonnet-4-5-20250929",
messages=[
{"role": "system", "content": "You are helpful."},
{"role": "user", "content": "Explain quantum computing"}
],
max_tokens=500
)

print(response.choices[0].message.content)
"""

JAVASCRIPT_SDK = """
import OpenAI from 'openai';

const openai = new OpenAI({
baseURL: 'http://localhost:8084/v1',
apiKey: 'sk-bf-YOUR_VIRTUAL_KEY',
});

const completion = await openai.chat.completions.create({
model: 'anthropic/claude-sonnet-4-5-20250929',
messages: [
{ role: 'user', content: 'Hello!' }
],
});

console.log(completion.choices[0].message.content);
"""

DOCUMENTED_BODY: dict[str, Any] = {
    "model": MODEL,
    "messages": [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "Hello, world!"},
    ],
    "max_tokens": 100,
    "temperature": 0.7,
    "stream": False,
}

DOCUMENTED_HEADERS = {
    "Content-Type": "application/json",
    "X-Korad-Original-Tokens": "10",
    "X-Korad-Optimized-Tokens": "10",
    "X-Korad-Savings-USD": "$0.000000",
    "X-Korad-Strategy": "Passthrough (no optimization needed)",
    "X-Korad-Billed-Amount": "$0.000057",
    "X-Korad-Profit-Margin": "1.50x",
}

DOCUMENTED_ERROR = {
    "error": {
        "message": "Invalid model name",
        "type": "invalid_request_error",
        "param": "model",
        "code": "invalid_model",
    }
}


def placed(example: str, proxy: Proxy) -> str:
    return example.replace("localhost:8084", f"127.0.0.1:{proxy.port}")


async def output_of(*command: str, folder: Path | None = None) -> bytes:
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, cwd=folder)
    output, complaints = await process.communicate()

    assert process.returncode == 0, complaints.decode()

    return output


@pytest.fixture
def documented(proxy: Proxy) -> Proxy:
    """Return the proxy whose simulator gives the documented answer."""
    proxy.script = Script(text=ANSWER)
    return proxy


@needs_curl
async def test_the_basic_request_is_answered(documented: Proxy) -> None:
    answer = orjson.loads(await output_of("sh", "-c", placed(BASIC_REQUEST, documented)))

    assert re.fullmatch(r"chatcmpl-\S+", answer["id"])
    assert ("chat.completion", MODEL) == (answer["object"], answer["model"])
    assert ANSWER == answer["choices"][0]["message"]["content"]
    assert "stop" == answer["choices"][0]["finish_reason"]
    assert (2, 9, 11) == tuple(
        answer["usage"][name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")
    )


@needs_curl
async def test_the_request_with_the_savings_slider_is_answered(documented: Proxy) -> None:
    answer = orjson.loads(await output_of("sh", "-c", placed(WITH_SAVINGS_SLIDER, documented)))

    assert ANSWER == answer["choices"][0]["message"]["content"]


@needs_curl
async def test_the_streaming_request_is_answered_with_events_that_end_in_done(
    documented: Proxy,
) -> None:
    output = await output_of("sh", "-c", placed(STREAMING_RESPONSE, documented))

    data = [line[6:] for line in output.splitlines() if line.startswith(b"data: ")]
    assert b"[DONE]" == data.pop()
    chunks = [orjson.loads(each) for each in data]
    assert {"chat.completion.chunk"} == {chunk["object"] for chunk in chunks}
    assert {MODEL} == {chunk["model"] for chunk in chunks}
    assert ANSWER == "".join(c["choices"][0]["delta"].get("content", "") for c in chunks)


async def test_the_python_example_prints_the_answer(documented: Proxy) -> None:
    output = await output_of(sys.executable, "-c", placed(PYTHON_SDK, documented))

    assert f"{ANSWER}\n" == output.decode()


@needs_node
@pytest.mark.node
async def test_the_javascript_example_prints_the_answer(documented: Proxy) -> None:
    code = placed(JAVASCRIPT_SDK, documented)
    output = await output_of("node", "--input-type=module", "--eval", code, folder=NODE_FOLDER)

    assert f"{ANSWER}\n" == output.decode()


def test_the_documented_request_gives_exactly_the_documented_figures(
    documented: Proxy, client: OpenAI
) -> None:
    raw = client.chat.completions.with_raw_response.create(**DOCUMENTED_BODY)

    assert DOCUMENTED_HEADERS == {name: raw.headers.get(name) for name in DOCUMENTED_HEADERS}
    body = orjson.loads(raw.content)
    assert (10, 9, 19) == tuple(
        body["usage"][name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")
    )
    assert (MODEL, "chat.completion") == (body["model"], body["object"])
    assert 1 == len(documented.simulator.requests)


def test_the_documented_error_has_the_documented_shape(client: OpenAI) -> None:
    with pytest.raises(BadRequestError) as raised:
        client.chat.completions.create(**DOCUMENTED_BODY | {"model": "no-such-model"})

    error = orjson.loads(raised.value.response.content)
    assert DOCUMENTED_ERROR["error"].keys() == error["error"].keys()
    assert DOCUMENTED_ERROR == {"error": error["error"] | {"message": "Invalid model name"}}
    assert "application/json" == raised.value.response.headers["content-type"]


def test_an_authorization_header_and_the_documented_header_carry_the_same_key(
    documented: Proxy,
) -> None:
    headers = {"x-bf-vk": documented.key}
    with OpenAI(base_url=documented.base_url, api_key="not-a-key", default_headers=headers) as sdk:
        answer = sdk.chat.completions.create(**DOCUMENTED_BODY)

    assert ANSWER == answer.choices[0].message.content
