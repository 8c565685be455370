"""From request headers to a virtual key, and what it may use."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from korad.auth import (
    CREDENTIAL_HEADERS,
    KeyRing,
    authenticate,
    authorize,
    digest_key,
    find_credential,
    generate_key_secret,
    is_mistyped,
    is_model_pattern,
)
from korad.domain.identity import VirtualKey
from korad.errors import ClientError

PEPPER = b"p" * 32
SECRET = "sk-bf-YOUR_VIRTUAL_KEY"
NOW_S = 1_700_000_000


def a_key(key_id="vk_1", secret=SECRET, **fields):
    return VirtualKey(key_id=key_id, name="n", digest=digest_key(PEPPER, secret), **fields)


def refusal(call, *args):
    with pytest.raises(ClientError) as caught:
        call(*args)
    return caught.value.status, caught.value.kind, caught.value.code


@pytest.mark.parametrize(
    ("headers", "credential"),
    [
        ({}, None),
        ({b"content-type": b"application/json"}, None),
        ({b"x-bf-vk": b"sk-bf-a"}, "sk-bf-a"),
        ({b"x-bf-vk": b" sk-bf-a\t"}, "sk-bf-a"),
        ({b"authorization": b"Bearer sk-bf-a"}, "sk-bf-a"),
        ({b"authorization": b"bEARER   sk-bf-a "}, "sk-bf-a"),
        ({b"authorization": b"Bearer"}, ""),
        ({b"authorization": b"Bearer "}, ""),
        ({b"authorization": b"Basic c2stYmYtYQ=="}, ""),
        ({b"authorization": b"sk-bf-a"}, ""),
        ({b"authorization": b"Bearersk-bf-a"}, ""),
        ({b"authorization": b"Basic x", b"x-api-key": b"sk-bf-a"}, ""),
        ({b"x-bf-vk": b"", b"authorization": b"Bearer sk-bf-a"}, ""),
        ({b"x-bf-vk": b"sk-bf-\xff"}, "sk-bf-\xff"),
        ({b"x-api-key": b"Bearer sk-bf-a"}, "Bearer sk-bf-a"),
    ],
)
def test_the_credential_is_what_the_first_header_present_says(headers, credential):
    assert credential == find_credential(headers)


def test_the_headers_decide_in_their_fixed_order_whatever_the_order_sent():
    headers = {name: b"Bearer " + name for name in reversed(CREDENTIAL_HEADERS)}
    found = []
    while (credential := find_credential(headers)) is not None:
        found.append(credential.removeprefix("Bearer "))
        del headers[found[-1].encode()]

    assert found == ["x-bf-vk", "authorization", "x-api-key", "x-goog-api-key", "api-key"]


def test_a_digest_is_32_bytes_and_depends_on_pepper_and_secret():
    digest = digest_key(PEPPER, SECRET)

    assert len(digest) == 32
    assert digest == digest_key(PEPPER, SECRET.encode())
    assert digest != digest_key(b"q" * 32, SECRET)
    assert digest != digest_key(PEPPER, SECRET.lower())


@given(st.text())
def test_any_text_has_a_digest(text):
    credential = find_credential({b"x-bf-vk": text.encode("utf-8", "replace")})

    assert credential is not None
    assert len(digest_key(PEPPER, credential)) == 32


@given(st.binary(min_size=32, max_size=48))
def test_a_generated_secret_is_prefixed_and_fits_in_a_header(random_bytes):
    secret = generate_key_secret(random_bytes)

    assert secret.startswith("sk-bf-")
    assert secret.removeprefix("sk-bf-").isalnum()
    assert secret.isascii()
    assert not is_mistyped(secret)


def test_generated_secrets_of_as_many_bytes_are_equally_long_and_all_different():
    secrets = {generate_key_secret(n.to_bytes(32)) for n in (0, 1, 62, 2**255, 2**256 - 1)}

    assert len(secrets) == 5
    assert {6 + 43 + 6} == {len(secret) for secret in secrets}


def test_a_secret_of_too_few_random_bytes_is_refused():
    with pytest.raises(ValueError, match="32"):
        generate_key_secret(b"x" * 31)


@given(st.binary(min_size=32, max_size=32), st.integers(6, 54))
def test_one_wrong_character_is_told_as_a_typo(random_bytes, position):
    secret = generate_key_secret(random_bytes)
    other = "x" if secret[position] != "x" else "y"

    assert is_mistyped(secret[:position] + other + secret[position + 1 :])
    assert is_mistyped(secret[:position])
    assert is_mistyped(secret[6:])


def test_a_ring_finds_a_key_by_its_digest():
    key = a_key()
    ring = KeyRing([key, a_key("vk_2", "sk-bf-another-secret")])

    assert key is ring.find(key.digest)
    assert ring.find(digest_key(PEPPER, "sk-bf-unknown")) is None
    assert repr(ring) == "KeyRing(2 keys)"


def test_a_change_replaces_the_key_and_its_former_digest():
    ring = KeyRing([a_key()])
    changed = a_key(secret="sk-bf-rotated-secret", level="high")
    ring.apply([changed])

    assert changed is ring.find(changed.digest)
    assert ring.find(digest_key(PEPPER, SECRET)) is None
    assert len(ring) == 1


def test_a_good_key_is_authenticated():
    key = a_key(expires_at_s=NOW_S + 1)

    assert key is authenticate(KeyRing([key]), key.digest, NOW_S)


@pytest.mark.parametrize(
    ("key", "digest", "expected"),
    [
        (a_key(), None, (401, "authentication_error", "virtual_key_required")),
        (a_key(), b"?" * 32, (401, "authentication_error", "virtual_key_not_found")),
        (a_key(active=False), a_key().digest, (403, "permission_error", "virtual_key_blocked")),
        (
            a_key(expires_at_s=NOW_S),
            a_key().digest,
            (403, "permission_error", "virtual_key_blocked"),
        ),
    ],
    ids=["none", "unknown", "inactive", "expired"],
)
def test_a_key_that_is_not_good_is_refused(key, digest, expected):
    assert expected == refusal(authenticate, KeyRing([key]), digest, NOW_S)


@pytest.mark.parametrize(
    ("pattern", "provider", "model", "expected"),
    [
        ("openai/gpt-4o", "openai", "gpt-4o", True),
        ("openai/gpt-4o", "openai", "gpt-4o-mini", False),
        ("openai/gpt-4o", "azure", "gpt-4o", False),
        ("openai/*", "openai", "gpt-4o", True),
        ("openai/*", "openai-eu", "gpt-4o", False),
        ("openai/gpt-4*", "openai", "gpt-4o", True),
        ("openai/gpt-4*", "openai", "gpt-5", False),
        ("gpt-4o", "azure", "gpt-4o", True),
        ("gpt-4o", "azure", "gpt-4o-mini", False),
        ("gpt-4*", "azure", "gpt-4.1", True),
        ("*", "azure", "anything/at/all", True),
        ("openai/gpt-4o", "openrouter", "openai/gpt-4o", False),
        ("openai/*", "openrouter", "openai/gpt-4o", False),
        ("openrouter/openai/*", "openrouter", "openai/gpt-4o", True),
        ("openai/gpt-4o", "openai", "GPT-4o", False),
    ],
)
def test_a_model_pattern_allows_what_it_names_and_nothing_else(pattern, provider, model, expected):
    key = a_key(allowed_models=frozenset({"other/model", pattern}))
    if expected:
        authorize(key, provider, model)
    else:
        refused = refusal(authorize, key, provider, model)

        assert refused == (403, "permission_error", "model_blocked")


def test_a_key_without_limits_may_use_everything():
    assert authorize(a_key(), "any", "thing") is None


def test_an_empty_list_allows_nothing():
    blocked = (403, "permission_error", "model_blocked")

    assert blocked == refusal(authorize, a_key(allowed_models=frozenset()), "openai", "gpt-4o")


def test_a_provider_that_is_not_listed_is_blocked_before_the_model_is_looked_at():
    key = a_key(allowed_providers=frozenset({"openai"}), allowed_models=frozenset({"gpt-4o"}))
    authorize(key, "openai", "gpt-4o")

    assert refusal(authorize, key, "azure", "gpt-4o")[2] == "provider_blocked"
    assert refusal(authorize, key, "openai", "o3")[2] == "model_blocked"


@pytest.mark.parametrize("text", ["openai/gpt-4o", "openai/*", "gpt-4*", "*", "any", "a/b/c"])
def test_a_pattern_with_one_star_at_its_end_is_understood(text):
    assert is_model_pattern(text)


@pytest.mark.parametrize("text", ["", "*-mini", "openai/*/x", "**", "/gpt", "a b", "a\n"])
def test_a_pattern_that_would_not_match_as_meant_is_none(text):
    assert not is_model_pattern(text)
