"""A provider's error on its way to the client: no credential is in it, all other words are."""

from __future__ import annotations

import pytest

from korad.providers.refusal import MESSAGE_CHARS_MAX, refusal

CREDENTIALS = [
    "sk-proj-a1B2c3D4e5F6",
    "sk-abcdef",
    "sk-ant-api03-" + "a1B2" * 20,
    "sk-bf-YOUR_VIRTUAL_KEY",
    "sk_live_a1B2c3D4",
    "sk-pr***cdef",
    "sk-pr\u2026cdef",
    "gsk_a1B2c3D4e5F6",
    "xai-a1B2c3D4e5F6",
    "AIzaSyA1B2c3D4e5F6",
]


@pytest.mark.parametrize("credential", CREDENTIALS)
def test_a_credential_is_scrubbed_and_the_sentence_around_it_kept(credential: str) -> None:
    found = refusal(401, f"Incorrect API key provided: {credential}. Look it up at example.com.")

    assert "Incorrect API key provided: ***. Look it up at example.com." == found.message


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Refused 'Bearer xyz'.", "Refused 'Bearer ***'."),
        ("bearer a1B2/c3+D4= is unknown", "bearer *** is unknown"),
        ('{"api_key": "0123456789abcdef"}', '{"api_key": "***"}'),
        ("invalid x-api-key: 0123456789abcdef", "invalid x-api-key: ***"),
        ("(sk-ant-a1B2c3D4)", "(***)"),
    ],
)
def test_a_credential_is_known_by_what_stands_before_it(said: str, expected: str) -> None:
    assert expected == refusal(401, said).message


@pytest.mark.parametrize(
    "said",
    [
        "skipping schema key properties",
        "Unknown key: temperature_of_the_answer",
        "key_properties, keyboards and skeletons",
        "invalid x-api-key",
        "Missing Bearer authentication in header",
        "Use a Bearer token.",
        "The risk-adjusted task-oriented model is overloaded.",
        "max_tokens: 300000 > 64000 for claude-sonnet-4-5-20250929",
        "messages.0.content.1.image.source: Could not process image",
    ],
)
def test_words_that_only_look_like_a_credential_survive(said: str) -> None:
    assert said == refusal(400, said).message


def test_a_long_message_is_cut() -> None:
    assert MESSAGE_CHARS_MAX == len(refusal(400, "a " * MESSAGE_CHARS_MAX).message)


def test_a_refusal_without_a_message_names_the_status() -> None:
    assert "418" in refusal(418).message
