"""The OpenAI dialect: a pass-through that reads the usage and little else.

Request: the client's members with their own bytes; only `model` and, on streams,
`stream_options.include_usage` change. Answer: the upstream's own bytes, less the usage chunk that
only korad asked for.

openai_stream         a streamed answer
openai_usage          token counts        openai_text       text to count where none came
openai_errors         refusals
"""

from __future__ import annotations

import msgspec

from korad.domain.chat import ChatRequest
from korad.errors import UpstreamRefused
from korad.providers.base import Completion, Target
from korad.providers.openai_errors import broken, error_of
from korad.providers.openai_stream import OpenAIStream
from korad.providers.openai_text import generated_text
from korad.providers.openai_usage import decode_answer, lenient_usage, typed_usage
from korad.providers.refusal import refusal
from korad.wire.openai import encode_members

_ASK_USAGE = msgspec.Raw(b'{"include_usage":true}')
_TRUE = msgspec.Raw(b"true")
HIDDEN_ERROR_STATUS = 502
"""What an error under a 200 is told as."""


class OpenAIDialect:
    """Codec of the OpenAI dialect; holds no state."""

    path = "/chat/completions"
    headers: tuple[tuple[str, str], ...] = ()
    streams_tokens = True
    head_after_first_event = False
    translates = False

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
            answer = decode_answer(body)
        except msgspec.ValidationError:
            return _read_odd_completion(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise broken("The provider's answer is not valid JSON.") from None
        if answer.usage is None:
            _refuse_hidden_error(body)
        usage = None if answer.usage is None else typed_usage(answer.usage, answer.service_tier)
        return Completion(body=body, usage=usage, text="" if usage else generated_text(body))

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
        return error_of(answer, status)


def _refuse_hidden_error(body: bytes) -> None:
    """Raise the error that some providers send under a 200: nothing was generated."""
    if b'"error"' in body and b'"choices"' not in body:
        _read_odd_completion(body)


def _read_odd_completion(body: bytes) -> Completion:
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # A wrong type may be met before the place where the JSON breaks.
        raise broken("The provider's answer is not valid JSON.") from None
    if not isinstance(answer, dict):
        raise broken("The provider's answer is not a JSON object.")
    if answer.get("error") and "choices" not in answer:
        raise error_of(answer, HIDDEN_ERROR_STATUS)
    usage = answer.get("usage")
    found = lenient_usage(usage, answer.get("service_tier")) if isinstance(usage, dict) else None
    return Completion(body=body, usage=found, text="" if found else generated_text(body))


def _with_usage(options: msgspec.Raw | None) -> msgspec.Raw:
    if options is None:
        return _ASK_USAGE
    members = msgspec.json.decode(options, type=dict[str, msgspec.Raw] | None) or {}
    members["include_usage"] = _TRUE
    return msgspec.Raw(encode_members(members))
