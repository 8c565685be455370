"""Carry one exchange: client bytes to the core, the core's bytes to the provider, and back.

Both lanes use it. It is called by the two sockets (never by a task of its own), writes once per
event of the other side, and is the only place where an exchange ends: every way an answer can
come to its end (complete, refused, client gone, provider gone, deadline, our own bug) passes
`_settle`, which acts once.

    OPEN --the end has come, a thread must count it--> COUNTING --counted--> SETTLED
    OPEN --the end has come-------------------------------------------------> SETTLED
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import Enum
from typing import Protocol

from korad.admission import budget_exceeded
from korad.clock import monotonic_ns
from korad.domain.answer import StoredAnswer
from korad.domain.exchange import ExchangeRecord, Outcome, RequestHead, UpstreamCall
from korad.domain.generated import Generated
from korad.domain.limits import Hold
from korad.domain.upstream import OnDisconnect
from korad.errors import (
    KoradError,
    UnknownKeyError,
    UpstreamRefused,
    server_error,
    upstream_error,
)
from korad.providers.base import StreamDecoder
from korad.response_cache import Recording
from korad.upstream import AnswerHead, Handle
from korad.web.allowance import Allowance
from korad.web.bypass import Bypass
from korad.web.shell import Shell
from korad.wire.http1 import chunk, last_chunk

FOLD_BYTES = 4_096
"""Generated text kept until it is counted."""
ANSWER_BYTES_MAX = 64 * 1024 * 1024
"""Longest non-streaming answer kept in memory until its usage is known."""

LIMITED_BYTES_AT_ONCE = 4_096
"""Of a stream of a key with limits: less than a slice of tokens, in the shortest of events."""

_CHUNKED = b"Transfer-Encoding: chunked\r\nTrailer: X-Korad-Billed-Amount\r\n"
_log = logging.getLogger("korad")


class Stage(Enum):
    """How far a relay has come."""

    OPEN = 0
    """More of the answer may come."""
    COUNTING = 1
    """No more of it is taken; its end waits for a count."""
    SETTLED = 2


_OPEN, _COUNTING, _SETTLED = Stage.OPEN, Stage.COUNTING, Stage.SETTLED


class Client(Protocol):
    """The near end of a relay."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    @property
    def writer(self) -> Callable[[bytes], None] | None:
        """Return what sends bytes as `write` does, in fewer steps; None: the client is gone."""

    def relay_done(self, *, keep_alive: bool) -> None:
        """Take the connection back: the answer is wholly written."""


