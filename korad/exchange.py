"""One request's whole life, sans-IO: bytes and facts in, bytes and facts out.

    RECEIVED --admit--> ADMITTED --dispatch--> DISPATCHED --begin--> ANSWERED --settle--> SETTLED
                        ADMITTED --hit, the response cache's-----> ANSWERED

The shell calls the steps in this order and does all waiting. `settle` is legal from every state
but the last, and an exchange settles exactly once. Steps that may take long (`optimize`, `count`)
touch nothing but this exchange, so that the shell may run them in a thread.
"""

from __future__ import annotations

from enum import Enum
from http import HTTPStatus

import msgspec

from korad.admission import hold_sizes
from korad.auth import authenticate, authorize
from korad.domain.answer import StoredAnswer
from korad.domain.chat import ChatRequest
from korad.domain.exchange import ExchangeRecord, Outcome, RequestHead, UpstreamCall
from korad.domain.identity import VirtualKey
from korad.domain.limits import HoldRequest
from korad.errors import ExchangeStateError, KoradError
from korad.figures import Figures
from korad.optimizer import LEVELS, PASSTHROUGH, Draft
from korad.optimizer.chain import INLINE_KNOWN_BYTES_MAX
from korad.providers.base import StreamDecoder
from korad.response_cache import Recording, cache_key, takes_part
from korad.rooms import Destination, Rooms
from korad.wire.figures import billed_line, closing_comment
from korad.wire.http1 import error_answer, header_value, plain_answer, status_line
from korad.wire.sse import DONE, data_event

FIRST_ERROR_STATUS = 400
INLINE_TRANSLATED_BYTES_MAX = 65_536
"""Marking and translating a longer prompt takes over a millisecond and belongs in a thread."""


class State(Enum):
    """How far an exchange has come."""

    RECEIVED = 0
    ADMITTED = 1
    DISPATCHED = 2
    ANSWERED = 3
    SETTLED = 4


CACHE_HIT = "Exact cache hit"
"""What `X-Korad-Strategy` says when nothing was asked of a provider."""
_PASSTHROUGH = PASSTHROUGH.encode()
_CACHE_HIT = CACHE_HIT.encode()
_RECEIVED, _ADMITTED, _DISPATCHED = State.RECEIVED, State.ADMITTED, State.DISPATCHED
_ANSWERED, _SETTLED = State.ANSWERED, State.SETTLED


