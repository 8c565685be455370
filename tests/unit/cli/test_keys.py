"""`korad keys`, verb by verb, on a store of its own."""

from __future__ import annotations

import argparse

import orjson
import pytest

from korad.adapters.key_store import open_key_store
from korad.adapters.running_server import announced
from korad.cli import keys


@pytest.fixture
def environ():
    return {}


@pytest.fixture
def korad_keys(tmp_path, capsys, monkeypatch, environ):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "state").mkdir()
    monkeypatch.setattr("korad.cli.options.read_environment", lambda: environ)

    def run(*words):
        parser = argparse.ArgumentParser(prog="korad")
        keys.add_parser(parser.add_subparsers())
        try:
            arguments = parser.parse_args(["keys", *words, "--state-dir", str(tmp_path / "state")])
            code = keys.run(arguments)
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def stored(tmp_path):
    def get(reference):
        with open_key_store(tmp_path / "state") as store:
            return store.get(reference)

    return get


def test_create_prints_the_key_once_with_a_command_to_try_it(korad_keys, stored):
    code, out, err = korad_keys("create", "--name", "alice")
    secret = next(line.strip() for line in out.splitlines() if line.startswith("  sk-bf-"))

    assert (code, err) == (0, "")
    assert stored(secret).name == "alice"
    assert f"-H 'x-bf-vk: {secret}'" in out
    assert "curl http://localhost:8084/v1/chat/completions" in out
    assert "Try it (a running server knows the key at once):" in out
    assert secret not in korad_keys("list")[1] + korad_keys("show", "alice")[1]


def test_create_prints_one_object_as_json(korad_keys, stored):
    code, out, _ = korad_keys("create", "--name", "alice", "--level", "HIGH", "--json")
    shown = orjson.loads(out)

    assert code == 0
    assert stored(shown["key"]).key_id == shown["id"]
    assert (shown["name"], shown["level"], shown["state"]) == ("alice", "high", "active")


def test_create_takes_every_setting(korad_keys, stored):
    options = "--level low --margin 1.2 --expires 2099-01-01 --allow-provider openai --cache on"
    models = "--allow-model openai/gpt-4o --allow-model gpt-5*"
    korad_keys("create", "--name", "alice", *options.split(), *models.split())
    key = stored("alice")

    assert (key.level, key.margin_bp, key.expires_at_s) == ("low", 12_000, 4_070_908_800)
    assert key.allowed_providers == frozenset({"openai"})
    assert key.allowed_models == frozenset({"openai/gpt-4o", "gpt-5*"})
    assert key.cache


def test_the_response_cache_of_a_key_is_off_until_it_is_switched_on(korad_keys, stored):
    korad_keys("create", "--name", "alice")
    seen = [stored("alice").cache]
    for word in ("ON", "off"):
        code, out, _ = korad_keys("update", "alice", "--cache", word, "--json")
        seen.append(stored("alice").cache)

        assert (code, orjson.loads(out)["cache"]) == (0, stored("alice").cache)

    assert seen == [False, True, False]
    assert korad_keys("update", "alice", "--cache", "maybe")[0] == 2


def test_list_says_how_to_make_the_first_key(korad_keys):
    code, out, _ = korad_keys("list")

    assert code == 0
    assert "korad keys create --name" in out
    assert orjson.loads(korad_keys("list", "--json")[1]) == []


def test_list_and_show_tell_the_same(korad_keys):
    korad_keys("create", "--name", "alice")
    korad_keys("create", "--name", "bob")
    listed = orjson.loads(korad_keys("list", "--json")[1])
    shown = [orjson.loads(korad_keys("show", name, "--json")[1]) for name in ("alice", "bob")]

    assert [each | {"spending": [], "spending_error": None} for each in listed] == shown
    assert [line.split()[1] for line in korad_keys("list")[1].splitlines()] == [
        "NAME",
        "alice",
        "bob",
    ]
    assert "alice" in korad_keys("show", listed[0]["id"])[1]


