"""One request's whole life, sans-IO: bytes and facts in, bytes and facts out.

    RECEIVED --admit--> ADMITTED --dispatch--> DISPATCHED --begin--> ANSWERED --settle--> SETTLED

The shell calls the steps in this order and does all waiting. `settle` is legal from every state
but the last, and an exchange settles exactly once. Steps that may take long (`optimize`, `count`)
touch nothing but this exchange, so that the shell may run them in a thread.
"""

from __future__ import annotations

from enum import Enum

from korad.auth import authenticate, authorize
from korad.billing.rating import rate, savings_nano_usd
from korad.domain.chat import ChatRequest
from korad.domain.exchange import ExchangeRecord, Outcome, RequestHead, UpstreamCall
from korad.domain.identity import VirtualKey
from korad.domain.money import Charge
from korad.domain.usage import Usage
from korad.errors import ExchangeStateError, KoradError
from korad.metering import settle_usage
from korad.optimizer import OptimizedPrompt
from korad.optimizer.tokens import INLINE_BYTES_MAX, is_quick_to_count
from korad.providers.base import StreamDecoder
from korad.rooms import Destination, Rooms
from korad.wire.figures import billed_line, closing_comment, figure_lines
from korad.wire.http1 import error_answer, plain_answer, status_line
from korad.wire.openai import parse_chat_request
from korad.wire.sse import DONE, data_event

FOLD_BYTES = 8_192
"""Generated text kept until it is counted, so that a long stream's memory stays bounded."""


class State(Enum):
    """How far an exchange has come."""

    RECEIVED = 0
    ADMITTED = 1
    DISPATCHED = 2
    ANSWERED = 3
    SETTLED = 4


_RECEIVED, _ADMITTED, _DISPATCHED = State.RECEIVED, State.ADMITTED, State.DISPATCHED
_ANSWERED, _SETTLED = State.ANSWERED, State.SETTLED