class Exchange:
    """One client request and all that follows from it.

    All is set from the start and has a slot: reading a default from the class costs three times
    as much as setting it here.
    """

    __slots__ = (
        "_adjusted_line", "_body", "_built", "_draft", "_ended_ns", "_error_code", "_first_byte_ns",
        "_head", "_rooms", "_sent_ns", "_started_ns", "_state", "_stored", "_upstream_headers",
        "_upstream_request_id", "client_request_id", "decoder", "destination", "figures", "key",
        "level", "margin_bp", "recording", "request", "request_id", "sent_request", "started_ms",
        "status", "wants_stream",
    )  # fmt: skip

    def __init__(self, rooms: Rooms, request_id: str, *, now_ms: int, now_ns: int) -> None:
        self.request_id = request_id
        self.started_ms = now_ms
        self._rooms = rooms
        self._started_ns = now_ns
        self._state = _RECEIVED

        # set by admit and optimize
        self.key: VirtualKey | None = None
        self.request: ChatRequest | None = None
        self.sent_request: ChatRequest
        """The request as it goes upstream; there is none before `admit`."""
        self.figures: Figures
        """Tokens and money; likewise."""
        self.wants_stream = False
        """Whether the client asked for a stream."""
        self.destination: Destination | None = None
        self.level: str | None = None
        self.recording: Recording | None = None
        """The answer as far as it may be stored; None where the response cache has no part."""
        self._head: RequestHead | None = None
        self.client_request_id: str | None = None
        """The caller's own id."""
        self.margin_bp = 0
        self._draft: Draft | None = None
        self._built: bytes | KoradError | None = None
        """What `optimize` has made of the request for the provider, or why nothing."""
        self._adjusted_line = b""

        # set by hit
        self._stored: StoredAnswer | None = None

        # set while the answer comes
        self.decoder: StreamDecoder | None = None
        self.status = 0
        self._body = b""
        self._upstream_headers = b""
        self._upstream_request_id: str | None = None
        self._sent_ns = 0
        self._first_byte_ns = 0
        self._ended_ns = 0
        self._error_code: str | None = None

    # ── the request ──────────────────────────────────────────────────────────────────────────

    def admit(self, head: RequestHead, body: bytes) -> None:
        """Authenticate, parse, find the destination, authorize. Raises ClientError.

        It may be tried again after an UnknownKeyError, and after nothing else.
        """
        if self._state is not _RECEIVED:
            raise self._out_of_order("admit")
        rooms = self._rooms
        self._head = head
        self.client_request_id = head.client_request_id
        key = self.key = authenticate(rooms.ring, head.credential_digest, self.started_ms / 1000)
        self._state = _ADMITTED
        if head.error is not None:
            raise head.error
        request = self.request = self.sent_request = rooms.bodies.parse(body)
        self.wants_stream = request.stream
        destination = self.destination = rooms.destination(request.model)
        margin_bp = rooms.default_margin_bp if key.margin_bp is None else key.margin_bp
        self.margin_bp = margin_bp
        self.figures = Figures(
            rooms, destination, request, margin_bp, learns_sizes=bool(key.limits)
        )
        if key.allowed_models is not None or key.allowed_providers is not None:
            authorize(key, destination.vendor, destination.model)
        self.level = head.level or key.level or rooms.default_level
        if head.cache or (key.cache and head.cache is None):
            self._take_part(request, destination, key, self.level)

    def _take_part(
        self, request: ChatRequest, destination: Destination, key: VirtualKey, level: str
    ) -> None:
        """Record the answer if it may come from the response cache."""
        assert self._head is not None
        if takes_part(request, asked=self._head.cache is True):
            target = destination.target
            self.recording = Recording(
                cache_key(request, key.key_id, level, target.provider, target.model)
            )

    def hit(self, stored: StoredAnswer) -> None:
        """Take a stored answer for the provider's: nothing is sent, and nothing is owed."""
        if self._state is not _ADMITTED:
            raise self._out_of_order("hit")
        self._state = _ANSWERED
        assert self.destination is not None
        self._stored = stored
        self.status = HTTPStatus.OK.value
        self._body = stored.body
        age_s = max(0, self.started_ms - stored.stored_ms) // 1000
        self._upstream_headers = b"%bAge: %d\r\n" % (stored.lines, age_s)
        self.figures.take_stored(stored)

    def optimize_at_once(self) -> bool:
        """Look the prompt up and do what is short; False: `optimize` must run in a thread."""
        request, destination, level = self.request, self.destination, self.level
        assert request is not None
        assert destination is not None
        assert level is not None
        translates = destination.codec.translates
        if len(request.raw) > (
            INLINE_TRANSLATED_BYTES_MAX if translates else INLINE_KNOWN_BYTES_MAX
        ):
            # What is sent as it came need not wait for the thread, which others keep busy.
            return level == LEVELS[0] and not translates
        chain = self._rooms.chain
        draft = self._draft = chain.look_up(request, level, destination.cache_policy, at_once=True)
        if draft is None:
            return True
        if not draft.is_quick:
            # To be looked up again: the thread may be at work on the first part of this very body.
            self._draft = None
            return False
        chain.finish(draft)
        return True

    def optimize(self) -> None:
        """Make the prompt smaller, and translate it: CPU that grows with it, never raises."""
        assert self.request is not None
        assert self.destination is not None
        assert self.level is not None
        chain, codec = self._rooms.chain, self.destination.codec
        draft = chain.look_up(self.request, self.level, self.destination.cache_policy)
        if draft is not None:
            chain.finish(draft)
            self._compose(draft)
        if codec.translates:
            try:
                self._built = codec.build_body(self.sent_request, self.destination.target)
            except KoradError as error:
                self._built = error  # `dispatch` raises it

    def _compose(self, draft: Draft) -> None:
        assert self.key is not None
        assert self.destination is not None
        optimized = self.figures.optimized = self._rooms.chain.compose(
            draft, self.destination.cache_policy, self.key.key_id, self.started_ms
        )
        if optimized is not None:
            self.sent_request = optimized.request

    def dispatch(self) -> UpstreamCall:
        """Return the upstream call. Raises ClientError for what the dialect cannot carry."""
        if self._state is not _ADMITTED:
            raise self._out_of_order("dispatch")
        self._state = _DISPATCHED
        assert self.destination is not None
        assert self._head is not None
        destination = self.destination
        if self._draft is not None:
            draft, self._draft = self._draft, None
            self._compose(draft)
        request, codec = self.sent_request, destination.codec
        body, self._built = self._built, None
        if body is None:
            body = codec.build_body(request, destination.target)
        elif isinstance(body, KoradError):
            raise body
        adjusted = codec.adjusted(request, body)
        if adjusted:
            self._adjusted_line = b"X-Korad-Adjusted: %b\r\n" % ", ".join(adjusted).encode()
        return UpstreamCall(
            provider=destination.provider,
            head=b"%bX-Request-Id: %b\r\n%bContent-Length: %d\r\n\r\n"
            % (destination.call_head, self.request_id.encode(), self._head.forwarded, len(body)),
            body=body,
        )

    def hold_request(self, producer: str, slice_tokens: int) -> HoldRequest:
        """Return what to ask of the key's limits; the prompt must have been counted."""
        key, destination, prompt = self.key, self.destination, self.figures.counted_prompt
        assert key is not None
        assert destination is not None
        assert prompt is not None
        choices = self.sent_request.whole_number("n") or 1
        input_pico_usd, output_pico_usd = self.figures.token_prices
        sizes = hold_sizes(
            prompt_tokens=prompt,
            max_tokens=self.sent_request.max_tokens,
            choices=choices,
            stream=self.wants_stream,
            input_pico_usd=input_pico_usd,
            output_pico_usd=output_pico_usd,
            margin_bp=self.margin_bp,
            slice_tokens=slice_tokens,
            expected_completion=self._rooms.completion_sizes.expected(destination.target.model),
        )
        return HoldRequest(
            hold_id=self.request_id,
            producer=producer,
            account=key.account,
            limits=key.limits,
            started_ms=self.started_ms,
            amount_nano_usd=sizes.amount_nano_usd,
            least_nano_usd=sizes.least_nano_usd,
            tokens=sizes.tokens,
            fail_closed=key.fail_closed,
            key_id=key.key_id,
        )

    def note_sent(self, now_ns: int) -> None:
        """Note that the call went out on a connection: from here on it may cost something."""
        self._sent_ns = now_ns

    @property
    def is_sent(self) -> bool:
        """Whether the provider has got the request."""
        return self._sent_ns > 0

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
        if self.wants_stream and status < FIRST_ERROR_STATUS:
            decoder = self.decoder = self.destination.codec.open_stream(
                self.sent_request, self.destination.target
            )
            self.figures.begin_stream(decoder.generated)

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
        self.figures.take(completion)

    def end_stream(self, now_ns: int) -> None:
        """Note that no more of a streamed answer will come."""
        self._ended_ns = now_ns
        if self.decoder is not None:
            self.figures.end_stream(self.decoder)

    @property
    def tells_counts(self) -> bool:
        """Whether the answer's head needs korad's own counts of the prompt."""
        return self.figures.optimized is not None or self.wants_stream

    @property
    def awaits_prompt_count(self) -> bool:
        """Whether the answer has come, and the counts for its head are not made yet."""
        figures = self.figures
        return figures.counted_prompt is None and (
            self.decoder is not None or (figures.optimized is not None and self._state is _ANSWERED)
        )

    # ── bytes for the client ─────────────────────────────────────────────────────────────────

    def answer(self, lines: bytes) -> bytes:
        """Return the whole non-streaming answer; `lines` are the shell's own header lines."""
        charge = self.figures.charge or self.figures.rate()
        return plain_answer(
            self.status,
            self._figure_lines() + billed_line(charge.billed_nano_usd) + self._lines(lines),
            self._body,
        )

    def stream_head(self, lines: bytes) -> bytes:
        """Return the head of a streamed answer; the prompt must have been counted."""
        if self._stored is None:
            counted_prompt = self.figures.counted_prompt
            assert counted_prompt is not None
            self.figures.note_prompt(counted_prompt)
        return (
            status_line(200)
            + b"Content-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n"
            + self._figure_lines()
            + self._lines(lines)
            + b"\r\n"
        )

    def stream_tail(self) -> tuple[bytes, bytes]:
        """Return the last events of a complete stream (bill, `[DONE]`) and its trailer lines."""
        billed = (self.figures.charge or self.figures.rate()).billed_nano_usd
        comment = closing_comment(billed, self.figures.savings_nano_usd, self.request_id)
        return comment + DONE, billed_line(billed)

    def stream_error(self, error: KoradError) -> tuple[bytes, bytes]:
        """Return the event that ends a broken stream, and its trailer lines; no `[DONE]`."""
        self._error_code = error.code
        return data_event(error.body()), billed_line(self.figures.rate().billed_nano_usd)

    def length_event(self) -> bytes:
        """Return the event that says the answer ends here because no more may be spent on it."""
        assert self.request is not None
        return data_event(
            msgspec.json.encode(
                {
                    "id": f"chatcmpl-{self.request_id}",
                    "object": "chat.completion.chunk",
                    "created": self.started_ms // 1_000,
                    "model": self.request.model,
                    "choices": [{"index": 0, "delta": {}, "finish_reason": "length"}],
                }
            )
        )

    def refuse(self, error: KoradError, lines: bytes) -> bytes:
        """Return the whole answer to an error before any byte of an answer was sent."""
        self.status = error.status
        self._error_code = error.code
        return error_answer(error, self._lines(lines))

    def _figure_lines(self) -> bytes:
        optimized = self.figures.optimized
        strategy = _PASSTHROUGH if optimized is None else header_value(optimized.strategy)
        return self.figures.lines(strategy if self._stored is None else _CACHE_HIT)

    def _lines(self, lines: bytes) -> bytes:
        client_id = self.client_request_id
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
        key, destination, started_ns = self.key, self.destination, self._started_ns
        if key is None or destination is None:
            self._state = _SETTLED
            return self._early_record(outcome, now_ns)
        figures = self.figures
        if figures.charge is None and self.owes(outcome):
            figures.rate()
        self._state = _SETTLED
        optimized = figures.optimized
        strategy = PASSTHROUGH if optimized is None else optimized.strategy
        return ExchangeRecord(
            self.request_id,
            self.client_request_id,
            key.key_id,
            destination.provider.name,
            destination.target.model,
            self.wants_stream,
            self.status,
            outcome,
            self._error_code,
            self.level,
            strategy if self._stored is None else CACHE_HIT,
            figures.original_tokens,
            figures.optimized_tokens,
            figures.savings_nano_usd,
            figures.realized_nano_usd,
            figures.usage,
            figures.charge,
            self._upstream_request_id,
            self.started_ms,
            (self._first_byte_ns - started_ns) // 1000 if self._first_byte_ns else None,
            self._overhead_us(now_ns),
            (now_ns - started_ns) // 1000,
        )

    def _early_record(self, outcome: Outcome, now_ns: int) -> ExchangeRecord:
        """Return the record of a request that was refused before its destination was known."""
        return ExchangeRecord(
            request_id=self.request_id,
            client_request_id=self.client_request_id,
            key_id=None if self.key is None else self.key.key_id,
            provider=None,
            model=None,
            stream=self.wants_stream,
            status=self.status,
            outcome=outcome,
            error_code=self._error_code,
            level=None,
            strategy=None,
            original_tokens=None,
            optimized_tokens=None,
            savings_nano_usd=0,
            realized_savings_nano_usd=0,
            usage=None,
            charge=None,
            upstream_request_id=None,
            started_ms=self.started_ms,
            first_byte_us=None,
            overhead_us=None,
            duration_us=(now_ns - self._started_ns) // 1000,
        )

    @property
    def is_hit(self) -> bool:
        """Whether the response cache answers."""
        return self._stored is not None

    def to_store(self, now_ns: int) -> StoredAnswer | None:
        """Return a completed answer as it may be told again, or None: it is not to be stored.

        It must be the provider's whole answer with its own report, of a size to keep.
        """
        recording, figures = self.recording, self.figures
        usage, original = figures.reported, figures.original_tokens
        if recording is None or usage is None or not figures.final or self.status != HTTPStatus.OK:
            return None
        if self.decoder is None:
            recording.take(self._body)
        body = recording.whole()
        if body is None:
            return None
        assert original is not None
        return StoredAnswer(
            body=body,
            lines=self._adjusted_line,
            original_tokens=original,
            usage=usage,
            stored_ms=self.started_ms + (now_ns - self._started_ns) // 1_000_000,
        )

    def owes(self, outcome: Outcome) -> bool:
        """Return whether an exchange that ends so has consumed something at the provider.

        A client that leaves owes the prompt once it was sent; an upstream that fails before its
        head, or answers with an error, is owed nothing.
        """
        if self._state is _ANSWERED:
            return self.status < FIRST_ERROR_STATUS
        return outcome is Outcome.CLIENT_ABORTED and self.is_sent

    def _overhead_us(self, now_ns: int) -> int | None:
        if self.decoder is not None or not self._sent_ns or not self._ended_ns:
            return None
        waited_ns = self._ended_ns - self._sent_ns
        return (now_ns - self._started_ns - waited_ns) // 1000

    def _out_of_order(self, step: str) -> ExchangeStateError:
        return ExchangeStateError(f"{step} in state {self._state.name}")