def test_revoke_makes_a_key_inactive_and_activate_takes_it_back(korad_keys, stored):
    korad_keys("create", "--name", "alice")
    code, out, _ = korad_keys("revoke", "alice")

    assert (code, stored("alice").active) == (0, False)
    assert "Revoked 'alice'" in out
    assert orjson.loads(korad_keys("revoke", "alice", "--json")[1])["state"] == "revoked"
    assert korad_keys("update", "alice", "--activate")[0] == 0
    assert stored("alice").active


def test_update_changes_only_what_is_named(korad_keys, stored):
    korad_keys("create", "--name", "alice", "--level", "low", "--margin", "2")
    former = stored("alice")
    code, out, _ = korad_keys("update", "alice", "--margin", "1.1", "--name", "carol", "--json")
    key = stored("carol")

    assert code == 0
    assert (key.key_id, key.level, key.margin_bp) == (former.key_id, "low", 11_000)
    assert orjson.loads(out)["margin_bp"] == 11_000


def test_update_clears_every_setting(korad_keys, stored):
    settings = "--level low --margin 2 --expires 1d --allow-model a/b --allow-provider a"
    cleared = "--level none --margin none --expires never --allow-model any --allow-provider any"
    korad_keys("create", "--name", "alice", *settings.split())
    before = stored("alice")
    korad_keys("update", "alice", *cleared.split())
    key = stored("alice")

    assert None not in {before.level, before.margin_bp, before.expires_at_s}
    assert (key.level, key.margin_bp, key.expires_at_s) == (None, None, None)
    assert (key.allowed_models, key.allowed_providers) == (None, None)


@pytest.mark.parametrize(
    "words",
    [
        ("show", "nobody"),
        ("revoke", "nobody"),
        ("update", "nobody", "--level", "low"),
    ],
)
def test_a_key_that_is_not_there_exits_1_and_says_where_to_look(korad_keys, words):
    code, out, err = korad_keys(*words)

    assert (code, out) == (1, "")
    assert "'nobody'" in err
    assert "korad keys list" in err


def test_a_mistyped_key_is_told_apart_and_not_repeated(korad_keys):
    secret = orjson.loads(korad_keys("create", "--name", "alice", "--json")[1])["key"]
    typo = secret[:-1] + ("a" if secret[-1] != "a" else "b")
    code, _, err = korad_keys("show", typo)

    assert code == 1
    assert "mistyped" in err
    assert typo not in err


def test_a_name_that_is_taken_exits_1(korad_keys):
    korad_keys("create", "--name", "alice")
    code, out, err = korad_keys("create", "--name", "alice")

    assert (code, out) == (1, "")
    assert "choose another name" in err


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("create",),
        ("create", "--name", "vk_x"),
        ("create", "--name", "a", "--level", "max"),
        ("create", "--name", "a", "--margin", "x"),
        ("create", "--name", "a", "--expires", "2020-01-01"),
        ("create", "--name", "a", "--allow-model", "*-mini"),
        ("create", "--name", "a", "--activate"),
        ("show",),
        ("update", "alice"),
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_2_and_makes_no_key(korad_keys, words):
    code, out, err = korad_keys(*words)

    assert (code, out) == (2, "")
    assert err
    assert orjson.loads(korad_keys("list", "--json")[1]) == []


def test_a_store_that_cannot_be_used_exits_1(korad_keys, tmp_path):
    (tmp_path / "state").rmdir()
    (tmp_path / "state").touch()
    code, _, err = korad_keys("list")

    assert code == 1
    assert str(tmp_path / "state") in err


@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("show", "alice"),
        ("revoke", "alice"),
        ("update", "alice", "--level", "low"),
        ("import-local",),
    ],
    ids=" ".join,
)
def test_what_makes_no_key_makes_no_state_folder(korad_keys, tmp_path, words):
    (tmp_path / "state").rmdir()
    code, out, err = korad_keys(*words)

    assert (code, out) == (0 if words == ("list",) else 2, "")
    assert err.startswith(f"korad keys: there is no state folder {tmp_path / 'state'}")
    assert list(tmp_path.iterdir()) == []
    assert korad_keys("list", "--json")[:2] == (0, "[]\n")
    assert korad_keys("create", "--name", "alice")[0] == 0


