"""The boundary between korad's hub dialect (OpenAI's) and what a provider speaks.

A dialect is one object with four methods, all pure: bytes and facts in, bytes and facts out.
OpenAI-to-OpenAI returns the upstream's own bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Protocol

import msgspec

from korad.domain.chat import ChatRequest
from korad.domain.generated import Generated
from korad.domain.usage import Usage
from korad.domain.value import Fact, value
from korad.errors import KoradError


@value
class Target:
    """Where a request goes, as a dialect needs to know it."""

    provider: str
    """Name of the provider row, e.g. "anthropic"."""
    model: str
    """The model name the upstream is asked for, e.g. "claude-sonnet-4-5-20250929"."""
    model_json: msgspec.Raw = field(init=False)
    """The same as a JSON string, encoded once."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "model_json", msgspec.Raw(msgspec.json.encode(self.model)))


class Completion(Fact, frozen=True):
    """A whole non-streaming answer in OpenAI's shape."""

    body: bytes
    usage: Usage | None
    """None when the provider reported none: the caller counts `text` instead."""
    text: str = ""
    """All generated text (content, reasoning, tool arguments); may be "" when `usage` is known."""


class StreamDecoder(Protocol):
    """One streamed answer: upstream bytes in, whole OpenAI SSE events out. Never shared."""

    usage: Usage | None
    """The provider's report, as far as it has come."""
    finished: bool
    """The upstream said that the answer is complete (`[DONE]`, `message_stop`)."""
    error: KoradError | None
    """An error the upstream sent in place of (the rest of) the answer; nothing follows it."""

    @property
    def generated(self) -> Generated:
        """What was generated so far."""
        ...

    @property
    def deltas_with(self) -> Callable[[bytes], int] | None:
        """Return what adds a chunk of HTTP to `generated` if it may go on as it came.

        It returns the deltas so far, or -1 for what may not. None while no chunk may.
        """
        ...

    def feed(self, chunk: bytes) -> bytes:
        """Return what the client gets for `chunk`: complete `data:` events, never `[DONE]`.

        May be b"". Any chunking of the upstream's bytes gives the same output. An event
        still incomplete is kept back, so that what was sent always ends between two events.
        Raises UpstreamError (502, `upstream_broken`) for bytes that are not this dialect.
        """
        ...


class DialectCodec(Protocol):
    """What korad must know to speak a dialect."""

    path: str
    """Appended to the provider's base path, e.g. "/chat/completions"."""
    headers: tuple[tuple[str, str], ...]
    """Request headers that every call in this dialect carries."""
    streams_tokens: bool
    """A delta is one token, as a rule: where usage never comes, deltas are the better count."""
    head_after_first_event: bool
    """A 200 may still turn out to be an error: hold the client's head until `feed` gave bytes."""
    translates: bool
    """`build_body` reads all of the prompt: 6 us per KB."""

    def build_body(self, request: ChatRequest, target: Target) -> bytes:
        """Return the upstream request body. Raises ClientError for what cannot be honoured."""
        ...

    def adjusted(self, request: ChatRequest, body: bytes) -> tuple[str, ...]:
        """Return the parameters of `request` that `body`, built of it, changes or leaves out.

        Only those that were meant to shape the answer: the client is told, in a header.
        """
        ...

    def open_stream(self, request: ChatRequest, target: Target) -> StreamDecoder:
        """Return a decoder for the streamed answer to `request`."""
        ...

    def read_completion(self, body: bytes, request: ChatRequest, target: Target) -> Completion:
        """Translate a whole 2xx answer. Raises UpstreamError (502) when it is not one."""
        ...

    def scale_tokens(self, o200k_tokens: int, target: Target) -> int:
        """Turn korad's own count into the model's tokens, for where the provider reports none."""
        ...

    def read_error(self, status: int, body: bytes) -> KoradError:
        """Translate an upstream error answer (status >= 400), whatever its body is."""
        ...
