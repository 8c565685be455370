"""Beside the endpoint: health, models, metrics, what became of a request."""

from __future__ import annotations

import re

import pytest

from korad.adapters.key_store import open_key_store
from korad.simulator import Fault, Script
from tests.support.proxy import LIMITED_KEY, NOW_S, REVOKED_KEY, running_proxy
from tests.support.raw_http import KEY, RawConnection, ask, chat, request

SECOND_KEY = "sk-bf-integration-second"


def get(path, key=KEY):
    return request(method="GET", path=path, key=key)


@pytest.fixture
async def proxy(tmp_path):
    async with running_proxy(
        tmp_path, tail='[prices."openai/gpt-4o-mini"]\ninput = 1.0\noutput = 1.0'
    ) as running:
        yield running


@pytest.mark.parametrize("path", ["/livez", "/healthz"])
async def test_a_live_server_says_so_to_anybody(proxy, path):
    answer = await ask(proxy.port, get(path, key=None))

    assert (200, {"status": "ok"}) == (answer.status, answer.json)


async def test_readiness_tells_how_much_is_under_way(proxy):
    proxy.simulator.script = Script(latency_s=3_600)
    async with RawConnection(proxy.port) as busy:
        busy.send(request(chat()))
        await proxy.simulator.until(lambda: proxy.simulator.requests)
        answer = await ask(proxy.port, get("/readyz", key=None))

    assert {"status": "ready", "inflight": 1} == answer.json


async def test_models_are_those_with_a_price_and_the_aliases(proxy):
    answer = await ask(proxy.port, get("/v1/models"))
    names = [each["id"] for each in answer.json["data"]]

    assert "list" == answer.json["object"]
    assert {"openai/gpt-4o-mini", "quick"} <= set(names)
    assert any(name.startswith("anthropic/claude-") for name in names)
    assert len(set(names)) == len(names)


async def test_a_key_sees_only_the_models_it_may_use(proxy):
    answer = await ask(proxy.port, get("/v1/models", key=LIMITED_KEY))
    names = {each["id"] for each in answer.json["data"]}

    assert {"openai/gpt-4o-mini"} == {name for name in names if "/" in name}


async def test_one_model_is_found_by_its_name(proxy):
    found = await ask(proxy.port, get("/v1/models/openai/gpt-4o-mini"))
    missing = await ask(proxy.port, get("/v1/models/nowhere/no-such-model"))

    assert ("openai/gpt-4o-mini", "openai") == (found.json["id"], found.json["owned_by"])
    assert (404, "invalid_request_error", "model_not_found") == missing.error


async def test_a_model_the_endpoint_would_serve_is_found_though_the_list_has_only_its_family(proxy):
    found = await ask(proxy.port, get("/v1/models/anthropic/claude-sonnet-4-5-20250929"))

    assert found.json["id"] == "anthropic/claude-sonnet-4-5-20250929"


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/openai/gpt-4o", "/v1/korad/requests/r"])
async def test_who_asks_for_them_needs_a_good_key(proxy, path):
    assert 401 == (await ask(proxy.port, get(path, key=None))).status
    assert 403 == (await ask(proxy.port, get(path, key=REVOKED_KEY))).status


async def test_a_request_is_remembered_for_its_key_alone(proxy):
    with open_key_store(proxy.settings.state_dir) as store:
        store.create("second", now_s=NOW_S, secret=SECOND_KEY)
    await proxy.app._watch.refresh()
    answer = await ask(proxy.port, request(chat(), lines=("X-Client-Request-Id: mine",)))
    path = f"/v1/korad/requests/{answer.headers['x-request-id']}"
    own = await ask(proxy.port, get(path))
    other = await ask(proxy.port, get(path, key=SECOND_KEY))

    assert ("mine", 200, "completed") == (
        own.json["client_request_id"],
        own.json["status"],
        own.json["outcome"],
    )
    assert answer.json["usage"]["prompt_tokens"] == own.json["usage"]["prompt_tokens"]
    assert (404, "invalid_request_error", "not_found") == other.error


@pytest.mark.parametrize(
    "request_id",
    ["x", "req_" + "0" * 32, "req_ff" + "0" * 30, "req_" + "z" * 32, "req_" + "%ff" * 9],
)
async def test_an_id_that_never_was_is_not_found(proxy, request_id):
    assert 404 == (await ask(proxy.port, get(f"/v1/korad/requests/{request_id}"))).status


async def test_metrics_count_what_happened(proxy):
    for data in (request(chat()), request(chat(stream=True)), request(chat(), key=None)):
        await ask(proxy.port, data)
    answer = await ask(proxy.port, get("/metrics", key=None))
    text = answer.body.decode()
    counted = re.findall(r"^korad_requests_total\{(.*)\} (\d+)$", text, re.MULTILINE)

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 3 == sum(int(number) for _, number in counted)
    assert 1 == sum(int(number) for labels, number in counted if 'code="401"' in labels)
    assert re.search(r"^korad_request_duration_seconds_count 3$", text, re.MULTILINE)
    assert KEY not in text


async def test_metrics_can_be_switched_off(tmp_path):
    async with running_proxy(tmp_path, server="access_log = false\nmetrics = false") as proxy:
        assert 404 == (await ask(proxy.port, get("/metrics"))).status


async def test_the_record_of_a_stream_tells_the_prompt_as_the_provider_billed_it(proxy):
    streamed = await ask(proxy.port, request(chat(stream=True)))
    request_id = re.search(rb"x-request-id: (\S+)", streamed.head)[1].decode()
    record = (await ask(proxy.port, get(f"/v1/korad/requests/{request_id}"))).json

    assert record["usage"]["prompt_tokens"] == record["optimized_tokens"]
    assert record["original_tokens"] == record["optimized_tokens"]


async def test_a_provider_that_refuses_our_key_is_named(proxy):
    proxy.simulator.script = Script(fault=Fault.ERROR_STATUS, status=401)
    answer = await ask(proxy.port, request(chat()))

    assert 401 == answer.status
    assert answer.json["error"]["message"].startswith(
        "The provider 'openai' refused korad's credential: "
    )
