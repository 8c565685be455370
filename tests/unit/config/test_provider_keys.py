"""What a provider's table may hold."""

from __future__ import annotations

import pytest

from korad.config.provider_keys import PROVIDER_KEYS, read_headers


@pytest.mark.parametrize("query", ["", "api-version=preview", "a=1&b=%20"])
def test_a_query_is_kept_as_it_is(query):
    assert query == PROVIDER_KEYS["query"].read(query)
    assert query == PROVIDER_KEYS["query"].read_text(query)


@pytest.mark.parametrize("query", ["?a=1", "a=1#b", "a b", "a\r\nb", "ä", 1])
def test_what_is_no_query_is_refused(query):
    with pytest.raises(ValueError, match="a query string"):
        PROVIDER_KEYS["query"].read(query)


def test_header_names_become_lower_case():
    assert (("openai-organization", "org-1"), ("x-empty", "")) == read_headers(
        {"OpenAI-Organization": "org-1", "X-Empty": ""}
    )


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ("x", "a table of header names"),
        ({"x y": "hunter2"}, "is no header name"),
        ({"": "hunter2"}, "is no header name"),
        ({"x:": "hunter2"}, "is no header name"),
        ({"Authorization": "hunter2"}, "which korad sets itself"),
        ({"transfer-encoding": "chunked"}, "which korad sets itself"),
        ({"x": "hunter2\r\ny: z"}, "x is not one"),
        ({"x": "hünter2"}, "x is not one"),
        ({"x": 1}, "x is not one"),
    ],
)
def test_headers_that_forge_or_collide_are_refused_without_their_value(headers, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        read_headers(headers)

    assert "hunter2" not in str(caught.value)
