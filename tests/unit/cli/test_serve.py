"""`korad serve` before it serves: what it refuses, and what it says then."""

from __future__ import annotations

import pytest

from korad.cli import main


@pytest.fixture(autouse=True)
def _no_provider(monkeypatch, tmp_path):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KORAD_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


def test_a_missing_provider_key_does_not_go_unnoticed_when_a_demo_is_not_wanted(
    monkeypatch, capsys
):
    monkeypatch.setenv("KORAD_DEMO", "false")

    assert main(["serve", "--port", "0"]) == 1
    assert "no provider is configured" in capsys.readouterr().err


def test_a_folder_whose_keys_were_in_redis_is_told_at_the_start(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("KORAD_DEMO", "false")
    monkeypatch.delenv("KORAD_REDIS_URL", raising=False)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "keys.generation").write_text("0123456789abcdef\n")
    main(["serve", "--port", "0"])

    assert "were last kept in a Redis" in capsys.readouterr().err
