"""`korad check-config` and `korad models`."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from korad.cli import main
from tests.support.redis import redis_binary, redis_server

__all__ = ["redis_binary", "redis_server"]

FILE = """
[providers.own]
dialect = "openai"
base_url = "http://[::1]:8000/v1"
gateway = true

[providers.ollama]

[aliases]
fast = "openai/gpt-4o-mini"

[billing]
margin = "1.25"

[prices."openai/gpt-4o"]
input = 2.125
output = 10
"""


@pytest.fixture
def korad(tmp_path, monkeypatch, capsys):
    """Run a command in an empty home; return its exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    environ = {"HOME": str(tmp_path)}
    monkeypatch.setattr("korad.cli.options.read_environment", lambda: environ)

    def run(*argv, text=None, **variables):
        if text is not None:
            Path("korad.toml").write_text(text)
        environ.update(variables)
        code = main(argv)
        captured = capsys.readouterr()

        assert "hunter2" not in captured.out + captured.err

        return code, captured.out, captured.err

    return run


def test_check_config_shows_what_is_configured(korad, tmp_path):
    code, out, err = korad("check-config", text=FILE, OPENAI_API_KEY="sk-hunter2")

    assert (0, "") == (code, err)
    for line in (
        "configuration file  korad.toml",
        f"state folder        {tmp_path}",
        (
            "  openai  openai  https://api.openai.com/v1  "
            "credential: environment variable OPENAI_API_KEY"
        ),
        "  ollama  openai  http://localhost:11434/v1  credential: none",
        "  own     openai  http://[::1]:8000/v1       credential: none",
        "  groq        set GROQ_API_KEY",
        "  fast  ->  openai/gpt-4o-mini",
        "  openai/gpt-4o  input 2.125, output 10.00",
        "  body_bytes_max         33554432",
        "  fast_lane              true",
        "  margin          1.25",
        "  durability      machine",
        "  default_level  medium",
    ):
        assert f"\n{line}" in f"\n{out}"
    assert "demo" not in out


def test_check_config_says_which_row_is_the_gateway_and_which_is_free(korad):
    lines = korad("check-config", text=FILE)[1].splitlines()

    assert lines[lines.index("providers") + 1].endswith("credential: none  free")
    assert lines[lines.index("providers") + 2].endswith("credential: none  gateway")


def test_check_config_without_anything_is_the_demo(korad):
    code, out, _ = korad("check-config")

    assert 0 == code
    assert "configuration file  none (environment and defaults)" in out
    assert "demo: no provider is called" in out
    assert "simulator.invalid" not in out


def test_without_a_provider_the_configuration_will_not_do(korad):
    code, out, _ = korad("check-config", text="demo = false")

    assert 1 == code
    assert "no provider is enabled: `korad serve` will not start" in out


def test_check_config_as_json_holds_the_same(korad, tmp_path):
    code, out, _ = korad("check-config", "--json", text=FILE, OPENAI_API_KEY="sk-hunter2")
    report = orjson.loads(out)

    assert 0 == code
    assert report["ok"]
    assert "korad.toml" == report["config_file"]
    assert report["state_dir"].startswith(str(tmp_path))
    assert 8084 == report["server"]["port"]
    assert "1.25" == report["billing"]["margin"]
    assert {
        "dialect": "openai",
        "base_url": "https://api.openai.com/v1",
        "auth": "bearer",
        "credential": "environment variable OPENAI_API_KEY",
        "gateway": False,
        "free": False,
    } == report["providers"]["openai"]
    assert {"input": "2.125", "output": "10.00"} == report["prices"]["openai/gpt-4o"]


def test_check_config_tells_all_problems(korad):
    text = "[server]\nport = 'x'\n[providers.openai]\napi_key = 'sk-hunter2'"
    code, out, err = korad("check-config", text=text)

    assert (2, "") == (code, out)
    assert err.startswith("korad: 2 problems in the configuration:\n  - korad.toml: [server] port")
    assert "  - korad.toml: [providers.openai] api_key must be" in err


