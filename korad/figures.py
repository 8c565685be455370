"""The figures of one exchange: what it used, what that costs, what was saved.

    counted    korad's own count of the prompt: for a stream's head, and for limits
    reported   the provider's: it is billed where it is final, and korad's count elsewhere
    rated      usage x price x margin, once

Counting takes time that grows with the text, and touches nothing but these figures, so that the
shell may let a thread do it.
"""

from __future__ import annotations

from korad.billing.rating import rate, realized_savings_nano_usd, savings_nano_usd, token_prices
from korad.domain.answer import StoredAnswer
from korad.domain.chat import ChatRequest
from korad.domain.generated import Generated
from korad.domain.money import Charge
from korad.domain.usage import Usage, UsageSource
from korad.metering import settle_usage, tokens_so_far
from korad.optimizer import OptimizedPrompt
from korad.optimizer.tokens import INLINE_BYTES_MAX, PromptCount, is_quick_to_count
from korad.providers.base import Completion, StreamDecoder
from korad.rooms import Destination, Rooms
from korad.wire.figures import figure_lines

_NOTHING = Usage(prompt_tokens=0, completion_tokens=0, source=UsageSource.CACHE)


class Figures:
    """Tokens and money of one exchange, from the moment its destination is known."""

    __slots__ = (
        "_completion", "_counts_deltas", "_deltas", "_destination", "_learns_sizes", "_margin_bp",
        "_received", "_request", "_rooms", "_sent", "_text", "charge", "counted_original",
        "counted_prompt", "deltas_are_tokens", "final", "optimized", "optimized_tokens",
        "original_tokens", "realized_nano_usd", "reported", "savings_nano_usd", "usage",
    )  # fmt: skip

    def __init__(
        self,
        rooms: Rooms,
        destination: Destination,
        request: ChatRequest,
        margin_bp: int,
        *,
        learns_sizes: bool,
    ) -> None:
        """Take the request as it came; `learns_sizes`: the length of its answer tells of others'.

        All is set from the start: a default that is read from the class takes three times as long.
        """
        self._rooms = rooms
        self._destination = destination
        self._request = request
        self._margin_bp = margin_bp
        self._learns_sizes = learns_sizes
        self.optimized: OptimizedPrompt | None = None
        """The request as it goes upstream, where it is another."""

        # counted
        self.counted_prompt: int | None = None
        """Tokens of the prompt that goes upstream."""
        self.counted_original = 0
        """Tokens of the prompt that came."""
        self._sent: PromptCount | None = None
        self._received: PromptCount | None = None
        self._completion = 0
        self._text = ""
        """What of the answer is still to be counted."""
        self.deltas_are_tokens: bool | None = None
        """Whether the model is known to stream one token a delta; None: not known yet."""
        self._counts_deltas = False
        self._deltas: int | None = None
        """Deltas of a stream that has ended."""

        # reported
        self.reported: Usage | None = None
        self.final = False
        """Whether the answer was complete, so that the report is the provider's last word."""

        # rated
        self.usage: Usage | None = None
        self.charge: Charge | None = None
        self.original_tokens: int | None = None
        self.optimized_tokens: int | None = None
        self.savings_nano_usd = 0
        self.realized_nano_usd = 0

    # ── the answer ───────────────────────────────────────────────────────────────────────────

    def begin_stream(self, generated: Generated) -> None:
        """Look up how the model streams: where a delta is a token, no text need be kept."""
        self.deltas_are_tokens = self._rooms.deltas.known(self._destination.target.model)
        generated.is_kept = not self.deltas_are_tokens

    def take(self, completion: Completion) -> None:
        """Take a whole answer."""
        self.reported = completion.usage
        self._text = completion.text
        self.final = True

    def end_stream(self, decoder: StreamDecoder) -> None:
        """Take what came of a stream of which no more will come."""
        generated = decoder.generated
        self.reported = decoder.usage
        self.final = decoder.finished
        self._deltas = generated.deltas
        if self.needs_count:
            self._counts_deltas = not generated.is_kept or self._rooms.deltas.counts(
                self._destination.target.model,
                generated,
                rule=self._destination.codec.streams_tokens,
            )
            self._text = "" if self._counts_deltas else generated.take()

    def take_stored(self, stored: StoredAnswer) -> None:
        """Take an answer of the response cache: nothing was sent, and nothing is owed."""
        price = self._destination.price
        self.usage, self.charge = _NOTHING, rate(_NOTHING, price, self._margin_bp)
        original = self.original_tokens = stored.original_tokens
        self.optimized_tokens = 0
        self.savings_nano_usd = savings_nano_usd(original, 0, price)
        # All of the prompt was left out; it is priced as the first one's tokens were.
        self.realized_nano_usd = realized_savings_nano_usd(
            original + stored.usage.prompt_tokens, stored.usage, price
        )

    # ── counting ─────────────────────────────────────────────────────────────────────────────

    @property
    def needs_count(self) -> bool:
        """Whether the answer must be counted because the provider's final report is missing."""
        return self.reported is None or not self.final

    @property
    def is_quick_to_count(self) -> bool:
        """Whether `count` may run on the event loop."""
        quick = self.counted_prompt is not None or is_quick_to_count(self._request)
        return quick and len(self._text) <= INLINE_BYTES_MAX

    def count_prompt(self) -> None:
        """Count the prompt as it came and as it went upstream; CPU that grows with its size."""
        count, optimized = self._rooms.counter.count_prompt, self.optimized
        if optimized is None:
            sent = received = count(self._request)
        else:
            # Marks have no tokens.
            sent, received = count(optimized.request, optimized.unmarked), count(self._request)
        self._sent, self._received = sent, received
        self.counted_original = self._scaled(received.text) + received.wrapping
        self.counted_prompt = self._scaled(sent.text) + sent.wrapping

    def count(self) -> None:
        """Count what the provider did not report; CPU that grows with the text."""
        if self.counted_prompt is None and self.reported is None:
            self.count_prompt()
        text, self._text = self._text, ""
        self.count_generated(text)

    def count_generated(self, text: str) -> None:
        """Count text that the model generated, and forget it; CPU that grows with the text."""
        self._completion += self._scaled(self._rooms.counter.count_text(text))

    def tokens_so_far(self, generated: Generated) -> int:
        """Return how many tokens of a stream came at least, without looking at its text."""
        rule = self._destination.codec.streams_tokens
        return tokens_so_far(generated, known=self.deltas_are_tokens, rule=rule)

    def _scaled(self, o200k_tokens: int) -> int:
        target = self._destination.target
        tokens = self._destination.codec.scale_tokens(o200k_tokens, target)
        return self._rooms.calibration.scale(target.model, tokens)

    # ── rating ───────────────────────────────────────────────────────────────────────────────

    @property
    def token_prices(self) -> tuple[int, int]:
        """Pico-USD per prompt and per completion token; the prompt must have been counted."""
        return token_prices(self.counted_prompt or 0, self._destination.price)

    def rate(self) -> Charge:
        """Turn usage into money, once the answer has ended and was counted."""
        reported = self.reported
        usage = self.usage = (
            reported
            if self.final and reported is not None
            else settle_usage(
                reported,
                final=self.final,
                counted_prompt=self.counted_prompt or 0,
                counted_completion=self._generated_tokens(),
            )
        )
        price = self._destination.price
        charge = self.charge = rate(usage, price, self._margin_bp)
        if self.optimized_tokens is None or usage is reported:
            # A stream's head told korad's own count; the record tells what the provider billed.
            if usage is reported:
                self._learn(usage)
            self.note_prompt(usage.prompt_tokens)
        if self.optimized is not None:
            assert self.original_tokens is not None
            self.realized_nano_usd = realized_savings_nano_usd(self.original_tokens, usage, price)
        return charge

    def note_prompt(self, tokens: int) -> None:
        """Take how many tokens went upstream; the original has as many more as korad counts."""
        sent, received = self._sent, self._received
        self.optimized_tokens = self.original_tokens = tokens
        if self.optimized is not None and sent is not None and received is not None:
            sent, received = self._of_family(sent), self._of_family(received)
            original = self.original_tokens = tokens + self._rooms.calibration.scale_left_out(
                self._destination.target.model, received.text - sent.text, sent, tokens
            )
            self.savings_nano_usd = savings_nano_usd(original, tokens, self._destination.price)

    def lines(self, strategy: bytes) -> bytes:
        """Return the header lines that tell the figures, but for what is billed."""
        assert self.original_tokens is not None
        assert self.optimized_tokens is not None
        return figure_lines(
            self.original_tokens,
            self.optimized_tokens,
            self.savings_nano_usd,
            strategy,
            self._rooms.margin_text(self._margin_bp),
        )

    def _generated_tokens(self) -> int:
        if self._counts_deltas:
            assert self._deltas is not None
            return self._deltas
        return self._completion

    def _learn(self, usage: Usage) -> None:
        """Let the next counts of this model be closer to the provider's."""
        rooms, model, counted = self._rooms, self._destination.target.model, self._sent
        if self._deltas is not None:
            rooms.deltas.learn(model, self._deltas, usage)
        if self._learns_sizes:
            rooms.completion_sizes.note(model, usage.completion_tokens)
        if counted is not None:
            rooms.calibration.learn(model, self._of_family(counted), usage.prompt_tokens)

    def _of_family(self, count: PromptCount) -> PromptCount:
        """Return a count in the tokens of the model's family."""
        destination = self._destination
        text = destination.codec.scale_tokens(count.text, destination.target)
        return PromptCount(text, count.messages)
