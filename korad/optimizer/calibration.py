"""How a model's own tokens compare with korad's count, learnt from what providers report.

korad counts with o200k. Other families cut text into more pieces (a dialect knows by how many,
roughly: `scale_tokens`), hidden system prompts add some. What is left of a difference is learnt
per model, so that figures told before the provider's report came are close to it, and so that
what was left out of a prompt is told in the tokens in which the rest was billed.
"""

from __future__ import annotations

from collections import OrderedDict

from korad.optimizer.tokens import PromptCount

COUNTED_TOKENS_MIN = 256
"""Below this a constant overhead looks like a factor."""
_WRAPPING_ERROR = 1
"""Providers wrap a message in three to five tokens: one more or less than korad counts."""
MODELS_MAX = 1_024
_ONE = 1_000_000
_LEARNING_PARTS = 16
"""A report moves the factor by a sixteenth of the difference; the first ones by their share."""
_FACTOR_MIN, _FACTOR_MAX = _ONE // 2, 2 * _ONE
"""A report beyond this is about images, or about something else than this prompt."""


class Calibration:
    """A factor per model, in millionths; bounded."""

    __slots__ = ("_factors",)

    def __init__(self) -> None:
        self._factors: OrderedDict[str, tuple[int, int]] = OrderedDict()
        """Factor, and how many reports it is from, of each model."""

    def scale(self, model: str, tokens: int) -> int:
        """Return what the provider will probably report for `tokens` of text."""
        known = self._factors.get(model)
        return tokens if known is None else _times(tokens, known[0])

    def scale_left_out(self, model: str, tokens: int, sent: PromptCount, reported: int) -> int:
        """Return what the provider would have reported for `tokens` that were not sent.

        Where the model is not known yet, the report on what was sent tells what there is to tell.
        """
        known = self._factors.get(model)
        factor = _nearest_factor(_ONE, sent, reported) if known is None else known[0]
        return _times(tokens, min(max(factor, _FACTOR_MIN), _FACTOR_MAX))

    def learn(self, model: str, sent: PromptCount, reported: int) -> None:
        """Take a report on a prompt; `sent` is korad's own count of it."""
        if sent.text < COUNTED_TOKENS_MIN:
            return
        factor, reports = self._factors.get(model, (_ONE, 0))
        seen = _nearest_factor(factor, sent, reported)
        if not _FACTOR_MIN <= seen <= _FACTOR_MAX:
            return
        reports = min(reports + 1, _LEARNING_PARTS)
        self._factors[model] = factor + (seen - factor) // reports, reports
        self._factors.move_to_end(model)
        if len(self._factors) > MODELS_MAX:
            self._factors.popitem(last=False)


def _nearest_factor(factor: int, sent: PromptCount, reported: int) -> int:
    """Return the factor nearest to the one given that agrees with the report.

    How messages are wrapped is not known to the token. In a talk of short messages that is more
    than what tells one model's tokens from another's.
    """
    text, error = max(sent.text, 1), _WRAPPING_ERROR * sent.messages
    least = (reported - sent.wrapping - error) * _ONE // text
    most = (reported - sent.wrapping + error) * _ONE // text
    return min(max(factor, least), most)


def _times(tokens: int, factor: int) -> int:
    return (tokens * factor + _ONE // 2) // _ONE