def test_check_config_as_json_tells_all_problems(korad):
    code, out, err = korad("check-config", "--json", KORAD_PORT="x", KORAD_WORKERS="y")
    report = orjson.loads(out)

    assert (2, "") == (code, err)
    assert not report["ok"]
    assert 2 == len(report["problems"])


def test_models_lists_priced_models_of_enabled_providers(korad):
    code, out, _ = korad("models", text=FILE, OPENAI_API_KEY="k")
    lines = out.splitlines()

    assert 0 == code
    assert lines[0].startswith("USD per million tokens, price list of 20")
    assert ["MODEL", "INPUT", "OUTPUT"] == lines[2].split()
    assert ["openai/gpt-4o", "2.125", "10.00"] in [line.split() for line in lines]
    assert ["openai/gpt-4o-mini", "0.15", "0.60"] in [line.split() for line in lines]
    assert ["ollama/*", "free"] in [line.split() for line in lines]
    assert "  own/*     needs a price in [prices]" in lines
    assert "  fast  ->  openai/gpt-4o-mini" in lines
    assert "anthropic/" not in out


def test_models_as_json_holds_the_same(korad):
    report = orjson.loads(korad("models", "--json", text=FILE, OPENAI_API_KEY="k")[1])
    prices = {row["model"]: (row["input"], row["output"]) for row in report["models"]}

    assert ("2.125", "10.00") == prices["openai/gpt-4o"]
    assert {"ollama": "free", "own": "needs a price in [prices]"} == report["unlisted"]
    assert {"fast": "openai/gpt-4o-mini"} == report["aliases"]


def test_models_shows_the_price_of_whatever_a_provider_has(korad):
    text = FILE + '[prices."own/*"]\ninput = 1\noutput = 2'
    lines = korad("models", text=text)[1].splitlines()

    assert ["own/*", "1.00", "2.00"] in [line.split() for line in lines]
    assert "needs a price" not in "".join(lines)


def test_models_of_the_demo_all_cost_the_same(korad):
    report = orjson.loads(korad("models", "--json")[1])

    assert {("2.00", "2.00")} == {(row["input"], row["output"]) for row in report["models"]}
    assert {"openai", "anthropic"} < {row["model"].split("/")[0] for row in report["models"]}


def test_models_with_a_wrong_configuration_is_two(korad):
    code, out, err = korad("models", KORAD_PORT="x")

    assert (2, "") == (code, out)
    assert "korad: KORAD_PORT must be a whole number from 0 to 65535\n" == err


@pytest.mark.parametrize("url", ["redis//:hunter2@x", "redis://:hunter2@x:port", "http://x"])
def test_a_wrong_url_of_redis_is_a_problem(korad, url):
    code, out, err = korad("check-config", KORAD_REDIS_URL=url)
    as_json = korad("check-config", "--json")

    assert (code, out) == (2, "")
    assert "redis.url" in err
    assert as_json[0] == 2
    assert "redis.url" in orjson.loads(as_json[1])["problems"][0]


def test_redis_is_asked_only_where_that_is_wanted(korad, redis_server):
    url = redis_server.url
    alive = [korad("check-config", *words, KORAD_REDIS_URL=url) for words in ((), ("--connect",))]
    redis_server.stop()
    away = [korad("check-config", *words) for words in ((), ("--connect",))]
    shown = orjson.loads(korad("check-config", "--connect", "--json")[1])

    assert [each[0] for each in (*alive, *away)] == [0, 0, 0, 1]
    assert alive[1][1].rstrip().endswith(" answers")
    assert (shown["ok"], shown["connection"]["ok"]) == (False, False)
    assert shown["connection"]["error"] in away[1][1]


def test_a_redis_of_korads_own_need_not_run(korad):
    code, out, _ = korad("check-config", "--connect")

    assert code == 0
    assert "korad's own, which `korad serve` starts; it does not run" in out
