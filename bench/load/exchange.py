"""One request under way: its answer is checked and timed as it comes in.

Whatever can be found by looking for bytes is: JSON is parsed only where an answer is not spelled
the way OpenAI spells it, and for a stream's few events without text.
"""

from __future__ import annotations

import re
from math import ceil
from typing import Protocol

import orjson

from bench.load.dialect import stamps_of, text_of, tokens_of
from bench.load.plan import Ask
from bench.load.recorder import Recorder, Times

OK = 200
_TEXT = b'"content":"'
_BACKSLASH = 0x5C
_SPACED_TEXT = b'"content": "'
_EMPTY_TEXT = _TEXT + b'"'
_STAMPED_TEXT = _TEXT + b"t="
_USAGE = b'"completion_tokens":'
_EVENT_END = re.compile(rb"\r?\n\r?\n")
_EVENT_BYTES_MAX = 1_048_576
_DIGITS = re.compile(rb"\s*(\d+)")


class Carrier(Protocol):
    """The connection that an exchange runs on."""

    def stop(self, kind: str | None) -> None:
        """End the exchange: with a class of error, or None: the client leaves as planned."""
        ...


class Exchange:
    """What all exchanges have; the answer's bytes come to `body`, its end to `verdict`."""

    __slots__ = (
        "ask",
        "carrier",
        "heard_ns",
        "intended_ns",
        "recorder",
        "sent_ns",
        "times",
        "tokens",
        "turn",
    )

    def __init__(self, ask: Ask, recorder: Recorder, intended_ns: int, sent_ns: int) -> None:
        self.ask = ask
        self.recorder = recorder
        self.intended_ns = intended_ns
        self.sent_ns = self.heard_ns = sent_ns
        self.tokens = 0
        self.carrier: Carrier | None = None
        """None: not yet connected, or over."""
        self.turn: tuple[int, int] = (0, 0)
        """The conversation's number, and the request's within it."""
        # A slow reader's times tell of the reader; they go where nobody looks.
        self.times = Times() if ask.slow else recorder.times

    def body(self, data: bytes, now_ns: int) -> bool:
        """Take a piece of a 200's body; return whether the client now leaves, as planned."""
        raise NotImplementedError

    def verdict(self) -> str | None:
        """Return what is wrong with a complete answer of status 200; None: nothing."""
        raise NotImplementedError

    def cut(self) -> str:
        """Return the class of error when the connection ends within the answer."""
        raise NotImplementedError

    def succeed(self, now_ns: int) -> None:
        """Record a good answer."""
        raise NotImplementedError


class PlainExchange(Exchange):
    """Not streamed."""

    __slots__ = ("_content",)

    def __init__(self, ask: Ask, recorder: Recorder, intended_ns: int, sent_ns: int) -> None:
        super().__init__(ask, recorder, intended_ns, sent_ns)
        self._content = b""

    def body(self, data: bytes, now_ns: int) -> bool:  # noqa: ARG002 - one of a pair
        """Keep it."""
        self._content = self._content + data if self._content else data
        return False

    def verdict(self) -> str | None:
        """Look for the usage, and parse the answer only if it is not where it should be."""
        content = self._content
        at = content.rfind(_USAGE)
        if at > 0 and content[at - 1] != _BACKSLASH and content.endswith(b"}"):
            digits = _DIGITS.match(content, at + len(_USAGE))
            if digits:
                self.tokens = int(digits[1])
                return None
        return self._parsed_verdict(content)

    def cut(self) -> str:
        """Tell that the connection was reset."""
        return "reset"

    def succeed(self, now_ns: int) -> None:
        """Record the times."""
        e2e_ns = now_ns - self.intended_ns
        content = self._content
        times = self.times
        at = content.find(_TEXT)
        at = at + len(_TEXT) if at >= 0 else content.find(_SPACED_TEXT) + len(_SPACED_TEXT)
        if content.startswith(b"t=", at):
            stamps = stamps_of(content, at)
            if len(stamps) > 1:
                times.overhead.append(e2e_ns - int(stamps[1]) + int(stamps[0]))
        times.e2e.append(e2e_ns)
        recorder = self.recorder
        recorder.succeeded(self.intended_ns, e2e_ns, self.tokens)
        if recorder.has_slo and not self.ask.slow:
            recorder.judge(e2e_ns, None, None)

    def _parsed_verdict(self, content: bytes) -> str | None:
        try:
            answer = orjson.loads(content)
        except orjson.JSONDecodeError:
            return "bad body"
        tokens = tokens_of(answer)
        if tokens is None:
            return "no usage"
        self.tokens = tokens
        return None


