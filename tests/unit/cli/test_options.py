"""Options that several verbs share."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from korad.cli.options import add_config_options, add_server_options, settings_from
from korad.config import ConfigError


@pytest.fixture
def parse(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("korad.cli.options.read_environment", lambda: {"HOME": str(tmp_path)})
    parser = argparse.ArgumentParser()
    add_config_options(parser)
    add_server_options(parser)
    return lambda *argv: settings_from(parser.parse_args(argv))


def test_without_options_there_are_the_defaults(parse):
    settings = parse()

    assert settings.config_file is None
    assert 8084 == settings.server.port


def test_every_option_reaches_its_setting(parse, tmp_path):
    Path("my.toml").write_text("[server]\nfast_lane = false")
    settings = parse(
        *("--config", "my.toml", "--state-dir", "state", "--host", "::1", "--port", "0"),
        *("--workers", "2", "--margin", "1.1", "--savings-level", "HIGH", "--demo"),
    )

    assert Path("my.toml") == settings.config_file
    assert tmp_path / "state" == settings.state_dir
    assert ("::1", 0, 2) == (
        settings.server.host,
        settings.server.port,
        settings.server.workers,
    )
    assert not settings.server.fast_lane
    assert 11_000 == settings.billing.margin_bp
    assert "high" == settings.optimizer.default_level
    assert settings.demo


def test_a_wrong_option_is_named_as_it_was_written(parse):
    with pytest.raises(ConfigError) as caught:
        parse("--port", "http", "--savings-level", "max", "--state-dir", "")

    assert (
        "--state-dir must be a folder",
        "--port must be a whole number from 0 to 65535",
        "--savings-level must be one of off, low, medium, high, extreme",
    ) == caught.value.problems


def test_a_verb_may_have_options_of_the_same_name_for_itself():
    args = argparse.Namespace(config=None, margin="9", port=1, level="off", state_dir="/state")

    assert Path("/state") == settings_from(args).state_dir
