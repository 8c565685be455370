"""What the options of `korad keys` mean, and how a key is shown."""

from __future__ import annotations

import argparse
import shlex

import orjson
import pytest

from korad.cli.key_values import (
    allowed,
    as_lines,
    as_object,
    as_table,
    curl_line,
    read_expiry,
    read_level,
    read_margin,
    read_model,
    read_policy,
    read_provider,
    read_switch,
    state_of,
)
from korad.domain.identity import VirtualKey
from korad.domain.limits import EntityLimits, Limits

NOW_S = 1_800_000_000  # 2027-01-15T08:00:00Z


def a_key(**fields):
    given = {"key_id": "vk_1", "name": "alice", "digest": b"d" * 32, "created_at_s": NOW_S}
    return VirtualKey(**(given | fields))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30m", NOW_S + 1800),
        ("12h", NOW_S + 43_200),
        ("30d", NOW_S + 2_592_000),
        ("2W", NOW_S + 1_209_600),
        ("2027-01-31", 1_801_353_600),
        ("2027-01-31T12:00:00Z", 1_801_396_800),
        ("2027-01-31T12:00:00", 1_801_396_800),
        ("2027-01-31T12:00:00+02:00", 1_801_389_600),
        ("never", None),
    ],
)
def test_an_expiry_is_an_age_or_a_moment(text, expected):
    assert expected == read_expiry(text, NOW_S)


@pytest.mark.parametrize(
    "text",
    ["", "30", "0d", "-1d", "1y", "999999w", "2027-02-30", "soon", "2027-01-15", "2020-01-01"],
)
def test_an_expiry_that_is_none_or_past_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match=f"'{text}'"):
        read_expiry(text, NOW_S)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1.2", 12_000), ("1", 10_000), ("0", 0), ("1.0001", 10_001), ("NONE", None)],
)
def test_a_margin_is_read_exactly(text, expected):
    assert expected == read_margin(text)


@pytest.mark.parametrize("text", ["", "-1", "1.00001", "101", "nan", "a"])
def test_a_margin_that_is_none_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError):
        read_margin(text)


def test_a_level_is_a_word_in_any_case():
    assert read_level("Extreme") == "extreme"
    assert read_level("none") is None
    with pytest.raises(argparse.ArgumentTypeError, match="off, low, medium, high, extreme, none"):
        read_level("max")


def test_a_switch_is_on_or_off_in_any_case():
    assert read_switch("ON") is True
    assert read_switch("off") is False
    with pytest.raises(argparse.ArgumentTypeError, match="'yes' is neither on nor off"):
        read_switch("yes")


def test_the_response_cache_is_shown_everywhere():
    for is_on, word in ((True, "on"), (False, "off")):
        key = a_key(cache=is_on)
        head, row = as_table([(key, "abcd")], NOW_S).splitlines()

        assert as_object(key, "abcd", NOW_S)["cache"] is is_on
        assert f"response cache  {word}\n" in as_lines(key, "abcd", NOW_S)
        assert word == row.split()[head.split().index("CACHE")]


def test_names_of_models_and_providers_are_checked():
    assert read_model("openai/gpt-4*") == "openai/gpt-4*"
    assert read_provider("openai") == "openai"
    with pytest.raises(argparse.ArgumentTypeError):
        read_model("*-mini")
    with pytest.raises(argparse.ArgumentTypeError):
        read_provider("openai/gpt-4o")


def test_any_among_the_names_allows_all():
    assert allowed(["openai", "azure", "openai"]) == frozenset({"openai", "azure"})
    assert allowed(["openai", "any"]) is None


def test_a_key_is_active_expired_or_revoked():
    assert state_of(a_key(expires_at_s=NOW_S + 1), NOW_S) == "active"
    assert state_of(a_key(expires_at_s=NOW_S), NOW_S) == "expired"
    assert state_of(a_key(active=False, expires_at_s=NOW_S), NOW_S) == "revoked"


def test_a_key_without_settings_is_shown_in_words():
    shown = dict(line.split(maxsplit=1) for line in as_lines(a_key(), "abcd", NOW_S).splitlines())

    assert shown["id"] == "vk_1"
    assert shown["key"] == "...abcd"
    assert shown["margin"] == "default"
    assert shown["models"] == "any"
    assert shown["expires"] == "never"
    assert shown["created"] == "2027-01-15 08:00 UTC"