class Relay:
    """One exchange under way between a client connection and an upstream connection."""

    __slots__ = (
        "_allowance", "_asked", "_body", "_body_bytes", "_bypass", "_chunked", "_client", "_close",
        "_count", "_drains", "_exchange", "_failure", "_folds", "_handle", "_head_sent", "_held",
        "_shell", "_slot", "_stage", "_stalled", "_unread", "_unread_end", "deadline",
    )  # fmt: skip

    def __init__(self, shell: Shell, client: Client, *, keep_alive: bool, chunked: bool) -> None:
        self._shell = shell
        self._client: Client | None = client
        self._exchange = shell.begin()
        self._close = not keep_alive
        self._chunked = chunked
        """False for an HTTP/1.0 client: a stream then ends with the connection."""
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._handle: Handle | None = None
        self._held = b""
        self._head_sent = False
        self._asked: tuple[RequestHead, bytes] | None = None
        """The request, while its key is being looked for."""
        self._failure: KoradError | None = None
        """Why the answer ends before it is complete."""
        self._folds = 0
        self._stage = _OPEN
        self._stalled = False
        """Whether the client does not keep up."""
        self._allowance: Allowance | None = None
        """What a key with limits may spend."""
        self._unread = b""
        """Bytes of its stream that must wait until more was granted."""
        self._unread_end = False
        """Behind them, the answer's end."""
        self._slot: int | None = None
        """Where the books note what is under way, from before the upstream call to the event."""
        self._count: Callable[[int], None] | None = None
        """Notes there how many tokens of a stream are about to have been passed on, in all."""
        self._bypass: Bypass | None = None
        """For chunks of a stream that may go on as they come, with no look at their text."""
        self._drains = False
        """Whether the answer is read to its end for a client that has left."""
        self.deadline = 0.0

    # ── the request ──────────────────────────────────────────────────────────────────────────

    def start(self, head: RequestHead, body: bytes) -> None:
        """Take a whole request and send it upstream, or answer why not."""
        self._attempt(self._take, head, body)

    def refuse(self, error: KoradError) -> None:
        """Answer a request that cannot even be taken (too large, not readable)."""
        self._refuse(error, Outcome.REFUSED)

    # ── the client's socket says ─────────────────────────────────────────────────────────────

    def client_gone(self) -> None:
        """Cancel the upstream, or read on if its provider wants that; it is billed either way."""
        self._client = None
        self._close_bypass()
        if self._stage is _SETTLED or self._begin_drain():
            return
        if self._exchange.destination is None:
            self._settle(Outcome.CLIENT_ABORTED)  # its key was still being looked for
            return
        self._cancel()
        self._finish(Outcome.CLIENT_ABORTED)

    def on_deadline(self) -> None:
        """Give up reading on for nobody."""
        if self._stage is _OPEN:
            self._cancel()
            self._finish(Outcome.CLIENT_ABORTED)

    def pause(self) -> None:
        """Read no more from the provider: the client does not keep up."""
        self._stalled = True
        if self._handle is not None and self._stage is not _SETTLED:
            self._handle.pause(self)

    def resume(self) -> None:
        """Read on."""
        self._stalled = False
        self._read_on()

    def _read_on(self) -> None:
        """Read from the provider unless the client, or its budget, does not keep up."""
        allowance = self._allowance
        if allowance is not None and self._unread:
            self._take_limited(allowance, b"")
        behind = allowance is not None and allowance.is_behind
        if self._handle is not None and not self._stalled and not behind:
            self._handle.resume(self)

    # ── the provider's socket says (upstream.Listener) ───────────────────────────────────────

    def on_sent(self) -> None:
        """Note when the request went out."""
        self._exchange.note_sent(monotonic_ns())
        if self._slot is not None:
            self._shell.books.note_sent(self._slot, sent=True)

    def on_retry(self, handle: Handle) -> None:
        """Hold the new handle: the request goes out again."""
        self._handle = handle
        # The stale connection processed nothing: a client that leaves now owes nothing.
        self._exchange.note_sent(0)
        if self._slot is not None:
            self._shell.books.note_sent(self._slot, sent=False)

    def on_answer(self, head: AnswerHead, body: bytes) -> None:
        """Take a whole answer."""
        exchange = self._exchange
        if exchange.wants_stream:
            self.on_head(head)
            self.on_body(body)
            self.on_end()
            return
        exchange.begin(head.status, head.lines, head.request_id, monotonic_ns())
        self._answer(body)

    def on_head(self, head: AnswerHead) -> None:
        """Take the answer's head; a stream's goes to the client at once where it may."""
        exchange = self._exchange
        exchange.begin(head.status, head.lines, head.request_id, monotonic_ns())
        if head.is_encoded:
            self._fail(_broken("The provider compressed its answer, though asked not to."))
        elif exchange.decoder is not None:
            if not head.is_event_stream:
                self._fail(_broken("The provider answered a stream request without a stream."))
            elif not exchange.destination.codec.head_after_first_event:  # type: ignore[union-attr]
                self._send(b"")

    def on_body(self, data: bytes) -> None:
        """Pass a piece of a stream on, or keep a piece of a whole answer."""
        if self._stage is not _OPEN:
            # A provider that goes on after its answer's end must not hold the connection.
            self._cancel()
            return
        decoder = self._exchange.decoder
        if decoder is None:
            self._keep_piece(data)
        elif self._allowance is None:
            self._feed(decoder, data)
        else:
            self._take_limited(self._allowance, data)

    def _take_limited(self, allowance: Allowance, data: bytes) -> None:
        """Pass on no more than is granted, and a piece; the rest waits for the answer."""
        decoder = self._exchange.decoder
        assert decoder is not None
        unread, self._unread = self._unread + data, b""
        at = 0
        while at < len(unread) and not allowance.is_behind:
            if self._stage is not _OPEN:
                return
            self._feed(decoder, unread[at : at + LIMITED_BYTES_AT_ONCE])
            at += LIMITED_BYTES_AT_ONCE
        self._unread = unread[at:]
        if self._unread_end and not self._unread:
            self.on_end()

    def _feed(self, decoder: StreamDecoder, data: bytes) -> None:
        """Pass a stream's events on, once they are counted."""
        try:
            events = decoder.feed(data)
        except KoradError as error:
            self._fail(error)
            return
        except Exception:  # noqa: BLE001 - our bug: logged and answered there
            self._bug()
            return
        exchange = self._exchange
        if self._bypass is not None:
            self._bypass.open(decoder.deltas_with)
        if self._count is not None:
            allowance = self._allowance
            generated = decoder.generated
            tokens = self._tokens_so_far() if generated.is_kept else generated.deltas
            # Before it is passed on: a kill in between must not forget what the client got.
            self._count(tokens)
            if allowance is not None and not self._affords(allowance, tokens, events):
                return
        if exchange.recording is not None:
            exchange.recording.take(events)
        if decoder.finished or decoder.error is not None:
            self._end_stream(events)
        elif events:
            self._send(events)

    def _tokens_so_far(self) -> int:
        """Return how many tokens of a stream came at least, and keep its text bounded."""
        exchange = self._exchange
        generated = exchange.decoder.generated  # type: ignore[union-attr]
        if generated.kept_chars > FOLD_BYTES:
            self._fold_text(generated)
        return exchange.figures.tokens_so_far(generated)

    def _affords(self, allowance: Allowance, tokens: int, events: bytes) -> bool:
        """Return whether the budget has enough for a stream so far; end it where it has not."""
        if not allowance.covers(tokens):
            self._cut_short(events)
            return False
        if allowance.is_behind and self._handle is not None:
            self._handle.pause(self)
        return True

    def on_end(self) -> None:
        """Finish a whole answer; for a stream that said so itself, nothing is left to do."""
        self._handle = None
        self._unread_end = True
        if self._stage is not _OPEN or self._unread:
            return
        if self._exchange.decoder is None:
            self._answer(b"".join(self._body))
            return
        try:
            self._end_stream(b"")
        except Exception:  # noqa: BLE001 - our bug: logged and answered there
            self._bug()

    def on_failure(self, error: KoradError) -> None:
        """No (complete) answer will come."""
        self._handle = None
        if self._stage is _OPEN:
            self._fail(error)

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _take(self, head: RequestHead, body: bytes) -> None:
        """Admit a request, and look for a stored answer if it may have one."""
        shell, exchange = self._shell, self._exchange
        if shell.closing or shell.inflight > shell.inflight_max or shell.books.full:
            self._close = shell.closing or shell.inflight > shell.inflight_max
            shell.refuse()
        try:
            exchange.admit(head, body)
        except UnknownKeyError:
            if not self._looks_for_key(head, body):
                raise
            return
        if exchange.recording is None:
            self._optimize()
        else:
            self._look_up(exchange.recording)

    def _looks_for_key(self, head: RequestHead, body: bytes) -> bool:
        """Try again once new keys were looked for; return False where that cannot be done."""

        def looked() -> None:
            asked, self._asked = self._asked, None
            if asked is not None:
                self._attempt(self._take_again, *asked)

        assert head.credential_digest is not None
        # Not held by the one who looks: a client that leaves takes it along.
        self._asked = (head, body)
        return self._shell.new_keys.look(head.credential_digest, looked)

    def _take_again(self, head: RequestHead, body: bytes) -> None:
        """Admit a request whose key may have been made a moment ago."""
        exchange = self._exchange
        exchange.admit(head, body)
        if exchange.recording is None:
            self._optimize()
        else:
            self._look_up(exchange.recording)

    def _look_up(self, recording: Recording) -> None:
        self._shell.answers.find(recording.key, self._exchange.started_ms, self._looked_up)

    def _looked_up(self, stored: StoredAnswer | None) -> None:
        """Go on with what the response cache has."""
        if self._stage is _SETTLED:
            return
        if stored is None:
            self._attempt(self._optimize)
        else:
            self._attempt(self._replay, stored)

    def _optimize(self) -> None:
        """Make the prompt smaller, here or in a thread, and send it."""
        exchange = self._exchange
        if exchange.optimize_at_once():
            self._dispatch()
        else:
            self._shell.transform(exchange.optimize, self._optimized)

    def _optimized(self, raised: BaseException | None) -> None:
        """Go on with a prompt that was made smaller in a thread."""
        if self._stage is _SETTLED:
            return
        if raised is not None:
            self._bug(raised)
        else:
            self._attempt(self._dispatch)

    def _attempt(self, step: Callable[..., None], *given: object) -> None:
        """Take a step towards the provider, or answer why not."""
        try:
            step(*given)
        except KoradError as error:
            self._refuse(error, Outcome.REFUSED)
        except Exception:  # noqa: BLE001 - our bug: logged and answered there
            self._bug()

    def _dispatch(self) -> None:
        """Send the request upstream, once its key's limits allow it."""
        exchange = self._exchange
        call = exchange.dispatch()
        assert exchange.key is not None
        if exchange.key.limits:
            self._count_for_limits(call)
        else:
            self._open_slot(hold=False)
            self._send_call(call)

    def _send_call(self, call: UpstreamCall) -> None:
        """Send the request upstream, and count for the answer's head meanwhile."""
        exchange = self._exchange
        handle = self._shell.pool.send(call, self)
        if self._stage is not _SETTLED:
            self._handle = handle
            if exchange.figures.counted_prompt is not None:
                self._note_prompt()
            elif exchange.tells_counts:
                self._count_prompt()

    def _count_for_limits(self, call: UpstreamCall) -> None:
        """Count the prompt, here or in a thread: what it costs is to be asked for."""
        figures = self._exchange.figures
        if figures.counted_prompt is not None or figures.is_quick_to_count:
            if figures.counted_prompt is None:
                figures.count_prompt()
            self._reserve(call)
            return

        def counted(raised: BaseException | None) -> None:
            if self._stage is _SETTLED:
                return
            if raised is not None:
                self._bug(raised)
            else:
                self._attempt(self._reserve, call)

        self._shell.offload(figures.count_prompt, counted)

    def _reserve(self, call: UpstreamCall) -> None:
        """Ask the key's limits."""
        exchange, shell = self._exchange, self._shell
        figures = exchange.figures
        ask = exchange.hold_request(shell.books.producer.name, shell.slice_tokens)
        assert figures.counted_prompt is not None
        allowance = Allowance(
            shell.limiter,
            ask,
            prompt_tokens=figures.counted_prompt,
            prices=figures.token_prices,
            margin_bp=exchange.margin_bp,
            slice_tokens=shell.slice_tokens,
            on_extended=self._read_on,
        )
        # Before the question: were we killed in between, the slot's event would end the hold.
        self._open_slot(hold=True)
        self._allowance = allowance
        allowance.reserve(lambda refusal: self._admitted(call, allowance, refusal))

    def _admitted(
        self, call: UpstreamCall, allowance: Allowance, refusal: KoradError | None
    ) -> None:
        """Send what the key's limits allow, or answer why not."""
        if self._stage is _SETTLED:
            allowance.cancel()  # the client did not wait; the event may have been before the hold
        elif refusal is not None:
            self._refuse(refusal, Outcome.REFUSED)
        else:
            self._attempt(self._send_call, call)

    def _open_slot(self, *, hold: bool) -> None:
        """Note in the books that the exchange begins. Raises ServerError: 503."""
        exchange = self._exchange
        assert exchange.key is not None
        assert exchange.destination is not None
        self._slot = self._shell.books.open(
            key=exchange.key,
            destination=exchange.destination,
            margin_bp=exchange.margin_bp,
            request_id=exchange.request_id,
            client_request_id=exchange.client_request_id,
            level=exchange.level,
            started_ms=exchange.started_ms,
            stream=exchange.wants_stream,
            hold=hold,
        )
        if exchange.wants_stream:
            self._count = self._shell.books.counter(self._slot)

    def _begin_drain(self) -> bool:
        """Read the answer to its end for nobody, if the provider wants that and few others are."""
        exchange, shell = self._exchange, self._shell
        if not exchange.is_sent or (self._handle is None and not self._unread):
            return False
        assert exchange.destination is not None
        provider = exchange.destination.provider
        under_way = shell.drains.get(provider.name, 0)
        if provider.on_disconnect is not OnDisconnect.DRAIN or under_way >= provider.drains_max:
            return False
        shell.drains[provider.name] = under_way + 1
        self._drains = True
        self.deadline = shell.deadlines.now + provider.drain_timeout_s
        shell.deadlines.add(self)
        self._stalled = False
        self._read_on()
        return True

    def _end_drain(self) -> None:
        exchange, shell = self._exchange, self._shell
        assert exchange.destination is not None
        self._drains = False
        shell.deadlines.discard(self)
        shell.drains[exchange.destination.provider.name] -= 1

    def _replay(self, stored: StoredAnswer) -> None:
        """Answer with what is stored, in one write."""
        exchange = self._exchange
        exchange.hit(stored)
        if exchange.wants_stream:
            self._held = stored.body
            last = self._stream_end()
        else:
            last = exchange.answer(self._shell.lines(close=self._close))
        self._settle(Outcome.COMPLETED, last)

    def _answer(self, body: bytes) -> None:
        """Turn a whole non-streaming answer into the client's."""
        exchange = self._exchange
        try:
            exchange.read(body, monotonic_ns())
            if exchange.figures.needs_count or exchange.awaits_prompt_count:
                self._finish(Outcome.COMPLETED)
            else:
                self._write_end(Outcome.COMPLETED)
        except UpstreamRefused as error:
            self._refuse(error, Outcome.UPSTREAM_REFUSED)
        except KoradError as error:
            self._refuse(error, Outcome.UPSTREAM_FAILED)
        except Exception:  # noqa: BLE001 - our bug: logged and answered there
            self._bug()

    def _keep_piece(self, data: bytes) -> None:
        """Keep a piece of a whole answer."""
        self._body.append(data)
        self._body_bytes += len(data)
        if self._body_bytes > ANSWER_BYTES_MAX:
            self._fail(_broken("The provider's answer is too large."))

    def _send(self, events: bytes) -> None:
        """Write events, with the head before the first; hold them while the head waits."""
        client = self._client
        if client is None:
            return
        if self._head_sent:
            client.write(chunk(events) if self._chunked else events)
            return
        if self._exchange.figures.counted_prompt is None:
            self._held += events
            return
        events, self._held = self._held + events, b""
        head = self._stream_head()
        client.write(head + (chunk(events) if self._chunked else events) if events else head)
        self._make_bypass(client)

    def _make_bypass(self, client: Client) -> None:
        """Let chunks go on as they come, if that is how the client is to have them."""
        count, handle, writer = self._count, self._handle, client.writer
        exchange, decoder = self._exchange, self._exchange.decoder
        if (
            self._chunked
            and decoder is not None
            and self._allowance is None
            and exchange.recording is None
            and count is not None
            and handle is not None
            and writer is not None
        ):
            tokens_so_far = self._tokens_so_far if decoder.generated.is_kept else None
            self._bypass = Bypass(count, writer, tokens_so_far)
            handle.bypass(self, self._bypass)

    def _close_bypass(self) -> None:
        bypass, self._bypass = self._bypass, None
        if bypass is not None:
            bypass.close()

    def _cut_short(self, events: bytes) -> None:
        """End a stream for which the budget has no more: what came is passed on, and billed."""
        self._cancel()
        self._exchange.end_stream(monotonic_ns())
        self._held += events + self._exchange.length_event()
        self._failure = budget_exceeded()
        self._finish(Outcome.COMPLETED)

    def _stream_head(self) -> bytes:
        self._head_sent = True
        framing = _CHUNKED if self._chunked else b""
        return self._exchange.stream_head(framing + self._shell.lines(close=self._close))

    def _end_stream(self, events: bytes) -> None:
        """End a stream that said it is complete, or broke off saying so, or just ended."""
        exchange = self._exchange
        decoder = exchange.decoder
        assert decoder is not None
        exchange.end_stream(monotonic_ns())
        self._held += events
        if decoder.error is not None:
            self._failure = decoder.error
        elif not decoder.finished:
            self._failure = _broken("The provider's stream ended before it was complete.")
        self._finish(Outcome.COMPLETED if self._failure is None else Outcome.UPSTREAM_FAILED)

    def _cancel(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.cancel(self)

    def _fail(self, error: KoradError) -> None:
        """End an exchange whose provider broke off."""
        self._cancel()
        self._failure = error
        if self._exchange.decoder is not None and self._head_sent:
            self._exchange.end_stream(monotonic_ns())
            self._finish(Outcome.UPSTREAM_FAILED)
        else:
            self._refuse(error, Outcome.UPSTREAM_FAILED)

    def _count_prompt(self) -> None:
        """Count the prompt's tokens, which a stream's head tells, while the provider works."""
        figures = self._exchange.figures
        if figures.is_quick_to_count:
            figures.count_prompt()
            self._note_prompt()
        elif self._stage is not _SETTLED:
            self._shell.offload(figures.count_prompt, self._prompt_counted)

    def _prompt_counted(self, raised: BaseException | None) -> None:
        if raised is not None:
            self._bug(raised)
            return
        self._note_prompt()
        if self._stage is not _OPEN:
            return
        if self._exchange.decoder is not None and not self._head_sent:
            waits = self._exchange.destination.codec.head_after_first_event  # type: ignore[union-attr]
            if self._held or not waits:
                self._send(b"")

    def _note_prompt(self) -> None:
        """Let the books know the prompt's counts."""
        figures = self._exchange.figures
        if self._slot is not None and figures.counted_prompt is not None:
            self._shell.books.note_prompt(
                self._slot, figures.counted_prompt, figures.counted_original
            )

    def _fold_text(self, generated: Generated) -> None:
        """Count generated text as it grows, so that a long stream's memory stays bounded."""
        text, figures = generated.take(), self._exchange.figures
        self._folds += 1

        def folded(raised: BaseException | None) -> None:
            self._folds -= 1
            if raised is not None:
                self._bug(raised)

        self._shell.offload(lambda: figures.count_generated(text), folded)

    def _finish(self, outcome: Outcome) -> None:
        """Count what must be counted, then write the end and settle."""
        if self._stage is not _OPEN:
            return
        self._close_bypass()
        exchange = self._exchange
        if outcome is Outcome.CLIENT_ABORTED and exchange.decoder is not None:
            exchange.end_stream(monotonic_ns())
        figures = exchange.figures
        owes_count = exchange.owes(outcome) and figures.needs_count
        if not owes_count and not exchange.awaits_prompt_count:
            self._write_end(outcome)
        elif figures.is_quick_to_count and not self._folds:
            figures.count()
            self._write_end(outcome)
        else:
            self._stage = _COUNTING
            work = figures.count if figures.needs_count else figures.count_prompt
            self._shell.offload(work, lambda raised: self._counted(raised, outcome))

    def _counted(self, raised: BaseException | None, outcome: Outcome) -> None:
        if self._stage is _SETTLED:
            return  # an earlier count of this very answer failed
        if raised is not None:
            self._bug(raised)
        else:
            self._write_end(outcome)

    def _write_end(self, outcome: Outcome) -> None:
        exchange, last = self._exchange, b""
        if self._client is None:
            outcome = Outcome.CLIENT_ABORTED
        elif exchange.decoder is None:
            last = exchange.answer(self._shell.lines(close=self._close))
        elif self._failure is not None and not self._head_sent and not self._held:
            self._refuse(self._failure, outcome)
            return
        else:
            last = self._stream_end()
        self._settle(outcome, last)

    def _stream_end(self) -> bytes:
        """Return what is left of a stream: held events, bill or error, the end."""
        exchange = self._exchange
        failed = self._failure
        # The head tells korad's own counts; what the provider reported, which the record is to
        # keep, is noted with the tail.
        head = b"" if self._head_sent else self._stream_head()
        last, trailers = exchange.stream_tail() if failed is None else exchange.stream_error(failed)
        events, self._held = self._held + last, b""
        body = chunk(events) + last_chunk(trailers) if self._chunked else events
        return head + body

    def _refuse(self, error: KoradError, outcome: Outcome) -> None:
        """Answer with an error; no byte of an answer has been sent."""
        if self._stage is _SETTLED:
            return
        last = b""
        if self._client is None:
            outcome = Outcome.CLIENT_ABORTED
        else:
            last = self._exchange.refuse(error, self._shell.lines(close=self._close))
        self._settle(outcome, last)

    def _bug(self, raised: BaseException | None = None) -> None:
        """Our own mistake: a log line, and an answer without detail."""
        _log.error(
            "internal error in exchange %s", self._exchange.request_id, exc_info=raised or True
        )
        error = server_error(500, "The server had an error.", "internal_error")
        self._cancel()
        self._close = True
        if not self._head_sent:
            self._refuse(error, Outcome.UPSTREAM_FAILED)
        elif self._stage is not _SETTLED:
            # The stream has begun and cannot be finished honestly: cut it.
            self._settle(Outcome.UPSTREAM_FAILED)

    def _settle(self, outcome: Outcome, last: bytes = b"") -> None:
        """End the exchange: write down what is owed, and only then pass the last bytes on."""
        self._stage = _SETTLED
        self._asked = None
        self._close_bypass()
        shell, client, exchange = self._shell, self._client, self._exchange
        now_ns = monotonic_ns()
        record = exchange.settle(outcome, now_ns)
        self._client = None
        if self._handle is not None:
            # Paused for our client and left so, the connection would never come free again.
            self._handle.resume(self)
        if self._drains:
            self._end_drain()
        allowance = self._allowance
        if (
            self._slot is not None
            and outcome is Outcome.REFUSED
            and (allowance is None or allowance.hold is Hold.NONE)
        ):
            # Nothing was asked of the provider, and there is no hold to end.
            shell.books.abandon(self._slot)
            self._slot = None
        if allowance is not None:
            usage = record.usage
            used = 0 if usage is None else usage.prompt_tokens + usage.completion_tokens
            allowance.release(used)
        if self._slot is None and not exchange.is_hit:
            self._deliver(client, last, record)
        else:
            self._write_event(record, lambda: self._deliver(client, last, record))
        if exchange.recording is not None and outcome is Outcome.COMPLETED:
            stored = exchange.to_store(now_ns)
            if stored is not None:
                shell.answers.put(exchange.recording.key, stored)

    def _write_event(self, record: ExchangeRecord, then: Callable[[], None]) -> None:
        exchange = self._exchange
        assert exchange.key is not None
        assert exchange.destination is not None
        slot, self._slot = self._slot, None
        self._shell.books.close(
            slot,
            record,
            key=exchange.key,
            destination=exchange.destination,
            margin_bp=exchange.margin_bp,
            hold=self._allowance is not None,
            then=then,
        )

    def _deliver(self, client: Client | None, last: bytes, record: ExchangeRecord) -> None:
        """Pass the last bytes on, hand the record on, and give the connection back."""
        if client is not None and last:
            client.write(last)
        self._shell.end(record)
        if client is not None:
            client.relay_done(keep_alive=not self._close)


def _broken(message: str) -> KoradError:
    return upstream_error(502, message, "upstream_broken")
