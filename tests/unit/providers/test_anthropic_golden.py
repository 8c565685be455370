"""Whole exchanges, kept as files: what the client sent and got, what the upstream got and sent."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from korad.domain.usage import Usage
from korad.wire.openai import parse_chat_request
from tests.support.anthropic_wire import DIALECT, a_target

CASES = sorted((Path(__file__).parents[2] / "golden" / "anthropic").iterdir())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("size", [1, 7, 1_000_000])
def test_the_exchange_is_translated_as_written_down(case: Path, size: int) -> None:
    request = parse_chat_request((case / "client_request.json").read_bytes())
    target = a_target(request.model.removeprefix("anthropic/"))
    upstream = (case / "upstream.sse").read_bytes()
    stream = DIALECT.open_stream(request, target)
    sent = b"".join(
        stream.feed(upstream[start : start + size]) for start in range(0, len(upstream), size)
    )

    assert msgspec.json.decode(
        (case / "upstream_request.json").read_bytes()
    ) == msgspec.json.decode(DIALECT.build_body(request, target))
    assert (case / "client.sse").read_bytes() == sent
    assert msgspec.json.decode((case / "usage.json").read_bytes(), type=Usage) == stream.usage
    assert stream.finished
