"""What a person at the terminal is told at the start."""

from __future__ import annotations

from dataclasses import replace

import pytest

from korad.app import DEMO_KEY
from korad.config import load_settings
from korad.domain.secret import Secret
from korad.server.run import banner, make_state_folder


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "korad.toml").write_text("")
    found = load_settings(
        tmp_path / "korad.toml",
        {"OPENAI_API_KEY": "sk-x", "KORAD_STATE_DIR": str(tmp_path)},
    )
    return replace(found, demo=False)


@pytest.mark.parametrize(
    ("host", "shown"),
    [("127.0.0.1", "localhost"), ("::1", "localhost"), ("10.0.0.1", "10.0.0.1")],
)
def test_the_address_is_one_to_click(settings, host, shown):
    settings = replace(settings, server=replace(settings.server, host=host, port=8084))

    assert f"http://{shown}:8084/v1" in banner(settings, has_keys=True)


def test_an_ipv6_address_stands_in_brackets(settings):
    settings = replace(settings, server=replace(settings.server, host="::", port=1))

    assert "http://[::]:1/v1" in banner(settings, has_keys=True)


def test_without_a_key_it_says_how_to_make_one_and_shows_no_credential(settings):
    text = banner(settings, has_keys=False)

    assert "korad keys create" in text
    assert "providers: openai" in text
    assert "sk-x" not in text
    assert "korad keys create" not in banner(settings, has_keys=True)


def test_a_demo_says_so(settings):
    demo = replace(settings, demo=True)
    text = banner(demo, has_keys=False)

    assert "DEMO" in text
    assert DEMO_KEY in text
    assert "WARNING" not in text
    assert "billed for them" in banner(demo, has_keys=True)


def test_where_nothing_is_booked_it_warns(settings):
    away = replace(settings, redis=replace(settings.redis, url=Secret("redis://localhost:1")))
    books = replace(away, ledger=replace(away.ledger, run="on"))

    last = banner(away, has_keys=True).splitlines()[-1]
    assert last == (
        'WARNING: nothing is booked by this process: run korad ledger run, or set ledger.run = "on"'
    )
    assert "booked" not in banner(books, has_keys=True)
    assert "booked" not in banner(settings, has_keys=True)


def test_a_state_folder_that_others_may_look_into_is_told(tmp_path, caplog):
    make_state_folder(tmp_path / "new")
    assert not caplog.records

    (tmp_path / "new").chmod(0o755)
    make_state_folder(tmp_path / "new")
    assert f"chmod 700 {tmp_path / 'new'}" in caplog.text