def test_a_list_that_allows_nothing_is_not_shown_as_any():
    shown = as_lines(a_key(allowed_models=frozenset()), "abcd", NOW_S)

    assert "models          none" in shown
    assert "providers       any" in shown


def test_a_table_has_a_line_for_each_key():
    keys = [(a_key(margin_bp=12_000), "abcd"), (a_key(key_id="vk_2", margin_bp=10_001), "efgh")]
    head, first, second = as_table(keys, NOW_S).splitlines()

    assert head.split()[:8] == ["ID", "NAME", "KEY", "STATE", "LEVEL", "MARGIN", "CACHE", "EXPIRES"]
    assert head.split()[8:] == ["LIMITS"]
    assert first.split()[:4] == ["vk_1", "alice", "...abcd", "active"]
    assert "1.20x" in first
    assert "1.0001x" in second


def test_json_has_sorted_lists_and_no_digest():
    key = a_key(allowed_models=frozenset({"b", "a"}), margin_bp=12_000)
    shown = as_object(key, "abcd", NOW_S)

    assert shown["allowed_models"] == ["a", "b"]
    assert shown["allowed_providers"] is None
    assert shown["margin_bp"] == 12_000
    assert "digest" not in shown
    assert orjson.loads(orjson.dumps(shown)) == shown


@pytest.mark.parametrize(
    ("host", "shown"),
    [("localhost", "localhost"), ("0.0.0.0", "localhost"), ("::", "localhost"), ("::1", "[::1]")],  # noqa: S104
)
def test_the_curl_line_reaches_the_server_whatever_it_is_bound_to(host, shown):
    words = shlex.split(curl_line(a_key(), "sk-bf-a", host, 8084))

    assert words[:2] == ["curl", f"http://{shown}:8084/v1/chat/completions"]
    assert "x-bf-vk: sk-bf-a" in words
    assert orjson.loads(words[-1])["messages"] == [{"role": "user", "content": "Hello!"}]


def test_the_curl_line_names_a_model_that_the_key_may_use():
    key = a_key(allowed_models=frozenset({"gpt-4o", "azure/*", "openai/o'3"}))
    words = shlex.split(curl_line(key, "sk-bf-a", "localhost", 1))

    assert orjson.loads(words[-1])["model"] == "openai/o'3"


@pytest.mark.parametrize(
    ("allowed", "providers", "model"),
    [
        ({}, (), "anthropic/claude-sonnet-4-5-20250929"),
        ({}, ("openai",), "openai/gpt-4o-mini"),
        ({"allowed_models": frozenset({"openai/gpt-4o"})}, ("openai",), "openai/gpt-4o"),
        ({"allowed_models": frozenset({"gpt-4o"})}, ("anthropic", "openai"), "openai/gpt-4o"),
        ({"allowed_models": frozenset({"openai/gpt-4o*"})}, (), "openai/gpt-4o-mini"),
        ({"allowed_providers": frozenset({"groq"})}, ("groq",), "groq/llama-3.1-8b-instant"),
        ({"allowed_providers": frozenset({"groq"})}, ("openai",), "PROVIDER/MODEL"),
        ({}, ("mine",), "PROVIDER/MODEL"),
    ],
)
def test_the_curl_line_names_a_model_that_can_be_reached(allowed, providers, model):
    words = shlex.split(curl_line(a_key(**allowed), "sk-bf-a", "localhost", 1, providers))

    assert orjson.loads(words[-1])["model"] == model


def test_the_policy_is_open_or_closed_in_any_case():
    assert read_policy("CLOSED") is True
    assert read_policy("open") is False
    with pytest.raises(argparse.ArgumentTypeError, match="'on' is neither open nor closed"):
        read_policy("on")


def test_the_limits_of_team_and_customer_are_shown_beside_the_keys_own():
    own, team = Limits(requests_per_minute=1), Limits(tokens_per_minute=2)
    chain = (EntityLimits(entity="vk_1", limits=own), EntityLimits(entity="tm_1", limits=team))
    key = a_key(own_limits=own, limits=chain, team_id="tm_1", fail_closed=True)
    shown = as_object(key, "abcd", NOW_S)
    lines = as_lines(key, "abcd", NOW_S)

    assert shown["limits"]["requests_per_minute"] == 1
    assert [each["entity"] for each in shown["effective_limits"]] == ["vk_1", "tm_1"]
    assert (shown["team_id"], shown["on_limits_unavailable"]) == ("tm_1", "closed")
    assert "limits          1 rpm\n" in lines
    assert "of its team     2 tpm\n" in lines
