"""The Anthropic Messages dialect behind OpenAI's chat completions.

anthropic_request     the body, from
  _turns _content       messages          _tools _schema    tools, response_format
  _parameters           the rest          _thinking         reasoning_effort
anthropic_models      what each model accepts: the table the translation turns on
anthropic_answer      a whole answer      anthropic_stream  a streamed one
anthropic_events      its frames          anthropic_usage   its token counts
anthropic_errors      refusals
"""

from __future__ import annotations

from collections.abc import Callable

from korad.domain.chat import ChatRequest
from korad.errors import KoradError
from korad.providers import anthropic_answer, anthropic_errors, anthropic_request
from korad.providers.anthropic_models import CapabilityTable
from korad.providers.anthropic_parameters import IGNORED, REFUSED, adjusted_parameters
from korad.providers.anthropic_stream import AnthropicStream
from korad.providers.base import Completion, Target

__all__ = ["IGNORED", "REFUSED", "AnthropicDialect"]


class AnthropicDialect:
    """Codec of the Anthropic dialect; holds the capability table and a clock, no state."""

    path = "/messages"
    # The version after this one refuses temperature and top_p whatever the model.
    headers: tuple[tuple[str, str], ...] = (("anthropic-version", "2023-06-01"),)
    streams_tokens = False
    head_after_first_event = True
    translates = True

    def __init__(self, table: CapabilityTable, now_s: Callable[[], int]) -> None:
        """`now_s` gives `created`, in Unix seconds: Anthropic's answers carry no time."""
        self._table = table
        self._now_s = now_s

    def build_body(self, request: ChatRequest, target: Target) -> bytes:
        """Return the Messages body. Raises ClientError (400) for what cannot be honoured."""
        return anthropic_request.build_body(request, target.model, self._table.find(target.model))

    def adjusted(self, request: ChatRequest, body: bytes) -> tuple[str, ...]:
        """Return the parameters that were lowered, dropped or have no counterpart."""
        return adjusted_parameters(request.members, body)

    def open_stream(self, request: ChatRequest, target: Target) -> AnthropicStream:  # noqa: ARG002 - one boundary for all dialects
        """Return a decoder that writes OpenAI chunks."""
        return AnthropicStream(request, self._now_s())

    def read_completion(self, body: bytes, request: ChatRequest, target: Target) -> Completion:  # noqa: ARG002
        """Return the answer as a chat.completion. Raises UpstreamError (502) when it is none."""
        return anthropic_answer.read_completion(body, request, self._now_s())

    def scale_tokens(self, o200k_tokens: int, target: Target) -> int:
        """Return what a count in o200k tokens is for the model, to the nearest token."""
        return round(o200k_tokens * self._table.find(target.model).token_multiplier)

    def read_error(self, status: int, body: bytes) -> KoradError:
        """Return the provider's error in OpenAI's shape, whatever its body is."""
        return anthropic_errors.read_error(status, body)
