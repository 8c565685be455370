"""The head of a client's request: as new, as seen by the worker, as seen on its connection."""

from __future__ import annotations

from collections.abc import Iterator

from bench.micro.work import Work
from korad.auth import digest_key
from korad.web.heads import HeadReader
from tests.support.raw_http import KEY, chat, request
from tests.support.rooms import PEPPER

_SDK_LINES = (
    "Accept: application/json",
    "Accept-Encoding: gzip, deflate",
    "Content-Type: application/json",
    "User-Agent: OpenAI/Python 3.54.0",
    "X-Stainless-Arch: x64",
    "X-Stainless-Async: false",
    "X-Stainless-Lang: python",
    "X-Stainless-OS: Linux",
    "X-Stainless-Package-Version: 3.54.0",
    "X-Stainless-Runtime: CPython",
    "X-Stainless-Runtime-Version: 3.11.7",
    "x-stainless-retry-count: 0",
    "x-stainless-read-timeout: 600",
)
_REQUEST = request(chat(), lines=_SDK_LINES)
_END = _REQUEST.index(b"\r\n\r\n") + 4
_HEAD, _BODY_BYTES = _REQUEST[:_END], len(_REQUEST) - _END
_DIGEST = digest_key(PEPPER, KEY)


def new() -> Iterator[Work]:
    """Read a head that no one has sent before."""

    def is_right(found: object) -> bool:
        return (
            isinstance(found, tuple)
            and found[0].credential_digest == _DIGEST
            and found[1] == _BODY_BYTES
        )

    yield Work(lambda: HeadReader(PEPPER).read_hot(_HEAD), is_right)


def remembered() -> Iterator[Work]:
    """Find a head that another connection has sent."""
    reader = HeadReader(PEPPER)
    first = reader.read_hot(_HEAD)
    assert first is not None
    yield Work(
        lambda: reader.read_hot(_HEAD),
        lambda found: isinstance(found, tuple) and found[0] is first[0],
    )


def known() -> Iterator[Work]:
    """Find a head that this connection sent last."""
    first = HeadReader(PEPPER).read_hot(_HEAD)
    assert first is not None
    last = first[2]
    assert last is not None
    yield Work(lambda: last.find(_REQUEST), lambda found: found == (_BODY_BYTES, _END))
