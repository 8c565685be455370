"""The dialect as the rest of korad holds it."""

from __future__ import annotations

import msgspec
import pytest

from korad.providers.anthropic import IGNORED, REFUSED
from korad.providers.base import DialectCodec, StreamDecoder
from tests.support.anthropic_wire import (
    DIALECT,
    STRICTEST,
    a_request,
    a_stream,
    a_target,
)


def test_it_fits_the_boundary() -> None:
    codec: DialectCodec = DIALECT
    decoder: StreamDecoder = a_stream()

    assert ("/messages", True) == (codec.path, codec.head_after_first_event)
    assert (("anthropic-version", "2023-06-01"),) == codec.headers
    assert not decoder.finished


def test_the_targets_model_decides_what_is_sent_not_the_clients_name() -> None:
    body = msgspec.json.decode(DIALECT.build_body(a_request(temperature=0.5), a_target(STRICTEST)))

    assert STRICTEST == body["model"]
    assert "temperature" not in body


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, ()),
        ({"temperature": 0}, ()),
        ({"temperature": 1.0}, ()),
        ({"temperature": None}, ()),
        ({"temperature": 1.5}, ("temperature",)),
        ({"temperature": 0.5, "top_p": 0.9}, ("top_p",)),
        ({"seed": 7, "frequency_penalty": 0.1}, ("frequency_penalty", "seed")),
        ({"user": "u", "store": True}, ()),
    ],
)
def test_what_is_lowered_or_dropped_is_told(asked, told) -> None:
    request = a_request(**asked)
    body = DIALECT.build_body(request, a_target())

    assert told == DIALECT.adjusted(request, body)


def test_an_error_answer_is_translated() -> None:
    assert 529 == DIALECT.read_error(529, b"").status


def test_the_lists_for_the_readme_are_sorted_and_apart() -> None:
    assert list(IGNORED) == sorted(IGNORED)
    assert list(REFUSED) == sorted(REFUSED)
