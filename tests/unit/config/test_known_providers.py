"""The table of known providers."""

from __future__ import annotations

import pytest

from korad.config.base_url import parse_base_url
from korad.config.known_providers import KNOWN_PROVIDERS, base_url_variable, key_variable
from korad.domain.upstream import AuthScheme


def test_the_known_providers_are_these():
    assert [
        "openai",
        "anthropic",
        "groq",
        "mistral",
        "deepseek",
        "together",
        "fireworks",
        "openrouter",
        "xai",
        "gemini",
        "azure",
        "vllm",
        "ollama",
    ] == [known.name for known in KNOWN_PROVIDERS]


@pytest.mark.parametrize("known", KNOWN_PROVIDERS, ids=lambda known: known.name)
def test_a_row_has_an_address_that_is_sound_and_encrypted_unless_local(known):
    origin, _ = parse_base_url(known.base_url or known.example_base_url, known.dialect)

    assert ("http" if known.local else "https") == origin.scheme
    assert known.local == (known.auth is AuthScheme.NONE)
    assert known.local == (origin.host == "localhost")


def test_variables_are_named_after_the_row():
    assert "OPENAI_API_KEY" == key_variable("openai")
    assert "ANTHROPIC_BASE_URL" == base_url_variable("anthropic")
    assert "MY_OWN_2_API_KEY" == key_variable("my-own.2")
