"""What one exchange of a key with limits may spend: asked for, extended, released."""

from __future__ import annotations

from collections.abc import Callable

from korad.admission import running_cost_nano_usd
from korad.domain.limits import Admission, Hold, HoldRequest
from korad.errors import KoradError
from korad.ports import Limiter


class Allowance:
    """The hold of one exchange."""

    __slots__ = (
        "_ask", "_extending", "_granted", "_limiter", "_margin_bp", "_on_extended", "_prices",
        "_prompt_tokens", "_slice_nano_usd", "_used_up", "hold", "is_behind",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913 - its terms
        self,
        limiter: Limiter,
        ask: HoldRequest,
        *,
        prompt_tokens: int,
        prices: tuple[int, int],
        margin_bp: int,
        slice_tokens: int,
        on_extended: Callable[[], None],
    ) -> None:
        """`prices` are pico-USD per prompt and per completion token."""
        self._limiter = limiter
        self._ask = ask
        self._prompt_tokens = prompt_tokens
        self._prices = prices
        self._margin_bp = margin_bp
        self._slice_nano_usd = running_cost_nano_usd(0, slice_tokens, *prices, margin_bp)
        self._granted = 0
        self._extending = False
        self._used_up = False
        self._on_extended = on_extended
        self.is_behind = False
        """More has come than was granted, and the question for more is not answered yet."""
        self.hold = Hold.UNKNOWN
        """Until the answer comes, a hold may exist: its event must end it."""

    def reserve(self, then: Callable[[KoradError | None], None]) -> None:
        """Ask, and call `then` with None or with what is to be told instead of an answer."""

        def answered(admission: Admission) -> None:
            self.hold = admission.hold
            self._granted = admission.granted_nano_usd
            then(admission.refusal)

        self._limiter.reserve(self._ask, answered)

    def covers(self, completion_tokens: int) -> bool:
        """Return whether an answer of this length may go on; asks for more before it is needed."""
        cost = running_cost_nano_usd(
            self._prompt_tokens, completion_tokens, *self._prices, self._margin_bp
        )
        if self._used_up:
            return cost < self._granted
        if not self._extending and cost + self._slice_nano_usd // 2 >= self._granted:
            self._extending = True
            # A burst may be far ahead of what was granted: ask for all of it, and a slice.
            more = max(self._slice_nano_usd, cost + self._slice_nano_usd - self._granted)
            self._limiter.extend(self._ask, more, self._extended)
        self.is_behind = self._extending and cost > self._granted
        return True

    def cancel(self) -> None:
        """Give back what was granted after the exchange's event was written."""
        self._limiter.cancel(self._ask)

    def release(self, used_tokens: int) -> None:
        """Say that the exchange is over."""
        if self.hold is not Hold.NONE:
            self._limiter.release(self._ask, used_tokens)

    def _extended(self, by_nano_usd: int) -> None:
        self._extending = False
        self._granted += by_nano_usd
        self._used_up = by_nano_usd <= 0
        if self.is_behind:
            self.is_behind = False
            self._on_extended()
