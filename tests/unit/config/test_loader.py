"""Settings from all places, with all problems at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from korad.config import CacheSettings, ConfigError, ServerSettings, load_settings
from korad.config.sources import default_state_dir


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Return the environment of an empty home that is the working folder too."""
    monkeypatch.chdir(tmp_path)
    return {"HOME": str(tmp_path)}


@pytest.fixture
def load(home):
    def load_text(text, *, overrides=None, **environ):
        path = Path("korad.toml")
        path.write_text(text)
        return load_settings(path, home | environ, overrides=overrides)

    return load_text


@pytest.fixture
def problems_of(load):
    def problems_of_text(text, **environ):
        with pytest.raises(ConfigError) as caught:
            load(text, **environ)
        return caught.value.problems

    return problems_of_text


def test_korad_needs_no_file(home):
    settings = load_settings(None, home)

    assert settings.config_file is None
    assert default_state_dir(home) == settings.state_dir
    assert ServerSettings() == settings.server
    assert 15_000 == settings.billing.margin_bp
    assert "medium" == settings.optimizer.default_level
    assert settings.demo
    assert {} == settings.aliases


def test_the_origin_of_web_pages_comes_from_file_or_environment(load):
    text = """
        [server]
        cors_origin = "https://a.example"
        """

    assert load("").server.cors_origin is None
    assert "https://a.example" == load(text).server.cors_origin
    assert "*" == load(text, KORAD_SERVER_CORS_ORIGIN="*").server.cors_origin


def test_what_is_no_origin_is_told_by_name(problems_of):
    text = """
        [server]
        cors_origin = "https://a.example/"
        """
    from_file, from_environment = problems_of(text, KORAD_SERVER_CORS_ORIGIN="a.example")

    assert from_file.startswith('korad.toml: [server] cors_origin must be "*" or one origin')
    assert from_environment.startswith('KORAD_SERVER_CORS_ORIGIN must be "*" or one origin')


def test_the_whole_file_reaches_the_settings(load, tmp_path):
    settings = load(
        """
        state_dir = "state"
        [server]
        port = 1
        [billing]
        margin = 1.1
        [optimizer]
        default_level = "High"
        [cache]
        ttl_s = 60
        bytes_max = 0
        [providers.groq]
        [aliases]
        fast = "groq/llama"
        [prices."groq/*"]
        input = 2.5
        output = "10"
        """,
        GROQ_API_KEY="k",
    )

    assert Path("korad.toml") == settings.config_file
    assert tmp_path / "state" == settings.state_dir
    assert ServerSettings(port=1) == settings.server
    assert 11_000 == settings.billing.margin_bp
    assert "high" == settings.optimizer.default_level
    assert CacheSettings(ttl_s=60.0, bytes_max=0) == settings.cache
    assert ["groq"] == list(settings.providers)
    assert {"fast": "groq/llama"} == settings.aliases
    assert 2_500_000 == settings.prices["groq/*"].input_pico_usd
    assert 10_000_000 == settings.prices["groq/*"].output_pico_usd
    assert not settings.demo
    assert {"groq": "environment variable GROQ_API_KEY"} == settings.credential_sources
    assert "openai" in settings.disabled


def test_the_command_line_beats_the_environment_and_that_the_file(load):
    text = "[server]\nport = 1\nworkers = 2\nhost = 'a'"
    server = load(
        text,
        overrides={"server.port": "3", "server.host": None},
        KORAD_PORT="4",
        KORAD_WORKERS="5",
    ).server

    assert (3, 5, "a") == (server.port, server.workers, server.host)


def test_the_file_of_the_state_folder_is_found(home, tmp_path):
    for variable, overrides in (({"KORAD_STATE_DIR": "s"}, None), ({}, {"state_dir": "s"})):
        folder = tmp_path / "s"
        folder.mkdir(exist_ok=True)
        (folder / "korad.toml").write_text("[server]\nport = 7")
        settings = load_settings(None, home | variable, overrides=overrides)

        assert 7 == settings.server.port
        assert folder == settings.state_dir
        assert folder / "korad.toml" == settings.config_file


def test_all_problems_are_told_at_once(problems_of):
    assert (
        "korad.toml: aliases must be a table, written [aliases]",
        'korad.toml: the setting or section "sever" is not known; did you mean "server"?',
        "korad.toml: [server] port must be a whole number from 0 to 65535",
        "KORAD_WORKERS must be a whole number from 1 to 256",
        (
            'korad.toml: [providers.groq] "key" is not known; '
            "known: api_key, auth, base_url, connect_timeout_s, connections_max, dialect, "
            "drain_timeout_s, drains_max, first_byte_timeout_s, free, gateway, headers, "
            "idle_timeout_s, on_disconnect, query"
        ),
        'the environment variable KORAD_PROT is not known; did you mean "KORAD_PORT"?',
        'korad.toml: [prices."x"] must name a model as "provider/model", "provider/gpt*" or "*"',
    ) == problems_of(
        """
        aliases = 1
        [sever]
        [server]
        port = "80"
        [providers.groq]
        key = "k"
        [prices.x]
        input = 1
        """,
        KORAD_WORKERS="0",
        KORAD_PROT="1",
    )


def test_a_file_that_cannot_be_read_does_not_hide_other_problems(home):
    with pytest.raises(ConfigError) as caught:
        load_settings(Path("none.toml"), home | {"KORAD_PORT": "x"})

    assert (
        "none.toml (named by --config) cannot be read: No such file or directory",
        "KORAD_PORT must be a whole number from 0 to 65535",
    ) == caught.value.problems


