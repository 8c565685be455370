"""One request's whole life, sans-IO: bytes and facts in, bytes and facts out.

    RECEIVED --admit--> ADMITTED --dispatch--> DISPATCHED --begin--> ANSWERED --settle--> SETTLED

The shell calls the steps in this order and does all waiting. `settle` is legal from every state
but the last, and an exchange settles exactly once. Steps that may take long (`optimize`, `count`)
touch nothing but this exchange, so that the shell may run them in a thread.
"""

from __future__ import annotations

from enum import Enum
from http import HTTPStatus

from korad.auth import authenticate, authorize
from korad.billing.rating import rate
from korad.domain.chat import ChatRequest
from korad.domain.exchange import ExchangeRecord, Outcome, RequestHead, UpstreamCall
from korad.domain.identity import VirtualKey
from korad.domain.money import Charge
from korad.domain.usage import Usage
from korad.errors import ExchangeStateError, KoradError
from korad.metering import settle_usage
from korad.optimizer import PASSTHROUGH, OptimizedPrompt
from korad.optimizer.tokens import INLINE_BYTES_MAX, is_quick_to_count
from korad.providers.base import StreamDecoder
from korad.rooms import Destination, Rooms
from korad.wire.figures import billed_line, closing_comment, figure_lines
from korad.wire.http1 import error_answer, header_value, plain_answer, status_line
from korad.wire.openai import parse_chat_request
from korad.wire.sse import DONE, data_event

FIRST_ERROR_STATUS = 400


class State(Enum):
    """How far an exchange has come."""

    RECEIVED = 0
    ADMITTED = 1
    DISPATCHED = 2
    ANSWERED = 3
    SETTLED = 4


_PASSTHROUGH = PASSTHROUGH.encode()
_RECEIVED, _ADMITTED, _DISPATCHED = State.RECEIVED, State.ADMITTED, State.DISPATCHED
_ANSWERED, _SETTLED = State.ANSWERED, State.SETTLED


