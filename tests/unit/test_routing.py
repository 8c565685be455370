"""Where a model name leads."""

from __future__ import annotations

import pytest

from korad.errors import ClientError
from korad.routing import MODEL_CHARS_MAX, Router
from tests.support.rooms import a_provider

OPENAI = a_provider("openai")
GATEWAY = a_provider("openrouter", gateway=True)
ALIASES = {"fast": "openai/gpt-4o-mini", "loop": "other", "half": "openai/", "openai/x": "no/no"}


def router(*rows):
    return Router({row.name: row for row in rows}, ALIASES)


@pytest.mark.parametrize(
    ("name", "provider", "upstream_model", "vendor", "model"),
    [
        ("openai/gpt-4o", "openai", "gpt-4o", "openai", "gpt-4o"),
        ("fast", "openai", "gpt-4o-mini", "openai", "gpt-4o-mini"),
        ("openai/ft:a/b/c", "openai", "ft:a/b/c", "openai", "ft:a/b/c"),
        ("openai//x", "openai", "/x", "openai", "/x"),
        ("openai/x", "openai", "x", "openai", "x"),
        ("meta/llama:free", "openrouter", "meta/llama:free", "meta", "llama:free"),
        ("openrouter/meta/llama", "openrouter", "meta/llama", "openrouter", "meta/llama"),
    ],
)
def test_a_name_leads_to_a_row_and_what_it_is_called_there(
    name, provider, upstream_model, vendor, model
):
    route = router(OPENAI, GATEWAY).resolve(name)

    assert provider == route.provider.name
    assert (upstream_model, vendor, model) == (route.upstream_model, route.vendor, route.model)


@pytest.mark.parametrize(
    "name",
    ["", "/", "gpt-4o", "openai/", "/gpt-4o", "loop", "half", "OpenAI/x", " openai/x", "x/y"],
)
def test_any_other_name_is_invalid(name):
    with pytest.raises(ClientError) as caught:
        router(OPENAI).resolve(name)

    assert (caught.value.status, caught.value.code) == (400, "invalid_model")
    assert caught.value.param == "model"


@pytest.mark.parametrize("rows", [(OPENAI,), (OPENAI, GATEWAY)])
def test_a_name_longer_than_any_models_is_refused_and_quoted_in_part(rows):
    longest = "openai/".ljust(MODEL_CHARS_MAX, "x")

    assert router(*rows).resolve(longest).upstream_model == longest[7:]
    with pytest.raises(ClientError) as caught:
        router(*rows).resolve(longest + "x")
    assert len(caught.value.message) < 200


def test_an_error_quotes_no_control_characters():
    with pytest.raises(ClientError) as caught:
        router(OPENAI).resolve("a\r\n\x00\u2028b")

    assert "'a????b'" in caught.value.message