class Exchange:
    """One client request and all that follows from it."""

    __slots__ = (
        # set when made
        "request_id", "started_ms", "_rooms", "_started_ns", "_state",
        # set by admit, optimize and dispatch
        "destination", "key", "level", "request", "_head", "_margin_bp", "_prompt", "_sent_ns",
        # set while the answer comes
        "decoder", "status", "_body", "_upstream_headers", "_upstream_request_id",
        "_first_byte_ns", "_ended_ns",
        # figures
        "counted_prompt", "_counted_completion", "_text", "_reported", "_final",
        "_usage", "_charge", "_original_tokens", "_optimized_tokens", "_savings_nano_usd",
        "_error_code",
    )  # fmt: skip

    def __init__(self, rooms: Rooms, request_id: str, *, now_ms: int, now_ns: int) -> None:
        self.request_id = request_id
        self.started_ms = now_ms
        self._rooms = rooms
        self._started_ns = now_ns
        self._state = _RECEIVED
        self.destination: Destination | None = None
        self.key: VirtualKey | None = None
        self.level: str | None = None
        self.request: ChatRequest | None = None
        self._head: RequestHead | None = None
        self._margin_bp = 0
        self._prompt: OptimizedPrompt | None = None
        self._sent_ns = 0
        self.decoder: StreamDecoder | None = None
        self.status = 0
        self._body = b""
        self._upstream_headers = b""
        self._upstream_request_id: str | None = None
        self._first_byte_ns = 0
        self._ended_ns = 0
        self.counted_prompt: int | None = None
        self._counted_completion = 0
        self._text = ""
        self._reported: Usage | None = None
        self._final = False
        self._usage: Usage | None = None
        self._charge: Charge | None = None
        self._original_tokens: int | None = None
        self._optimized_tokens: int | None = None
        self._savings_nano_usd = 0
        self._error_code: str | None = None

    # ── the request ──────────────────────────────────────────────────────────────────────────

    def admit(self, head: RequestHead, body: bytes, *, now_s: int) -> None:
        """Authenticate, parse, find the destination, authorize. Raises ClientError."""
        self._step(_RECEIVED, _ADMITTED)
        rooms = self._rooms
        self._head = head
        key = self.key = authenticate(rooms.ring, head.credential_digest, now_s)
        if head.error is not None:
            raise head.error
        request = self.request = parse_chat_request(body)
        destination = self.destination = rooms.destination(request.model)
        authorize(key, destination.vendor, destination.model)
        self.level = head.level or key.level or rooms.default_level
        self._margin_bp = rooms.default_margin_bp if key.margin_bp is None else key.margin_bp

    def optimize(self) -> None:
        """Run the chain: pure CPU, never raises."""
        assert self.request is not None and self.level is not None
        self._prompt = self._rooms.chain.run(self.request, self.level)

    def dispatch(self) -> UpstreamCall:
        """Return the upstream call. Raises ClientError for what the dialect cannot carry."""
        self._step(_ADMITTED, _DISPATCHED)
        assert self.destination is not None and self._prompt is not None and self._head is not None
        destination = self.destination
        body = destination.codec.build_body(self._prompt.request, destination.target)
        return UpstreamCall(
            provider=destination.provider,
            head=b"%bX-Request-Id: %b\r\n%bContent-Length: %d\r\n\r\n"
            % (destination.call_head, self.request_id.encode(), self._head.forwarded, len(body)),
            body=body,
        )

    def note_sent(self, now_ns: int) -> None:
        """Note that the call went out on a connection: from here on it may cost something."""
        self._sent_ns = now_ns

    # ── the answer ───────────────────────────────────────────────────────────────────────────

    def begin(
        self, status: int, headers: bytes, upstream_request_id: str | None, now_ns: int
    ) -> None:
        """Take the head of the upstream's answer; `headers` are the lines to pass on."""
        self._step(_DISPATCHED, _ANSWERED)
        self.status = status
        self._upstream_headers = headers
        self._upstream_request_id = upstream_request_id
        self._first_byte_ns = now_ns
        assert self.destination is not None and self._prompt is not None
        if self._prompt.request.stream and status < 400:
            self.decoder = self.destination.codec.open_stream(
                self._prompt.request, self.destination.target
            )

    def read(self, body: bytes, now_ns: int) -> None:
        """Take a whole non-streaming answer. Raises KoradError: the provider's, or upstream_broken."""
        assert self.destination is not None and self._prompt is not None
        self._ended_ns = now_ns
        codec = self.destination.codec
        if self.status >= 400:
            raise codec.read_error(self.status, body)
        completion = codec.read_completion(body, self._prompt.request, self.destination.target)
        self._body = completion.body
        self._reported = completion.usage
        self._text = completion.text
        self._final = True

    def feed(self, chunk: bytes) -> bytes:
        """Return the events that the client gets for a piece of a streamed answer."""
        assert self.decoder is not None
        return self.decoder.feed(chunk)

    def take_text(self) -> str | None:
        """Return generated text that is due to be counted, or None; give its count to `add_counted`."""
        assert self.decoder is not None
        if self.decoder.generated_chars() < FOLD_BYTES:
            return None
        return self.decoder.generated_text()

    def add_counted(self, tokens: int) -> None:
        """Add the count of text from `take_text`."""
        self._counted_completion += tokens

    def end_stream(self, now_ns: int) -> None:
        """Note that no more of a streamed answer will come."""
        self._ended_ns = now_ns
        decoder = self.decoder
        if decoder is not None:
            self._reported = decoder.usage
            self._final = decoder.finished
            self._text = "" if self._is_reported_final() else decoder.generated_text()

    # ── counting, where no report came ───────────────────────────────────────────────────────

    @property
    def needs_prompt_count(self) -> bool:
        """Whether a figure is wanted that only counting the prompt gives."""
        return self.counted_prompt is None

    @property
    def needs_count(self) -> bool:
        """Whether the answer must be counted because the provider's final report is missing."""
        return not self._is_reported_final()

    @property
    def is_quick_to_count(self) -> bool:
        """Whether `count` may run on the event loop."""
        assert self.request is not None
        quick = self.counted_prompt is not None or is_quick_to_count(self.request)
        return quick and len(self._text) <= INLINE_BYTES_MAX

    def count_prompt(self) -> None:
        """Count the prompt sent upstream; CPU that grows with its size."""
        assert self._prompt is not None
        self.counted_prompt = self._rooms.counter.count_prompt(self._prompt.request)

    def count(self) -> None:
        """Count what the provider did not report; CPU that grows with the text."""
        if self.counted_prompt is None and self._reported is None:
            self.count_prompt()
        text, self._text = self._text, ""
        self._counted_completion += self._rooms.counter.count_text(text)

    # ── bytes for the client ─────────────────────────────────────────────────────────────────

    def answer(self, lines: bytes) -> bytes:
        """Return the whole non-streaming answer; `lines` are the shell's own header lines."""
        self._rate()
        assert self._charge is not None
        return plain_answer(
            self.status,
            self._figures() + billed_line(self._charge.billed_nano_usd) + self._lines(lines),
            self._body,
            content_type=b"application/json",
        )

    def stream_head(self, lines: bytes) -> bytes:
        """Return the head of a streamed answer; the prompt must have been counted."""
        assert self.counted_prompt is not None
        self._set_tokens(self.counted_prompt)
        return (
            status_line(200)
            + b"Content-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n"
            + b"Trailer: X-Korad-Billed-Amount\r\n"
            + self._figures()
            + self._lines(lines)
            + b"\r\n"
        )

    def stream_tail(self) -> tuple[bytes, bytes]:
        """Return the last events of a complete stream (bill, `[DONE]`) and its trailer lines."""
        self._rate()
        assert self._charge is not None
        billed = self._charge.billed_nano_usd
        comment = closing_comment(billed, self._savings_nano_usd, self.request_id)
        return comment + DONE, billed_line(billed)

    def stream_error(self, error: KoradError) -> tuple[bytes, bytes]:
        """Return the event that ends a broken stream, and its trailer lines; no `[DONE]`."""
        self._rate()
        self._error_code = error.code
        assert self._charge is not None
        return data_event(error.body()), billed_line(self._charge.billed_nano_usd)

    def refuse(self, error: KoradError, lines: bytes) -> bytes:
        """Return the whole answer to an error before any byte of an answer was sent."""
        self.status = error.status
        self._error_code = error.code
        return error_answer(error, self._lines(lines))

    def _figures(self) -> bytes:
        assert self._original_tokens is not None and self._optimized_tokens is not None
        assert self._prompt is not None
        return figure_lines(
            original_tokens=self._original_tokens,
            optimized_tokens=self._optimized_tokens,
            savings_nano_usd=self._savings_nano_usd,
            strategy=self._prompt.strategy,
            margin=self._rooms.margin_text(self._margin_bp),
        )

    def _lines(self, lines: bytes) -> bytes:
        head = self._head
        client_id = None if head is None else head.client_request_id
        echo = b"" if client_id is None else b"X-Client-Request-Id: %b\r\n" % client_id.encode()
        return b"%bx-request-id: %b\r\n%b%b" % (
            self._upstream_headers,
            self.request_id.encode(),
            echo,
            lines,
        )

    # ── the end ──────────────────────────────────────────────────────────────────────────────

    def settle(self, outcome: Outcome, now_ns: int) -> ExchangeRecord:
        """Return the final figures, once."""
        if self._state is _SETTLED:
            raise ExchangeStateError("an exchange settles once")
        if self._charge is None and self.owes(outcome):
            self._rate()
        self._state = _SETTLED
        usage, charge, destination = self._usage, self._charge, self.destination
        return ExchangeRecord(
            request_id=self.request_id,
            client_request_id=self._head.client_request_id if self._head else None,
            key_id=self.key.key_id if self.key else None,
            provider=destination.provider.name if destination else None,
            model=destination.target.model if destination else None,
            status=self.status,
            outcome=outcome.value,
            stream=self.request.stream if self.request else False,
            error_code=self._error_code,
            level=self.level,
            strategy=self._prompt.strategy if self._prompt else None,
            original_tokens=self._original_tokens,
            optimized_tokens=self._optimized_tokens,
            prompt_tokens=usage.prompt_tokens if usage else None,
            completion_tokens=usage.completion_tokens if usage else None,
            cached_tokens=usage.cached_prompt_tokens if usage else None,
            cache_write_tokens=usage.cache_write_tokens if usage else None,
            reasoning_tokens=usage.reasoning_tokens if usage else None,
            usage_source=usage.source.value if usage else None,
            service_tier=usage.service_tier if usage else None,
            price_id=charge.price_id if charge else None,
            margin_bp=charge.margin_bp if charge else None,
            cost_nano_usd=charge.cost_nano_usd if charge else 0,
            billed_nano_usd=charge.billed_nano_usd if charge else 0,
            savings_nano_usd=self._savings_nano_usd,
            upstream_request_id=self._upstream_request_id,
            started_ms=self.started_ms,
            first_byte_us=self._since_start_us(self._first_byte_ns),
            overhead_us=self._overhead_us(now_ns),
            duration_us=(now_ns - self._started_ns) // 1000,
        )

    def owes(self, outcome: Outcome) -> bool:
        """Return whether an exchange that ends so has consumed something at the provider.

        A client that leaves owes the prompt once it was sent; an upstream that fails before its
        head, or answers with an error, is owed nothing.
        """
        if self._state is _ANSWERED:
            return self.status < 400
        return outcome is Outcome.CLIENT_ABORTED and self._sent_ns > 0

    def _is_reported_final(self) -> bool:
        return self._final and self._reported is not None

    def _rate(self) -> None:
        """Turn usage into figures; legal once the answer has ended and was counted."""
        assert self.destination is not None
        usage = self._usage = settle_usage(
            self._reported,
            final=self._final,
            counted_prompt=self.counted_prompt or 0,
            counted_completion=self._counted_completion,
        )
        self._charge = rate(usage, self.destination.price, self._margin_bp)
        if self._optimized_tokens is None:
            self._set_tokens(usage.prompt_tokens)

    def _set_tokens(self, optimized_tokens: int) -> None:
        # Nothing shortens a prompt yet, so what was sent is what came.
        self._original_tokens = self._optimized_tokens = optimized_tokens
        assert self.destination is not None
        self._savings_nano_usd = savings_nano_usd(
            optimized_tokens, optimized_tokens, self.destination.price
        )

    def _since_start_us(self, then_ns: int) -> int | None:
        return (then_ns - self._started_ns) // 1000 if then_ns else None

    def _overhead_us(self, now_ns: int) -> int | None:
        if self.decoder is not None or not self._sent_ns or not self._ended_ns:
            return None
        waited_ns = self._ended_ns - self._sent_ns
        return (now_ns - self._started_ns - waited_ns) // 1000

    def _step(self, expected: State, following: State) -> None:
        if self._state is not expected:
            raise ExchangeStateError(f"{following.name} must follow {expected.name}, not {self._state.name}")
        self._state = following
