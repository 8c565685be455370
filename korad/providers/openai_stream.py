"""A streamed answer of the OpenAI dialect: its events pass through, its facts are read."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from korad.domain.usage import Usage
from korad.errors import KoradError
from korad.providers.openai_errors import broken, error_of
from korad.providers.openai_text import generated_pieces
from korad.providers.openai_usage import decode_facts, lenient_usage, typed_usage
from korad.providers.openai_usual import OpenAIText
from korad.wire.sse import DONE, EventSplitter, event_data, split_events

_USAGE_OBJECT = re.compile(rb'"usage"\s*:\s*\{')
_DONE_LINE = DONE.rstrip()


class OpenAIStream:
    """One streamed answer passed through event by event."""

    __slots__ = (
        "_splitter",
        "_strip_usage",
        "error",
        "finished",
        "generated",
        "usage",
    )  # fmt: skip

    def __init__(self, *, strip_usage: bool) -> None:
        self.usage: Usage | None = None
        self.finished = False
        self.error: KoradError | None = None
        self._strip_usage = strip_usage
        self._splitter = EventSplitter()
        self.generated = OpenAIText()

    def feed(self, chunk: bytes) -> bytes:
        """Return the complete events in `chunk`, as they came."""
        if self.finished:
            return b""
        if not self._splitter.pending:
            text = self.generated.text_in(chunk)
            if text is not None:
                if text:
                    self.generated.add(text)
                return chunk
        return self._feed_unusual(chunk)

    @property
    def deltas_with(self) -> Callable[[bytes], int] | None:
        """Return what knows a usual event in its chunk of HTTP, once one has come."""
        text = self.generated
        ready = text.is_usual_known and not self._splitter.pending and not self.finished
        return text.deltas_with if ready else None

    def _feed_unusual(self, chunk: bytes) -> bytes:
        splitter = self._splitter
        events = splitter.feed(chunk)
        if splitter.pending.rstrip() == _DONE_LINE:
            # Some servers end with this line and no empty one: nothing can follow it.
            self.finished = True
        # Inside a JSON string a quote is escaped, so these cannot be somebody's words; [DONE]
        # can, and is looked at again. `find`, because `in` makes and drops an exception first.
        if (
            events.find(b"[DONE]") >= 0
            or events.find(b'"error"') >= 0
            or (events.find(b'"usage"') >= 0 and _USAGE_OBJECT.search(events))
        ):
            return self._feed_special(events)
        if events:
            self._take_text(events)
        if events is chunk:
            self.generated.learn(events)
        return events

    def _feed_special(self, events: bytes) -> bytes:
        passed = []
        for event in split_events(events):
            data = event_data(event)
            if data.strip() == b"[DONE]":
                self.finished = True
                break
            if (b'"error"' in data or b'"usage"' in data) and self._read_facts(data):
                continue
            passed.append(event)
        events = b"".join(passed)
        self._take_text(events)
        return events

    def _read_facts(self, data: bytes) -> bool:
        """Take usage and error out of one event; return whether the event is to be dropped."""
        try:
            facts = decode_facts(data)
        except msgspec.ValidationError:
            return self._read_odd_facts(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise broken("The provider sent an event that is not valid JSON.") from None
        if facts.error is not None:
            return self._read_odd_facts(data)
        if facts.usage is None:
            return False
        self.usage = typed_usage(facts.usage, facts.service_tier)
        return self._strip_usage and facts.choices == []

    def _read_odd_facts(self, data: bytes) -> bool:
        """Read an event that has an error, or members of odd types."""
        try:
            chunk = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise broken("The provider sent an event that is not valid JSON.") from None
        if not isinstance(chunk, dict):
            return False
        if chunk.get("error"):
            self.error = error_of(chunk, 502)
            return True
        usage = chunk.get("usage")
        if isinstance(usage, dict):
            self.usage = lenient_usage(usage, chunk.get("service_tier"))
            return self._strip_usage and chunk.get("choices") == []
        return False

    def _take_text(self, events: bytes) -> None:
        for piece in generated_pieces(events):
            if piece:
                self.generated.add(piece)
