"""Whoever asks for an unknown path is told what to do instead."""

from __future__ import annotations

import pytest

from korad.web.hints import hint_for


@pytest.mark.parametrize(
    "path",
    [
        "/chat/completions",
        "/chat/completions/",
        "/v1/v1/chat/completions",
        "/v1/chat/completions/chat/completions",
        "/openai/deployments/gpt-4o/chat/completions",
        "/models",
        "/responses",
        "/embeddings",
    ],
)
def test_a_wrong_base_url_is_told_the_right_one(path):
    assert "The base URL ends with /v1," in hint_for(path)


@pytest.mark.parametrize("path", ["/v1/chat/completions/", "/v1//chat/completions"])
def test_who_is_nearly_right_is_told_the_spelling(path):
    assert hint_for(path) == "Chat completions are at /v1/chat/completions, spelt just so."


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/responses/resp_1", "/v1/responses/"])
def test_who_asks_for_responses_is_told_of_the_other_api(path):
    assert "Chat Completions API, not the Responses API" in hint_for(path)


@pytest.mark.parametrize(
    "path", ["/v1/completions", "/v1/embeddings", "/v1/audio/speech", "/v1/messages", "/v1/chat"]
)
def test_another_endpoint_is_told_that_there_is_one_only(path):
    assert hint_for(path) == "korad serves chat completions only, at /v1/chat/completions."


@pytest.mark.parametrize("path", ["", "/", "/favicon.ico", "/healthz/", "/v2/embeddings"])
def test_nothing_is_guessed_of_other_paths(path):
    assert not hint_for(path)
