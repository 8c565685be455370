"""The OpenAI dialect: a pass-through that reads the usage and little else.

Request: the client's members with their own bytes; only `model` and, on streams,
`stream_options.include_usage` change. Answer: the upstream's own bytes, less the usage chunk that
only korad asked for.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec

from korad.domain.chat import ChatRequest
from korad.domain.usage import Usage
from korad.errors import KoradError, UpstreamRefused, upstream_error
from korad.providers.base import Completion, Target
from korad.providers.refusal import refusal
from korad.wire.openai import encode_members
from korad.wire.sse import DONE, EventSplitter, event_data, split_events

RAW_BYTES_MAX = 2_048
"""Events kept whole before their text is cut out of them."""
TOKENS_MAX = 1_000_000_000
"""No answer has more; a report that says so is no report."""

_ASK_USAGE = msgspec.Raw(b'{"include_usage":true}')
_USAGE_OBJECT = re.compile(rb'"usage"\s*:\s*\{')
_DONE_LINE = DONE.rstrip()
_TRUE = msgspec.Raw(b"true")
_GENERATED = re.compile(
    rb'"(?:content|arguments|reasoning|reasoning_content|refusal)"\s*:\s*"((?:[^"\\]|\\.)*)"'
)


class OpenAIDialect:
    """Codec of the OpenAI dialect; holds no state."""

    path = "/chat/completions"
    headers: tuple[tuple[str, str], ...] = ()
    head_after_first_event = False

    def build_body(self, request: ChatRequest, target: Target) -> bytes:
        """Return the client's body with the upstream's model name, every other value's bytes kept.

        It is always encoded anew: a repeated key must not mean one thing here and another upstream.
        """
        members = dict(request.members)
        members["model"] = target.model_json
        if request.stream and not request.include_usage:
            members["stream_options"] = _with_usage(members.get("stream_options"))
        return encode_members(members)

    def adjusted(self, request: ChatRequest, body: bytes) -> tuple[str, ...]:  # noqa: ARG002
        """Return nothing: every parameter goes on as it came."""
        return ()

    def open_stream(self, request: ChatRequest, target: Target) -> OpenAIStream:  # noqa: ARG002 - one boundary for all dialects
        """Return a decoder that passes events through."""
        return OpenAIStream(strip_usage=not request.include_usage)

    def read_completion(self, body: bytes, request: ChatRequest, target: Target) -> Completion:  # noqa: ARG002
        """Return the answer's own bytes and what its `usage` says."""
        try:
            answer = _answer_decoder.decode(body)
        except msgspec.ValidationError:
            return _read_odd_completion(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise _broken("The provider's answer is not valid JSON.") from None
        usage = None if answer.usage is None else _usage(answer.usage, answer.service_tier)
        return Completion(body=body, usage=usage, text="" if usage else _completion_text(body))

    def scale_tokens(self, o200k_tokens: int, target: Target) -> int:  # noqa: ARG002
        """Return the count itself: o200k is what the newer models of this dialect use."""
        return o200k_tokens

    def read_error(self, status: int, body: bytes) -> UpstreamRefused:
        """Return the provider's error, normalised to OpenAI's four keys.

        Providers of this dialect also send a bare string, a list of errors (Gemini), integer
        codes, or a proxy's HTML page.
        """
        try:
            answer = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return refusal(status)
        return _error_of(answer, status)


class OpenAIStream:
    """One streamed answer passed through event by event."""

    __slots__ = (
        "_raw", "_raw_bytes", "_splitter", "_strip_usage", "_text", "_text_bytes",
        "error", "finished", "usage",
    )  # fmt: skip

    def __init__(self, *, strip_usage: bool) -> None:
        self.usage: Usage | None = None
        self.finished = False
        self.error: KoradError | None = None
        self._strip_usage = strip_usage
        self._splitter = EventSplitter()
        self._raw: list[bytes] = []
        self._raw_bytes = 0
        self._text: list[bytes] = []
        self._text_bytes = 0

    def feed(self, chunk: bytes) -> bytes:
        """Return the complete events in `chunk`, as they came."""
        if self.finished:
            return b""
        events = self._splitter.feed(chunk)
        if b"[DONE]" in self._splitter.pending and self._splitter.pending.rstrip() == _DONE_LINE:
            # Some servers end with this line and no empty one: nothing can follow it.
            self.finished = True
        # Inside a JSON string a quote is escaped, so these cannot be somebody's words; [DONE]
        # can, and is looked at again. Three memory scans of a 200-byte event cost 0.15 us.
        if (
            b"[DONE]" in events
            or b'"error"' in events
            or (b'"usage"' in events and _USAGE_OBJECT.search(events))
        ):
            return self._feed_special(events)
        if events:
            # The text is only wanted if no usage comes, so it is cut out in batches.
            self._raw.append(events)
            self._raw_bytes += len(events)
            if self._raw_bytes > RAW_BYTES_MAX:
                self._extract_text()
        return events

    def generated_text(self) -> str:
        """Return the text gathered since the last call, JSON escapes resolved."""
        self._extract_text()
        pieces, self._text, self._text_bytes = self._text, [], 0
        return "".join(_unescape(piece) for piece in pieces)

    def generated_chars(self) -> int:
        """Return how many bytes of text wait in `generated_text`, the newest few excepted."""
        return self._text_bytes

    def _feed_special(self, events: bytes) -> bytes:
        passed = []
        for event in split_events(events):
            data = event_data(event)
            if data == b"[DONE]":
                self.finished = True
                break
            if (b'"error"' in data or b'"usage"' in data) and self._read_facts(data):
                continue
            passed.append(event)
        events = b"".join(passed)
        self._raw.append(events)
        return events

    def _read_facts(self, data: bytes) -> bool:
        """Take usage and error out of one event; return whether the event is to be dropped."""
        try:
            chunk = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise _broken("The provider sent an event that is not valid JSON.") from None
        if not isinstance(chunk, dict):
            return False
        if chunk.get("error"):
            self.error = _error_of(chunk, 502)
            return True
        usage = chunk.get("usage")
        if isinstance(usage, dict):
            self.usage = _lenient_usage(usage, chunk.get("service_tier"))
            return self._strip_usage and chunk.get("choices") == []
        return False

    def _extract_text(self) -> None:
        raw, self._raw, self._raw_bytes = self._raw, [], 0
        for piece in _GENERATED.findall(b"".join(raw)):
            self._text.append(piece)
            self._text_bytes += len(piece)


# A count below zero would be a bill below zero, one above 64 bits nobody could add up.
Count = Annotated[int, msgspec.Meta(ge=0, le=TOKENS_MAX)]


class _PromptDetails(msgspec.Struct, gc=False):
    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    audio_tokens: Count | None = None


class _CompletionDetails(msgspec.Struct, gc=False):
    reasoning_tokens: Count | None = None
    audio_tokens: Count | None = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: Count
    completion_tokens: Count = 0
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


class _Answer(msgspec.Struct, gc=False):
    usage: _Usage | None = None
    service_tier: str | None = None


# 0.7 us for an 850-byte answer, where decoding all of it costs 2.7.
_answer_decoder = msgspec.json.Decoder(_Answer)
_NO_PROMPT_DETAILS = _PromptDetails()
_NO_COMPLETION_DETAILS = _CompletionDetails()


def _usage(reported: _Usage, service_tier: str | None) -> Usage:
    prompt = reported.prompt_tokens_details or _NO_PROMPT_DETAILS
    completion = reported.completion_tokens_details or _NO_COMPLETION_DETAILS
    return Usage(
        prompt_tokens=reported.prompt_tokens,
        completion_tokens=reported.completion_tokens,
        cached_prompt_tokens=prompt.cached_tokens,
        cache_write_tokens=prompt.cache_write_tokens,
        reasoning_tokens=completion.reasoning_tokens,
        audio_prompt_tokens=prompt.audio_tokens,
        audio_completion_tokens=completion.audio_tokens,
        service_tier=service_tier,
    )


def _lenient_usage(reported: dict[str, Any], service_tier: object) -> Usage | None:
    """Return usage from a report whose members may be missing or of odd types."""
    counts = {name: value for name, value in reported.items() if _is_count(value)}
    if "prompt_tokens" not in counts:
        return None
    details = _counts_of(reported.get("prompt_tokens_details"))
    completion = _counts_of(reported.get("completion_tokens_details"))
    return Usage(
        prompt_tokens=counts["prompt_tokens"],
        completion_tokens=counts.get("completion_tokens", 0),
        # DeepSeek reports its cache hits beside the details.
        cached_prompt_tokens=details.get("cached_tokens", counts.get("prompt_cache_hit_tokens")),
        cache_write_tokens=details.get("cache_write_tokens"),
        reasoning_tokens=completion.get("reasoning_tokens"),
        audio_prompt_tokens=details.get("audio_tokens"),
        audio_completion_tokens=completion.get("audio_tokens"),
        service_tier=service_tier if isinstance(service_tier, str) else None,
    )


def _counts_of(details: object) -> dict[str, int]:
    if not isinstance(details, dict):
        return {}
    return {name: value for name, value in details.items() if _is_count(value)}


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= TOKENS_MAX


def _read_odd_completion(body: bytes) -> Completion:
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # A wrong type may be met before the place where the JSON breaks.
        raise _broken("The provider's answer is not valid JSON.") from None
    if not isinstance(answer, dict):
        raise _broken("The provider's answer is not a JSON object.")
    usage = answer.get("usage")
    found = _lenient_usage(usage, answer.get("service_tier")) if isinstance(usage, dict) else None
    return Completion(body=body, usage=found, text="" if found else _completion_text(body))


def _completion_text(body: bytes) -> str:
    return "".join(_unescape(piece) for piece in _GENERATED.findall(body))


def _unescape(piece: bytes) -> str:
    if b"\\" not in piece:
        return piece.decode("utf-8", "replace")
    try:
        return msgspec.json.decode(b'"' + piece + b'"', type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return piece.decode("utf-8", "replace")


def _with_usage(options: msgspec.Raw | None) -> msgspec.Raw:
    if options is None:
        return _ASK_USAGE
    members = msgspec.json.decode(options, type=dict[str, msgspec.Raw] | None) or {}
    members["include_usage"] = _TRUE
    return msgspec.Raw(encode_members(members))


def _error_of(answer: object, status: int) -> UpstreamRefused:
    if isinstance(answer, list) and answer:
        answer = answer[0]
    error = answer.get("error", answer) if isinstance(answer, dict) else answer
    if isinstance(error, str):
        return refusal(status, error)
    if not isinstance(error, dict):
        return refusal(status)
    message, code, param = error.get("message"), error.get("code"), error.get("param")
    kind = error.get("type")
    return refusal(
        status,
        message if isinstance(message, str) else None,
        kind=kind if isinstance(kind, str) else None,
        code=None if code is None else str(code),
        param=param if isinstance(param, str) else None,
    )


def _broken(message: str) -> KoradError:
    return upstream_error(502, message, "upstream_broken")
