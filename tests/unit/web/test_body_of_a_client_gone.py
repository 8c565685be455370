"""A client that goes while its body is read."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from korad.errors import ClientError
from korad.web.chat_completions import _read_body

SHELL = SimpleNamespace(body_bytes_max=1_000, settings=SimpleNamespace(body_idle_timeout_s=5.0))


def a_request(transport):
    async def readany():
        raise RuntimeError("Connection closed.")  # what aiohttp raises where nobody is there

    content = SimpleNamespace(at_eof=lambda: False, readany=readany)
    return SimpleNamespace(headers={}, content=content, transport=transport)


async def test_a_body_that_nobody_sends_any_more_is_broken():
    with pytest.raises(ClientError) as caught:
        await _read_body(SHELL, a_request(None))

    assert (400, "bad_request") == (caught.value.status, caught.value.code)


async def test_another_failure_is_no_broken_body():
    with pytest.raises(RuntimeError):
        await _read_body(SHELL, a_request(object()))