class Exchange:
    """One client request and all that follows from it.

    What is not known yet has its default in the class: making an exchange sets five attributes.
    """

    # set by admit and optimize
    key: VirtualKey | None = None
    request: ChatRequest | None = None
    destination: Destination | None = None
    level: str | None = None
    _head: RequestHead | None = None
    _margin_bp = 0
    _optimized: OptimizedPrompt | None = None
    _adjusted_line = b""

    # set while the answer comes
    decoder: StreamDecoder | None = None
    status = 0
    _body = b""
    _upstream_headers = b""
    _upstream_request_id: str | None = None
    _sent_ns = 0
    _first_byte_ns = 0
    _ended_ns = 0

    # figures
    counted_prompt: int | None = None
    _counted_completion = 0
    _text = ""
    _reported: Usage | None = None
    _final = False
    _usage: Usage | None = None
    _charge: Charge | None = None
    _original_tokens: int | None = None
    _optimized_tokens: int | None = None
    _savings_nano_usd = 0
    _error_code: str | None = None

    def __init__(self, rooms: Rooms, request_id: str, *, now_ms: int, now_ns: int) -> None:
        self.request_id = request_id
        self.started_ms = now_ms
        self._rooms = rooms
        self._started_ns = now_ns
        self._state = _RECEIVED

    # ── the request ──────────────────────────────────────────────────────────────────────────

    def admit(self, head: RequestHead, body: bytes) -> None:
        """Authenticate, parse, find the destination, authorize. Raises ClientError."""
        if self._state is not _RECEIVED:
            raise self._out_of_order("admit")
        self._state = _ADMITTED
        rooms = self._rooms
        self._head = head
        key = self.key = authenticate(rooms.ring, head.credential_digest, self.started_ms / 1000)
        if head.error is not None:
            raise head.error
        request = self.request = parse_chat_request(body)
        destination = self.destination = rooms.destination(request.model)
        if key.allowed_models is not None or key.allowed_providers is not None:
            authorize(key, destination.vendor, destination.model)
        self.level = head.level or key.level or rooms.default_level
        self._margin_bp = rooms.default_margin_bp if key.margin_bp is None else key.margin_bp

    def optimize(self) -> None:
        """Run the chain: pure CPU, never raises."""
        assert self.request is not None
        assert self.level is not None
        self._optimized = self._rooms.chain.run(self.request, self.level)

    def dispatch(self) -> UpstreamCall:
        """Return the upstream call. Raises ClientError for what the dialect cannot carry."""
        if self._state is not _ADMITTED:
            raise self._out_of_order("dispatch")
        self._state = _DISPATCHED
        assert self.destination is not None
        assert self._head is not None
        destination = self.destination
        request, codec = self.sent_request, destination.codec
        body = codec.build_body(request, destination.target)
        adjusted = codec.adjusted(request, body)
        if adjusted:
            self._adjusted_line = b"X-Korad-Adjusted: %b\r\n" % ", ".join(adjusted).encode()
        return UpstreamCall(
            provider=destination.provider,
            head=b"%bX-Request-Id: %b\r\n%bContent-Length: %d\r\n\r\n"
            % (destination.call_head, self.request_id.encode(), self._head.forwarded, len(body)),
            body=body,
        )

    @property
    def sent_request(self) -> ChatRequest:
        """The request as it goes upstream."""
        request = self.request if self._optimized is None else self._optimized.request
        assert request is not None
        return request

    def note_sent(self, now_ns: int) -> None:
        """Note that the call went out on a connection: from here on it may cost something."""
        self._sent_ns = now_ns

    @property
    def wants_stream(self) -> bool:
        """Whether the client asked for a stream."""
        return self.request is not None and self.request.stream

    # ── the answer ───────────────────────────────────────────────────────────────────────────

    def begin(
        self, status: int, headers: bytes, upstream_request_id: str | None, now_ns: int
    ) -> None:
        """Take the head of the upstream's answer; `headers` are the lines to pass on."""
        if self._state is not _DISPATCHED:
            raise self._out_of_order("begin")
        self._state = _ANSWERED
        self.status = status
        self._upstream_headers = self._adjusted_line + headers
        self._upstream_request_id = upstream_request_id
        self._first_byte_ns = now_ns
        assert self.destination is not None
        assert self.request is not None
        if self.request.stream and status < FIRST_ERROR_STATUS:
            self.decoder = self.destination.codec.open_stream(
                self.sent_request, self.destination.target
            )

    def read(self, body: bytes, now_ns: int) -> None:
        """Take a whole non-streaming answer. Raises KoradError: the provider's own or a 502."""
        assert self.destination is not None
        self._ended_ns = now_ns
        codec = self.destination.codec
        if self.status >= FIRST_ERROR_STATUS:
            error = codec.read_error(self.status, body)
            if self.status == HTTPStatus.UNAUTHORIZED:
                # Not about the caller's key, though it reads so.
                name = self.destination.provider.name
                error.message = f"The provider '{name}' refused korad's credential: {error.message}"
            raise error
        completion = codec.read_completion(body, self.sent_request, self.destination.target)
        self._body = completion.body
        self._reported = completion.usage
        self._text = completion.text
        self._final = True

    def end_stream(self, now_ns: int) -> None:
        """Note that no more of a streamed answer will come."""
        self._ended_ns = now_ns
        decoder = self.decoder
        if decoder is not None:
            self._reported = decoder.usage
            self._final = decoder.finished
            self._text = decoder.generated_text() if self.needs_count else ""

    # ── counting, where no report came ───────────────────────────────────────────────────────

    @property
    def needs_count(self) -> bool:
        """Whether the answer must be counted because the provider's final report is missing."""
        return self._reported is None or not self._final

    @property
    def is_quick_to_count(self) -> bool:
        """Whether `count` may run on the event loop."""
        assert self.request is not None
        quick = self.counted_prompt is not None or is_quick_to_count(self.request)
        return quick and len(self._text) <= INLINE_BYTES_MAX

    def count_prompt(self) -> None:
        """Count the prompt sent upstream; CPU that grows with its size."""
        self.counted_prompt = self._scaled(self._rooms.counter.count_prompt(self.sent_request))

    def count(self) -> None:
        """Count what the provider did not report; CPU that grows with the text."""
        if self.counted_prompt is None and self._reported is None:
            self.count_prompt()
        text, self._text = self._text, ""
        self.count_generated(text)

    def count_generated(self, text: str) -> None:
        """Count text that the model generated, and forget it; CPU that grows with the text."""
        self._counted_completion += self._scaled(self._rooms.counter.count_text(text))

    def _scaled(self, o200k_tokens: int) -> int:
        assert self.destination is not None
        return self.destination.codec.scale_tokens(o200k_tokens, self.destination.target)

    # ── bytes for the client ─────────────────────────────────────────────────────────────────

    def answer(self, lines: bytes) -> bytes:
        """Return the whole non-streaming answer; `lines` are the shell's own header lines."""
        charge = self._rate()
        return plain_answer(
            self.status,
            self._figures() + billed_line(charge.billed_nano_usd) + self._lines(lines),
            self._body,
        )

    def stream_head(self, lines: bytes) -> bytes:
        """Return the head of a streamed answer; the prompt must have been counted."""
        assert self.counted_prompt is not None
        self._original_tokens = self._optimized_tokens = self.counted_prompt
        return (
            status_line(200)
            + b"Content-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n"
            + self._figures()
            + self._lines(lines)
            + b"\r\n"
        )

    def stream_tail(self) -> tuple[bytes, bytes]:
        """Return the last events of a complete stream (bill, `[DONE]`) and its trailer lines."""
        billed = self._rate().billed_nano_usd
        comment = closing_comment(billed, self._savings_nano_usd, self.request_id)
        return comment + DONE, billed_line(billed)

    def stream_error(self, error: KoradError) -> tuple[bytes, bytes]:
        """Return the event that ends a broken stream, and its trailer lines; no `[DONE]`."""
        self._error_code = error.code
        return data_event(error.body()), billed_line(self._rate().billed_nano_usd)

    def refuse(self, error: KoradError, lines: bytes) -> bytes:
        """Return the whole answer to an error before any byte of an answer was sent."""
        self.status = error.status
        self._error_code = error.code
        return error_answer(error, self._lines(lines))

    def _figures(self) -> bytes:
        assert self._original_tokens is not None
        assert self._optimized_tokens is not None
        optimized = self._optimized
        return figure_lines(
            self._original_tokens,
            self._optimized_tokens,
            self._savings_nano_usd,
            _PASSTHROUGH if optimized is None else header_value(optimized.strategy),
            self._rooms.margin_text(self._margin_bp),
        )

    def _lines(self, lines: bytes) -> bytes:
        head = self._head
        echo = (
            b""
            if head is None or head.client_request_id is None
            else b"X-Client-Request-Id: %b\r\n" % head.client_request_id.encode()
        )
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
        destination = self.destination
        started_ns = self._started_ns
        return ExchangeRecord(
            self.request_id,
            None if self._head is None else self._head.client_request_id,
            None if self.key is None else self.key.key_id,
            None if destination is None else destination.provider.name,
            None if destination is None else destination.target.model,
            False if self.request is None else self.request.stream,
            self.status,
            outcome,
            self._error_code,
            self.level,
            self._strategy,
            self._original_tokens,
            self._optimized_tokens,
            self._savings_nano_usd,
            self._usage,
            self._charge,
            self._upstream_request_id,
            self.started_ms,
            (self._first_byte_ns - started_ns) // 1000 if self._first_byte_ns else None,
            self._overhead_us(now_ns),
            (now_ns - started_ns) // 1000,
        )

    @property
    def _strategy(self) -> str | None:
        if self._optimized is not None:
            return self._optimized.strategy
        return None if self.destination is None else PASSTHROUGH

    def owes(self, outcome: Outcome) -> bool:
        """Return whether an exchange that ends so has consumed something at the provider.

        A client that leaves owes the prompt once it was sent; an upstream that fails before its
        head, or answers with an error, is owed nothing.
        """
        if self._state is _ANSWERED:
            return self.status < FIRST_ERROR_STATUS
        return outcome is Outcome.CLIENT_ABORTED and self._sent_ns > 0

    def _rate(self) -> Charge:
        """Turn usage into figures; legal once the answer has ended and was counted."""
        assert self.destination is not None
        reported = self._reported
        usage = self._usage = (
            reported
            if self._final and reported is not None
            else settle_usage(
                reported,
                final=self._final,
                counted_prompt=self.counted_prompt or 0,
                counted_completion=self._counted_completion,
            )
        )
        charge = self._charge = rate(usage, self.destination.price, self._margin_bp)
        if self._optimized_tokens is None or usage is reported:
            # A stream's head told korad's own count; the record tells what the provider billed.
            self._original_tokens = self._optimized_tokens = usage.prompt_tokens
        return charge

    def _overhead_us(self, now_ns: int) -> int | None:
        if self.decoder is not None or not self._sent_ns or not self._ended_ns:
            return None
        waited_ns = self._ended_ns - self._sent_ns
        return (now_ns - self._started_ns - waited_ns) // 1000

    def _out_of_order(self, step: str) -> ExchangeStateError:
        return ExchangeStateError(f"{step} in state {self._state.name}")
