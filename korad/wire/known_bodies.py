"""Parse a long request body whose beginning is known without reading that part again.

A client sends its whole conversation with every turn. Looking at 200 KB of JSON costs 70 us,
comparing it with bytes that were looked at before 9. So the latest long bodies are kept up to the
end of their last message. A body that goes on from there is parsed with a stand-in for the
messages that are known, and is then given them back.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from korad.domain.chat import ChatRequest
from korad.domain.value import Fact
from korad.errors import ClientError
from korad.wire.openai import parse_chat_request
from korad.wire.samples import Samples, power_of_two, samples

KNOWN_BYTES_MIN = 4_096
"""Shorter bodies are as quickly parsed."""
KEPT_BYTES_MAX = 32 * 1024 * 1024
_MESSAGES = "messages"
_LOOK_BYTES = 64

Key = tuple[int, Samples]


class _Known(Fact, frozen=True):
    body: bytes
    """A valid body up to the end of its last message."""
    messages_at: int
    """Where the array of messages begins."""
    plain_levels: set[int]
    """See `ChatRequest`."""


class KnownBodies:
    """The latest long bodies, bounded by bytes. One thread at a time.

    `secret` is in the stand-in, so that no client can send one: letters and digits.
    """

    __slots__ = ("_bytes", "_known", "_stand_in")

    def __init__(self, secret: str) -> None:
        self._known: OrderedDict[Key, _Known] = OrderedDict()
        self._bytes = 0
        self._stand_in = b'{"role":"%b"}' % secret.encode()

    def parse(self, raw: bytes) -> ChatRequest:
        """Return what `parse_chat_request` makes of `raw`, and raise what it raises."""
        if len(raw) < KNOWN_BYTES_MIN:
            return parse_chat_request(raw)
        known = self._find(raw)
        request = None if known is None else self._parse_rest(raw, known)
        if request is None:
            request = parse_chat_request(raw)
            messages = bytes(request.members[_MESSAGES])
            # Found elsewhere, say in another member of the same content, it is of no use later.
            at = raw.find(messages[:_LOOK_BYTES])
            known = (
                self._keep(raw, at, at + len(messages)) if raw.startswith(messages, at) else None
            )
            request = msgspec.structs.replace(
                request,
                messages=messages,
                plain_levels=None if known is None else known.plain_levels,
            )
        return request

    def _find(self, raw: bytes) -> _Known | None:
        size = power_of_two(len(raw))
        for part in (size, size // 2):
            key = (part, samples(raw, part))
            known = self._known.get(key)
            if known is not None and raw.startswith(known.body):
                self._known.move_to_end(key)
                return known
        return None

    def _parse_rest(self, raw: bytes, known: _Known) -> ChatRequest | None:
        """Return the request; None where it takes all of `raw` to know."""
        at, size = known.messages_at, len(known.body)
        begin = known.body[: at + 1] + self._stand_in
        try:
            request = parse_chat_request(begin + raw[size:])
        except ClientError:
            return None  # to be told in terms of what the client sent
        fresh = memoryview(request.members[_MESSAGES])
        begin = begin[at:]
        if fresh[: len(begin)] != begin:
            return None  # a second member of that name, which counts
        end = size + len(fresh) - len(begin)
        if end > size + 1:
            known = self._keep(raw, at, end)
        members = request.members
        members[_MESSAGES] = msgspec.Raw(memoryview(raw)[at:end])
        return ChatRequest(
            raw=raw,
            members=members,
            model=request.model,
            stream=request.stream,
            include_usage=request.include_usage,
            plain_levels=known.plain_levels,
        )

    def _keep(self, raw: bytes, at: int, end: int) -> _Known:
        """Keep a body whose messages are `raw[at:end]`; the one it continues makes room for it."""
        body = raw[: end - 1].rstrip()
        known = _Known(body=body, messages_at=at, plain_levels=set())
        if len(body) < KNOWN_BYTES_MIN:
            return known
        part = power_of_two(len(body))
        key = (part, samples(body, part))
        before = self._known.pop(key, None)
        self._known[key] = known
        self._bytes += len(body) - (0 if before is None else len(before.body))
        while self._bytes > KEPT_BYTES_MAX:
            _, forgotten = self._known.popitem(last=False)
            self._bytes -= len(forgotten.body)
        return known
