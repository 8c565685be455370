"""The origin of a web page, as browsers write it."""

from __future__ import annotations

import pytest

from korad.config.web_origin import WebOrigin

ORIGIN = WebOrigin()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*", "*"),
        ("https://app.example", "https://app.example"),
        (" https://app.example ", "https://app.example"),
        ("HTTPS://App.Example", "https://app.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("https://app.example:443", "https://app.example"),
        ("http://app.example:443", "http://app.example:443"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("http://[0:0::1]", "http://[::1]"),
        ("chrome-extension://abcdefgh", "chrome-extension://abcdefgh"),
        ("", None),
        ("  ", None),
    ],
)
def test_an_origin_is_read_in_the_spelling_of_browsers(text, expected):
    assert expected == ORIGIN.read(text)
    assert expected == ORIGIN.read_text(text)


@pytest.mark.parametrize(
    "raw",
    [
        "app.example",
        "app.example:3000",
        "//app.example",
        "https://",
        "https://app.example/",
        "https://app.example/chat",
        "https://app.example?a",
        "https://app.example#a",
        "https://me@app.example",
        "https://*.example",
        "https://a.example https://b.example",
        "https://a.example,https://b.example",
        "https://app.example:",
        "https://app.example:0",
        "https://app.example:65536",
        "https://app.example:\u0663",
        "https://app.example\r\nX-Odd: 1",
        "https://caf\u00e9.example",
        "https://[::1",
        "https://[1::2::3]",
        "http://localhost:*",
        "file://",
        "null",
        "true",
        True,
        1,
        ["https://app.example"],
    ],
)
def test_what_is_no_origin_is_refused(raw):
    with pytest.raises(ValueError, match=r"."):
        ORIGIN.read(raw)
