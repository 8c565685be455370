"""A stored answer as bytes that another process reads: a MessagePack array, the version first.

Whatever is not exactly what this version writes is no answer. Its bytes go into a response, so
header lines are looked at once more: none of them may say where the response ends.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec

from korad.domain.answer import StoredAnswer
from korad.domain.usage import TIER_CHARS_MAX, Usage

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Tier = Annotated[str, msgspec.Meta(max_length=TIER_CHARS_MAX)]
_LINES = re.compile(rb"(?:X-Korad-Adjusted: [^\x00-\x1f\x7f]*\r\n)?")
"""All that an answer keeps of its head; the rest is of the request that gets it."""


class _Record(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    version: Literal[1]
    """It goes up whenever the record changes: nobody else's is read."""
    stored_ms: _Count
    original_tokens: _Count
    prompt_tokens: _Count
    completion_tokens: _Count
    cached_prompt_tokens: _Count | None
    cache_write_tokens: _Count | None
    cache_write_1h_tokens: _Count | None
    reasoning_tokens: _Count | None
    audio_prompt_tokens: _Count | None
    audio_completion_tokens: _Count | None
    service_tier: _Tier | None
    lines: bytes
    body: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Record).decode


def encode_answer(answer: StoredAnswer) -> bytes:
    """Return `answer` as bytes. Raises OverflowError for a count beyond 64 bits."""
    usage = answer.usage
    record = _Record(
        version=1,
        stored_ms=answer.stored_ms,
        original_tokens=answer.original_tokens,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cached_prompt_tokens=usage.cached_prompt_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        audio_prompt_tokens=usage.audio_prompt_tokens,
        audio_completion_tokens=usage.audio_completion_tokens,
        service_tier=usage.service_tier,
        lines=answer.lines,
        body=answer.body,
    )
    return _encode(record)


def decode_answer(encoded: bytes) -> StoredAnswer | None:
    """Return the answer, or None where the bytes are not one of this version."""
    try:
        record = _decode(encoded)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if _LINES.fullmatch(record.lines) is None:
        return None
    usage = Usage(
        prompt_tokens=record.prompt_tokens,
        completion_tokens=record.completion_tokens,
        cached_prompt_tokens=record.cached_prompt_tokens,
        cache_write_tokens=record.cache_write_tokens,
        cache_write_1h_tokens=record.cache_write_1h_tokens,
        reasoning_tokens=record.reasoning_tokens,
        audio_prompt_tokens=record.audio_prompt_tokens,
        audio_completion_tokens=record.audio_completion_tokens,
        service_tier=record.service_tier,
    )
    return StoredAnswer(
        body=record.body,
        lines=record.lines,
        original_tokens=record.original_tokens,
        usage=usage,
        stored_ms=record.stored_ms,
    )
