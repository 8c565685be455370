"""All that follows from a model name."""

from __future__ import annotations

from importlib import resources

import pytest

from korad import rooms as rooms_module
from korad.billing.pricebook import PriceBook
from korad.domain.money import price_from_usd_per_mtok
from korad.domain.secret import Secret
from korad.domain.upstream import AuthScheme, Origin
from korad.errors import ClientError
from tests.support.rooms import a_book, a_provider, some_rooms


def call_head(**fields):
    rooms = some_rooms(a_provider("openai", **fields))
    return rooms.destination("openai/gpt-4o").call_head.decode()


def test_the_upstream_head_is_made_once_per_model_name():
    rooms = some_rooms()
    destination = rooms.destination("openai/gpt-4o")

    assert destination is rooms.destination("openai/gpt-4o")
    assert destination.call_head.decode().split("\r\n") == [
        "POST /v1/chat/completions HTTP/1.1",
        "Host: api.test",
        "Authorization: Bearer sk-upstream",
        "Content-Type: application/json",
        "Accept: application/json, text/event-stream",
        "Accept-Encoding: identity",
        "User-Agent: korad/test",
        "",
    ]


@pytest.mark.parametrize(
    ("scheme", "host", "port", "authority"),
    [
        ("https", "api.test", 443, "api.test"),
        ("http", "api.test", 80, "api.test"),
        ("https", "api.test", 80, "api.test:80"),
        ("http", "::1", 8000, "[::1]:8000"),
        ("https", "::1", 443, "[::1]"),
    ],
)
def test_the_host_names_a_port_that_is_not_the_schemes(scheme, host, port, authority):
    head = call_head(origin=Origin(scheme=scheme, host=host, port=port))

    assert f"\r\nHost: {authority}\r\n" in head


@pytest.mark.parametrize(
    ("auth", "credential", "line"),
    [
        (AuthScheme.BEARER, Secret("s"), "Authorization: Bearer s"),
        (AuthScheme.X_API_KEY, Secret("s"), "x-api-key: s"),
        (AuthScheme.API_KEY, Secret("s"), "api-key: s"),
    ],
)
def test_a_credential_stands_where_the_provider_wants_it(auth, credential, line):
    assert f"\r\n{line}\r\n" in call_head(auth=auth, credential=credential)


@pytest.mark.parametrize(
    ("auth", "credential"), [(AuthScheme.NONE, Secret("hush")), (AuthScheme.BEARER, None)]
)
def test_without_a_scheme_or_a_credential_none_is_sent(auth, credential):
    head = call_head(auth=auth, credential=credential).lower()

    assert "hush" not in head
    assert "authorization" not in head


def test_a_rows_query_and_headers_go_along():
    head = call_head(query="api-version=1", headers=(("X-Title", "a\r\nb"),), base_path="")

    assert head.startswith("POST /chat/completions?api-version=1 HTTP/1.1\r\n")
    assert "\r\nX-Title: a??b\r\n" in head


def test_a_model_without_a_price_is_refused_unless_its_provider_is_free():
    rooms = some_rooms(a_provider("p"), a_provider("local", free=True))
    with pytest.raises(ClientError) as caught:
        rooms.destination("p/m")

    assert (caught.value.status, caught.value.code) == (400, "unpriced_model")
    price = rooms.destination("local/m").price
    assert (price.input_pico_usd, price.output_pico_usd) == (0, 0)


def test_a_gateways_model_may_be_priced_under_its_vendors_name():
    destination = some_rooms(a_provider("router", gateway=True)).destination("openai/gpt-4o")

    assert (destination.vendor, destination.model) == ("openai", "gpt-4o")
    assert (destination.target.provider, destination.target.model) == ("router", "openai/gpt-4o")
    assert destination.price.input_pico_usd == 2_000_000


def test_a_configured_price_beats_the_list_behind_a_gateway_too():
    rooms = some_rooms(a_provider("openrouter", gateway=True))
    configured = price_from_usd_per_mtok({"input": 100, "output": 200})
    listed = resources.files("korad.data").joinpath("prices.json").read_bytes()
    rooms.replace_book(
        PriceBook.parse(listed, {"openai/gpt-4o-mini": configured}, today="2026-11-22")
    )

    assert rooms.destination("openai/gpt-4o-mini").price == configured
    assert rooms.destination("openai/gpt-4o").price.input_pico_usd == 2_500_000


def test_a_new_price_book_is_in_force_at_once():
    rooms = some_rooms()
    before = rooms.destination("openai/gpt-4o")
    rooms.replace_book(a_book({"openai/*": price_from_usd_per_mtok({"input": 3, "output": 3})}))

    assert before.price.input_pico_usd == 2_000_000
    assert rooms.destination("openai/gpt-4o").price.input_pico_usd == 3_000_000


def test_the_memory_of_names_is_bounded(monkeypatch):
    monkeypatch.setattr(rooms_module, "DESTINATIONS_MAX", 3)
    rooms = some_rooms()
    for number in range(10):
        assert rooms.destination(f"openai/{number}").model == str(number)
        assert len(rooms._destinations) <= 3


def test_margins_have_two_decimals():
    rooms = some_rooms()

    assert [rooms.margin_text(bp) for bp in (15_000, 10_000, 15_000)] == [
        b"1.50x",
        b"1.00x",
        b"1.50x",
    ]
