"""A Messages event stream as OpenAI chunks.

message_start         {role, content: "", refusal: null}; the prompt's usage
text_delta            {content}
thinking_delta        {reasoning_content}: the extension most clients know, never content
tool_use start        {tool_calls: [{index, id, type, function: {name, arguments: ""}}]}
input_json_delta      {tool_calls: [{index, function: {arguments}}]}
its end without any   the same with the input of its start, "{}" as a rule
message_delta         {} with finish_reason, {refusal} for a refusal; merges usage
message_stop          the usage chunk if the client asked for one
error                 nothing: `error` is set
ping, anything new    nothing
"""

from __future__ import annotations

from typing import Any

import msgspec

from korad.domain.chat import ChatRequest
from korad.domain.generated import Generated
from korad.domain.usage import Usage
from korad.errors import KoradError, UpstreamError
from korad.providers.anthropic_answer import completion_id, finish_reason, refusal_text
from korad.providers.anthropic_errors import stream_error
from korad.providers.anthropic_events import (
    Block,
    Delta,
    ErrorReport,
    Event,
    EventReader,
    Message,
    ReportedUsage,
    broken,
)
from korad.providers.anthropic_usage import fold, merge, usage_object

_encode = msgspec.json.Encoder().encode


class AnthropicStream:
    """One streamed answer, translated event by event."""

    __slots__ = (
        "_created_s",
        "_head",
        "_include_usage",
        "_model",
        "_opening",
        "_reader",
        "_reported",
        "_stop_sent",
        "_tail",
        "_tool_input",
        "_tools",
        "error",
        "finished",
        "generated",
        "usage",
    )

    deltas_with = None
    """Every chunk is translated."""

    def __init__(self, request: ChatRequest, created_s: int) -> None:
        self.usage: Usage | None = None
        self.finished = False
        self.error: KoradError | None = None
        self._reader = EventReader()
        self._reported: ReportedUsage | None = None
        # Of the answer
        self._model = request.model
        self._created_s = created_s
        self._include_usage = request.include_usage
        self._opening = b""
        """id, object, created and model of every chunk."""
        self._head = b""
        """Everything of a chunk before its delta; b"" until message_start came."""
        self._tail = b',"logprobs":null,"finish_reason":null}]' + self._null_usage()
        self._stop_sent = False
        # Of the tool call that is open
        self._tools = 0
        self._tool_input: bytes | None = None
        """Input from the tool's start, sent at its end unless it came in pieces meanwhile."""
        self.generated = Generated()

    def feed(self, chunk: bytes) -> bytes:
        """Return the chunks that `chunk` completes, b"" for none and after the end.

        What stands before the place where the stream breaks is still the client's: then the
        error is kept in `error` instead of being raised.
        """
        if self.finished or self.error is not None:
            return b""
        chunks: list[bytes] = []
        try:
            for event in self._reader.feed(chunk):
                piece = self._translate(event)
                if piece:
                    chunks.append(piece)
                if event.type in _LAST:
                    break
        except UpstreamError as error:
            self.error = error
            if not chunks:
                raise
        return b"".join(chunks)

    def _translate(self, event: Event) -> bytes:
        kind = event.type
        if kind == "content_block_delta" and event.delta is not None and self._head:
            return self._on_delta(event.delta)
        if kind == "message_start" and event.message is not None:
            return self._on_start(event.message)
        if kind == "error":
            self.error = stream_error(event.error or ErrorReport())
            return b""
        handler = _HANDLERS.get(kind)
        if handler is None and kind not in ("content_block_delta", "message_start"):
            return b""
        if handler is None or not self._head:
            raise broken(f"The provider sent a {kind} event out of place or of the wrong shape.")
        return handler(self, event)

    def _on_start(self, message: Message) -> bytes:
        if self._head:
            raise broken("The provider began its answer twice.")
        head = {
            "id": completion_id(message.id),
            "object": "chat.completion.chunk",
            "created": self._created_s,
            "model": self._model,
        }
        self._report(message.usage)
        if self.usage is not None and self.usage.service_tier is not None:
            head["service_tier"] = self.usage.service_tier
        self._opening = b"data: " + _encode(head)[:-1]
        self._head = self._opening + b',"choices":[{"index":0,"delta":'
        return self._chunk(b'{"role":"assistant","content":"","refusal":null}')

    def _on_delta(self, delta: Delta) -> bytes:
        kind = delta.type
        if kind == "text_delta" and delta.text:
            self.generated.add(delta.text)
            return self._head + b'{"content":' + _encode(delta.text) + b"}" + self._tail
        if kind == "input_json_delta" and delta.partial_json:
            self._tool_input = None
            return self._arguments(delta.partial_json)
        if kind == "thinking_delta" and delta.thinking:
            self.generated.add(delta.thinking)
            return self._chunk(b'{"reasoning_content":' + _encode(delta.thinking) + b"}")
        return b""

    def _on_block_start(self, event: Event) -> bytes:
        block = event.content_block or Block()
        if block.type == "text" and block.text:
            return self._on_delta(Delta(type="text_delta", text=block.text))
        if block.type == "thinking" and block.thinking:
            return self._on_delta(Delta(type="thinking_delta", thinking=block.thinking))
        if block.type != "tool_use":
            return b""
        call = {
            "index": self._tools,
            "id": block.id,
            "type": "function",
            "function": {"name": block.name, "arguments": ""},
        }
        self._tools += 1
        self._tool_input = bytes(block.input) or b"{}"
        self.generated.add(block.name)
        return self._chunk(_encode({"tool_calls": [call]}))

    def _on_block_stop(self, _event: Event) -> bytes:
        if self._tool_input is None:
            return b""
        whole, self._tool_input = self._tool_input, None
        return self._arguments(whole.decode())

    def _on_message_delta(self, event: Event) -> bytes:
        self._report(event.usage)
        delta = event.delta
        if delta is None or delta.stop_reason is None or self._stop_sent:
            return b""
        return self._stop(delta)

    def _on_stop(self, _event: Event) -> bytes:
        self.finished = True
        stop = b"" if self._stop_sent else self._stop(Delta())
        if not self._include_usage or self.usage is None:
            return stop
        usage = _encode(usage_object(self.usage))
        return stop + self._opening + b',"choices":[],"usage":' + usage + b"}\n\n"

    def _stop(self, delta: Delta) -> bytes:
        self._stop_sent = True
        said: dict[str, Any] = {}
        if delta.stop_reason == "refusal":
            said["refusal"] = refusal_text(delta.stop_details)
        reason = _encode(finish_reason(delta.stop_reason))
        end = b',"logprobs":null,"finish_reason":' + reason + b"}]" + self._null_usage()
        return self._head + _encode(said) + end

    def _arguments(self, text: str) -> bytes:
        self.generated.add(text)
        call = {"index": self._tools - 1, "function": {"arguments": text}}
        return self._chunk(_encode({"tool_calls": [call]}))

    def _chunk(self, delta: bytes) -> bytes:
        return self._head + delta + self._tail

    def _null_usage(self) -> bytes:
        return b',"usage":null}\n\n' if self._include_usage else b"}\n\n"

    def _report(self, reported: ReportedUsage | None) -> None:
        if reported is not None:
            known = self._reported
            self._reported = reported if known is None else merge(known, reported)
            self.usage = fold(self._reported)


_LAST = ("message_stop", "error")
_HANDLERS = {
    "content_block_start": AnthropicStream._on_block_start,  # noqa: SLF001 - its own table
    "content_block_stop": AnthropicStream._on_block_stop,  # noqa: SLF001
    "message_delta": AnthropicStream._on_message_delta,  # noqa: SLF001
    "message_stop": AnthropicStream._on_stop,  # noqa: SLF001
}
