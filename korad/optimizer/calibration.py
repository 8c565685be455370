"""How a model's own tokens compare with korad's count, learnt from what providers report.

korad counts with o200k. Other families cut text into more pieces (a dialect knows by how many,
roughly: `scale_tokens`), hidden system prompts add some. What is left of a difference is learnt
per model, so that figures told before the provider's report came are close to it.
"""

from __future__ import annotations

from collections import OrderedDict

COUNTED_TOKENS_MIN = 256
"""Below this a constant overhead looks like a factor."""
MODELS_MAX = 1_024
_ONE = 1_000_000
_LEARNING_PARTS = 16
"""A report moves the factor by a sixteenth of the difference."""
_FACTOR_MIN, _FACTOR_MAX = _ONE // 2, 2 * _ONE
"""A report beyond this is about images, or about something else than this prompt."""


class Calibration:
    """A factor per model, in millionths; bounded."""

    __slots__ = ("_factors",)

    def __init__(self) -> None:
        self._factors: OrderedDict[str, int] = OrderedDict()

    def scale(self, model: str, tokens: int) -> int:
        """Return what the provider will probably report for a count of `tokens`."""
        factor = self._factors.get(model)
        return tokens if factor is None else (tokens * factor + _ONE // 2) // _ONE

    def learn(self, model: str, counted: int, reported: int) -> None:
        """Take a report on a prompt of which `counted` is korad's own, unscaled count."""
        if counted < COUNTED_TOKENS_MIN:
            return
        seen = reported * _ONE // counted
        if not _FACTOR_MIN <= seen <= _FACTOR_MAX:
            return
        factor = self._factors.get(model, _ONE)
        self._factors[model] = factor + (seen - factor) // _LEARNING_PARTS
        self._factors.move_to_end(model)
        if len(self._factors) > MODELS_MAX:
            self._factors.popitem(last=False)