class StreamExchange(Exchange):
    """Streamed as server-sent events."""

    __slots__ = (
        "_chunks",
        "_done",
        "_error",
        "_first_ns",
        "_last_event",
        "_last_ns",
        "_leave_at",
        "_received_ns",
        "_tail",
        "_usage",
        "_written_ns",
    )

    def __init__(
        self, ask: Ask, recorder: Recorder, intended_ns: int, sent_ns: int, *, expected: int
    ) -> None:
        super().__init__(ask, recorder, intended_ns, sent_ns)
        share = ask.leave_after
        self._leave_at = 0 if share is None else max(1, ceil(share * expected))
        self._chunks = 0
        self._tail = self._last_event = b""
        self._done = self._usage = self._error = False
        self._first_ns = self._last_ns = 0
        self._received_ns = self._written_ns = 0

    def body(self, data: bytes, now_ns: int) -> bool:
        """Take the events that are complete with it."""
        if self._tail:
            data = self._tail + data
        if b"\r" in data:
            events = _EVENT_END.split(data)
            self._tail = events.pop()
        elif data.endswith(b"\n\n"):
            events = data[:-2].split(b"\n\n")
            self._tail = b""
        else:
            events = data.split(b"\n\n")
            self._tail = events.pop()
        for event in events:
            self._event(event, now_ns)
        if len(self._tail) > _EVENT_BYTES_MAX:
            self._error = True
            self._tail = b""
        return 0 < self._leave_at <= self._chunks

    def verdict(self) -> str | None:
        """Tell what is missing."""
        if self._error:
            return "error in stream"
        if not self._done:
            return "cut stream"
        if not self._usage:
            self._read(self._last_event)  # some providers put it beside the last text
        return None if self._usage else "no usage"

    def cut(self) -> str:
        """Tell that the stream was cut."""
        return "cut stream"

    def succeed(self, now_ns: int) -> None:
        """Record the times."""
        times = self.times
        e2e_ns = now_ns - self.intended_ns
        ttft_ns = self._first_ns - self.intended_ns if self._chunks else None
        if ttft_ns is not None and self.tokens > 1:
            times.tpot.append((e2e_ns - ttft_ns) // (self.tokens - 1))
        if self._received_ns:
            times.overhead.append(e2e_ns - (self._written_ns - self._received_ns))
        times.e2e.append(e2e_ns)
        self.recorder.succeeded(self.intended_ns, e2e_ns, self.tokens)
        if self.recorder.has_slo and not self.ask.slow:
            span_ns = self._last_ns - self._first_ns
            itl_ns = span_ns / (self._chunks - 1) if self._chunks > 1 else None
            self.recorder.judge(e2e_ns, ttft_ns, itl_ns)

    def _event(self, event: bytes, now_ns: int) -> None:
        at = event.find(_TEXT)
        if at >= 0 and not event.startswith(_EMPTY_TEXT, at):
            if self._chunks and event.startswith(_STAMPED_TEXT, at):
                self._later_chunk(event, at + len(_STAMPED_TEXT), now_ns)
            else:
                self._chunk(stamps_of(event, at + len(_TEXT)), now_ns)
            self._last_event = event
        elif event.endswith(b"[DONE]"):
            self._done = True
        else:
            self._read(event, now_ns)

    def _later_chunk(self, event: bytes, at: int, now_ns: int) -> None:
        """Record a chunk that is not the first: the usual case of `_chunk`, without its detours."""
        times = self.times
        times.itl.append(now_ns - self._last_ns)
        self._chunks += 1
        self._last_ns = now_ns
        self.recorder.chunks_at.append(now_ns)
        digits = event[at : event.find(b" ", at)]
        if digits.isdigit():
            self._written_ns = written_ns = int(digits)
            times.chunk_overhead.append(now_ns - written_ns)

    def _chunk(self, stamps: list[bytes], now_ns: int) -> None:
        """Record a chunk with text."""
        if self._chunks:
            self.times.itl.append(now_ns - self._last_ns)
        else:
            self._first_ns = now_ns
            self.times.ttft.append(now_ns - self.intended_ns)
            if len(stamps) > 1:
                self._received_ns = int(stamps[0])
        self._chunks += 1
        self._last_ns = now_ns
        self.recorder.chunks_at.append(now_ns)
        if stamps:
            self._written_ns = written_ns = int(stamps[-1])
            self.times.chunk_overhead.append(now_ns - written_ns)

    def _read(self, event: bytes, now_ns: int = 0) -> None:
        """Parse an event that is not a plain chunk of text; `now_ns` 0: look for usage only."""
        if not event or event.startswith(b":"):
            return
        try:
            content = orjson.loads(event.partition(b"data:")[2])
        except orjson.JSONDecodeError:
            self._error = True
            return
        if not isinstance(content, dict) or content.get("error"):
            self._error = True
            return
        tokens = tokens_of(content)
        if tokens is not None:
            self._usage = True
            self.tokens = tokens
        text = text_of(content) if now_ns else ""
        if text:
            self._last_event = event
            self._chunk(stamps_of(text.encode(), 0), now_ns)
