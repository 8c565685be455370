"""The sample file tells the truth about the defaults."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from korad.config import load_settings
from korad.config.provider_keys import PROVIDER_KEYS
from korad.config.scalars import SCALARS
from korad.config.sources import default_state_dir
from korad.domain.money import CLASSES

SAMPLE = Path(__file__).parents[3] / "korad.sample.toml"


@pytest.fixture
def environ(tmp_path, monkeypatch):
    """Stand in an empty folder that is home too, with one provider's key."""
    monkeypatch.chdir(tmp_path)
    return {"HOME": str(tmp_path), "OPENAI_API_KEY": "k"}


def uncommented() -> str:
    """Return the sample with every setting in force: those are the comments without a blank."""
    return re.sub(r"^#(?=[^ \n])", "", SAMPLE.read_text(), flags=re.MULTILINE)


def test_the_sample_as_it_is_changes_nothing(environ):
    sample = load_settings(SAMPLE, environ)
    default = load_settings(None, environ)

    assert (default.state_dir, default.server, default.billing, default.optimizer) == (
        sample.state_dir,
        sample.server,
        sample.billing,
        sample.optimizer,
    )
    assert default.cache == sample.cache
    assert list(default.providers) == list(sample.providers)
    assert (default.aliases, default.prices, default.demo) == (
        sample.aliases,
        sample.prices,
        sample.demo,
    )


def test_every_setting_of_the_sample_is_the_default(environ, tmp_path):
    path = tmp_path / "sample.toml"
    path.write_text(uncommented())
    sample = load_settings(path, environ)
    default = load_settings(None, environ)

    # The folder is written as it is where there is neither macOS nor Windows.
    assert default_state_dir(environ, "linux") == sample.state_dir
    assert (default.server, default.billing, default.optimizer, default.cache) == (
        sample.server,
        sample.billing,
        sample.optimizer,
        sample.cache,
    )
    assert replace(default.providers["openai"], credential=None) == replace(
        sample.providers["openai"], credential=None
    )
    assert "k" == sample.providers["openai"].credential.reveal()
    assert not sample.demo


def test_the_sample_names_every_setting():
    sample = tomllib.loads(uncommented())

    for scalar in SCALARS:
        assert scalar.key in (sample[scalar.section] if scalar.section else sample)

    assert {*PROVIDER_KEYS, "headers"} == set(sample["providers"]["openai"])
    assert set(CLASSES) == set(sample["prices"]["my-server/*"])