def test_keys_in_redis_with_a_pepper_of_its_own_need_no_state_folder(korad_keys, tmp_path, environ):
    (tmp_path / "state").rmdir()
    environ |= {"KORAD_REDIS_URL": "redis://127.0.0.1:1", "KORAD_KEYS_PEPPER": "env:NO_SUCH"}
    code, _, err = korad_keys("list")

    assert code == 1
    assert "state folder" not in err


def test_create_prints_the_address_of_the_server_that_runs(korad_keys, tmp_path):
    with announced(tmp_path / "state", "127.0.0.1", 40123):
        running = korad_keys("create", "--name", "alice")[1]

    assert "curl http://127.0.0.1:40123/v1/chat/completions" in running
    assert "curl http://localhost:8084/v1/" in korad_keys("create", "--name", "bob")[1]


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--allow-provider opnai", "no provider here is called 'opnai'; there are: ollama, openai"),
        ("--allow-model openai/gpt-4oo", "no model here is called 'openai/gpt-4oo'"),
        ("--allow-model openai/gtp-*", "no model here is called 'openai/gtp-*'"),
        ("--allow-model gtp-*", ""),
        ("--allow-model groq/*", "no model here is called 'groq/*'"),
        ("--allow-model openai/gpt-4o", ""),
        ("--allow-model openai/gpt-4o-2024-11-20", ""),
        ("--allow-model openai/gpt-*", ""),
        ("--allow-model gpt-4o", ""),
        ("--allow-model ollama/whatever", ""),
        ("--allow-model groq/mine", "no model here is called 'groq/mine'"),
        ("--allow-provider openai", ""),
        ("--allow-provider any", ""),
    ],
)
def test_what_nothing_is_called_is_told_and_done(korad_keys, environ, stored, option, told):
    environ |= {"OPENAI_API_KEY": "sk-x"}
    with open("korad.toml", "w") as file:  # noqa: PTH123 - in the folder of the test
        file.write("[providers.ollama]\n")
    for words in (("create", "--name", "alice"), ("update", "alice")):
        code, _, err = korad_keys(*words, *option.split())

        assert code == 0
        assert err.startswith(f"korad keys: {told}") if told else err == ""
    assert stored("alice") is not None


def test_in_a_demo_too_what_no_provider_is_called_is_told(korad_keys):
    for option, told in (
        ("--allow-provider openai", ""),
        ("--allow-provider opnai", "korad keys: no provider here is called 'opnai'; there are: "),
        ("--allow-model openai/whatever", ""),
        ("--allow-model whatever-*", ""),
        ("--allow-model opnai/gpt-4o", "korad keys: no model here is called 'opnai/gpt-4o'"),
    ):
        code, _, err = korad_keys("create", "--name", option[-12:], *option.split())

        assert code == 0
        assert err.startswith(told) if told else err == ""


def test_without_a_provider_any_name_is_fine(korad_keys, environ):
    environ["KORAD_DEMO"] = "false"

    assert korad_keys("create", "--name", "a", "--allow-provider", "opnai")[2] == ""


def test_a_folder_whose_keys_are_in_redis_says_so_without_a_url(korad_keys, tmp_path, environ):
    (tmp_path / "state" / "keys.generation").write_text("0123456789abcdef\n")
    code, _, err = korad_keys("list")
    environ["KORAD_KEYS_STORE"] = "local"

    assert code == 0
    assert "KORAD_REDIS_URL" in err
    assert korad_keys("list")[2] == ""


def test_help_tells_the_default_of_the_state_folder(korad_keys):
    assert "$KORAD_STATE_DIR" in korad_keys("list", "--help")[1]
