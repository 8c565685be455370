"""Demo settings: nothing leads to a real provider."""

from __future__ import annotations

import pytest

from korad.config import demo_settings, load_settings
from korad.config.known_providers import KNOWN_PROVIDERS
from korad.domain.upstream import AuthScheme, Dialect, Origin

OPENAI_URL = "http://127.0.0.1:9100/v1"
ANTHROPIC_URL = "http://127.0.0.1:9100"
FILE = """
[providers.groq]
api_key = "env:GROQ_API_KEY"
query = "a=1"
headers = { x = "y" }

[providers.own]
dialect = "anthropic"
base_url = "https://own.example"
gateway = true

[prices."openai/gpt-4o"]
input = 9
output = 9
"""


@pytest.fixture
def settings(tmp_path):
    path = tmp_path / "korad.toml"
    path.write_text(FILE)
    environ = {"HOME": str(tmp_path), "GROQ_API_KEY": "hunter2", "OPENAI_API_KEY": "hunter2"}
    return load_settings(path, environ, overrides={"demo": True})


def test_every_known_and_configured_row_leads_to_the_simulator(settings):
    demo = demo_settings(settings, OPENAI_URL, ANTHROPIC_URL)

    assert {known.name for known in KNOWN_PROVIDERS} | {"own"} == set(demo.providers)
    assert {Origin(scheme="http", host="127.0.0.1", port=9100)} == {
        row.origin for row in demo.providers.values()
    }
    assert {"/v1"} == {row.base_path for row in demo.providers.values()}


def test_auth_follows_the_dialect_and_no_real_credential_is_left(settings):
    demo = demo_settings(settings, OPENAI_URL, ANTHROPIC_URL)

    assert {
        (Dialect.OPENAI, AuthScheme.BEARER, "sk-simulator"),
        (Dialect.ANTHROPIC, AuthScheme.X_API_KEY, "sk-simulator"),
    } == {(row.dialect, row.auth, row.credential.reveal()) for row in demo.providers.values()}
    assert {("", ())} == {(row.query, row.headers) for row in demo.providers.values()}


def test_every_model_costs_two_dollars_a_million(settings):
    demo = demo_settings(settings, OPENAI_URL, ANTHROPIC_URL)

    assert ["*"] == list(demo.prices)
    assert (2_000_000, 2_000_000) == (
        demo.prices["*"].input_pico_usd,
        demo.prices["*"].output_pico_usd,
    )


def test_a_gateway_stays_one(settings):
    demo = demo_settings(settings, OPENAI_URL, ANTHROPIC_URL)

    assert ["own"] == [name for name, row in demo.providers.items() if row.gateway]


def test_loaded_demo_settings_lead_nowhere_before_the_simulator_is_known(settings):
    assert settings.demo
    assert {"simulator.invalid"} == {row.origin.host for row in settings.providers.values()}
    assert {"sk-simulator"} == {row.credential.reveal() for row in settings.providers.values()}