def test_reserved_and_referenced_variables_are_no_misspellings(load):
    settings = load(
        '[providers.groq]\napi_key = "env:KORAD_GROQ_KEY"',
        KORAD_GROQ_KEY="k",
        KORAD_REDIS_URL="redis://localhost",
        KORAD_CONFIG="elsewhere.toml",
    )

    assert ["groq"] == list(settings.providers)


@pytest.mark.parametrize(
    ("text", "environ", "demo"),
    [
        ("", {}, True),
        ("[server]\nport = 1\n[aliases]\na = 'openai/b'", {}, True),
        ("[providers]", {}, True),
        ("[providers.groq]", {}, False),
        ("", {"OPENAI_API_KEY": "k"}, False),
        ("", {"OPENAI_API_KEY": ""}, True),
        ("", {"VLLM_BASE_URL": "http://h"}, False),
        ("", {"OPENAI_API_KEY": "k", "KORAD_DEMO": "1"}, True),
        ("demo = true\n[providers.groq]", {}, True),
        ("demo = false", {}, False),
        ("demo = true", {"KORAD_DEMO": "no"}, False),
    ],
)
def test_demo_is_what_is_left_when_nothing_is_configured(load, text, environ, demo):
    assert demo == load(text, **environ).demo


def test_demo_on_the_command_line_beats_everything(load):
    settings = load("demo = false\n[providers.groq]", overrides={"demo": True}, GROQ_API_KEY="k")

    assert settings.demo


@pytest.mark.parametrize(
    ("alias", "target", "problem"),
    [
        ("a/b", '"groq/x"', "must be a bare model name, without a slash"),
        ("", '"groq/x"', "must be a bare model name, without a slash"),
        ("a", '"x"', 'must name a model as "provider/model"'),
        ("a", '"groq/"', 'must name a model as "provider/model"'),
        ("a", '"/x"', 'must name a model as "provider/model"'),
        ("a", "1", 'must name a model as "provider/model"'),
        ("a", '"xai/x"', "needs the provider xai, which is not enabled: set XAI_API_KEY"),
        ("a", '"grok/x"', 'the provider "grok" is not known; did you mean "groq"?'),
    ],
)
def test_an_alias_is_a_bare_name_for_a_model_that_can_be_reached(
    problems_of, alias, target, problem
):
    (found,) = problems_of(f'[aliases]\n"{alias}" = {target}', GROQ_API_KEY="k")

    assert found.startswith(f'korad.toml: [aliases] "{alias}"')
    assert found.endswith(problem)


def test_an_alias_of_a_broken_provider_adds_no_second_problem(problems_of):
    text = """
        [providers.own]
        auth = "none"
        [aliases]
        a = "own/x"
        b = "groq/x"
        """

    assert 2 == len(problems_of(text, GROQ_BASE_URL="groq"))


@pytest.mark.parametrize("demo", ["true", "false"])
def test_a_price_is_of_a_provider_that_is_known(problems_of, load, demo):
    text = """
    [providers.mine]
    dialect = "openai"
    base_url = "http://127.0.0.1:9/v1"
    auth = "none"
    [prices."mine/*"]
    input = 1
    output = 1
    [prices."groq/llama"]
    input = 1
    output = 1
    [prices."*"]
    input = 1
    output = 1
    """
    assert load(text, KORAD_DEMO=demo).prices
    (found,) = problems_of(f'{text}[prices."opnai/gpt-4o"]\ninput = 1', KORAD_DEMO=demo)

    assert found == (
        'korad.toml: [prices."opnai/gpt-4o"]: the provider "opnai" is not known; '
        'did you mean "openai"?'
    )


def test_a_gateway_takes_prices_of_every_provider(load):
    settings = load(
        """
        [providers.mine]
        dialect = "openai"
        base_url = "http://127.0.0.1:9/v1"
        auth = "none"
        gateway = true
        [prices."cohere/command"]
        input = 1
        output = 1
        """
    )

    assert ["cohere/command"] == list(settings.prices)


def test_a_gateway_takes_aliases_of_every_provider(load):
    settings = load(
        """
        [providers.own]
        dialect = "openai"
        base_url = "http://h"
        gateway = true
        [aliases]
        a = "xai/x"
        b = "somebody/y/z"
        """
    )

    assert {"a": "xai/x", "b": "somebody/y/z"} == settings.aliases


def test_an_alias_may_name_any_known_provider_in_demo_mode(load):
    assert {"a": "azure/x"} == load('demo = true\n[aliases]\na = "azure/x"').aliases


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("input = 1", "output"),
        ("input = -1\noutput = 1", "input"),
        ("input = nan\noutput = 1", "input"),
        ("input = 1\noutput = 0.0000001", "output"),
        ("input = true\noutput = 1", "input"),
        ("input = 1\noutput = 1\ncached = 1", "cached"),
    ],
)
def test_a_wrong_price_names_model_and_class(problems_of, row, problem):
    (found,) = problems_of(f'[prices."openai/gpt-4o"]\n{row}')

    assert found.startswith('korad.toml: [prices."openai/gpt-4o"]: ')
    assert f"'{problem}'" in found


def test_a_price_is_a_table(problems_of):
    assert (
        'korad.toml: [prices."openai/gpt-4o"] must be a table of USD per million tokens',
    ) == problems_of('[prices]\n"openai/gpt-4o" = 1')


def test_no_repr_of_settings_shows_a_credential(load):
    settings = load("[server]", OPENAI_API_KEY="sk-hunter2")

    assert "sk-hunter2" == settings.providers["openai"].credential.reveal()
    assert "hunter2" not in repr(settings)
