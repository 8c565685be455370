"""Whether a shorter text is worth having: fewer tokens, and not just a few."""

from __future__ import annotations

from collections.abc import Callable, Iterable

SAVED_TOKENS_MIN = 32
SAVED_SHARE_MIN = 20
"""A change that may cost the reader something saves at least one part in 20 (5 %)."""
CLEAR_SHARE = 16
"""A long text of which the samples lose one token in 16 has clearly become shorter; in doubt it is
counted whole."""
COUNTED_CHARS_MAX = 2_048
"""Longer texts are judged by samples: counting 100 KB takes 6 ms, estimating it 0.1."""
COUNTED_IN_DOUBT_CHARS_MAX = 16_384
"""Still longer texts are not counted in doubt either: it would take longer than the transforms."""
_SAMPLES, _SAMPLE_CHARS = 8, 256
_GLANCE = (2, 5)
"""The samples looked at first: counting all of both texts takes 0.4 ms."""
PLAIN_SHARE = 4
"""So plainly shorter, by one token in 4, is a text that no more samples are needed."""

# Tokens of o200k per hundred characters of a kind, measured on English, JSON, logs and Python.
_TOKEN_OF_BLANKS_CHARS = 13
"""So many blanks are a token by the estimate."""
_PER_100_LETTERS, _PER_100_DIGITS, _PER_100_SIGNS, _PER_100_BLANKS = 22, 40, 60, 8

_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" + bytes(range(128, 256))
_DIGITS = b"0123456789"
_BLANKS = b" \t\r\n"


class Weighed:
    """A text and what is known of its tokens: what one transform made, the next may change."""

    __slots__ = ("_count", "_estimate", "_glanced", "_sampled", "_samples", "text")

    def __init__(self, text: str, count: Callable[[str], int]) -> None:
        self.text = text
        self._count = count
        self._estimate = self._glanced = self._sampled = -1
        self._samples: dict[int, int] = {}
        """The tokens of those that were counted."""

    @property
    def counted(self) -> int:
        """Return how many tokens the text has."""
        return self._count(self.text)

    @property
    def estimate(self) -> int:
        """Return about how many it has by the kinds of its characters."""
        if self._estimate < 0:
            self._estimate = estimated_tokens(self.text)
        return self._estimate

    @property
    def glanced(self) -> int:
        """Return the estimate, corrected by what two samples of the text really have."""
        if self._glanced < 0:
            self._glanced = self._by_samples(_GLANCE)
        return self._glanced

    @property
    def sampled(self) -> int:
        """Return the estimate, corrected by what samples of the text really have."""
        if self._sampled < 0:
            self._sampled = self._by_samples(range(_SAMPLES))
        return self._sampled

    def _by_samples(self, chosen: Iterable[int]) -> int:
        size = len(self.text) - _SAMPLE_CHARS
        if size < _SAMPLES * _SAMPLE_CHARS:
            return self.counted
        starts = [size * at // (_SAMPLES - 1) for at in chosen]
        samples = [self.text[start : start + _SAMPLE_CHARS] for start in starts]
        for start, sample in zip(starts, samples, strict=True):
            if start not in self._samples:
                self._samples[start] = self._count(sample)
        counted = sum([self._samples[start] for start in starts])
        return self.estimate * counted // (estimated_tokens("".join(samples)) or 1)


def pays(old: Weighed, new: Weighed, *, exact: bool) -> bool:
    """Return whether `new` may stand for `old`.

    An exact re-encoding pays at any gain (the threshold would cost agent traffic 6.4 of its 6.9
    points); everything else must save 32 tokens and 5 %.
    """
    if len(old.text) > COUNTED_CHARS_MAX or len(new.text) > COUNTED_CHARS_MAX:
        is_long = len(old.text) > COUNTED_IN_DOUBT_CHARS_MAX
        if exact and is_long and len(old.text) - len(new.text) >= _TOKEN_OF_BLANKS_CHARS:
            return True  # it leaves out characters and adds none
        if not _is_gain(old.estimate, new.estimate, exact=exact):
            return False
        # By kinds of characters alone, long words and drawn lines seem dear that are a token each.
        if is_long and _saves(old.glanced, new.glanced, PLAIN_SHARE):
            return _is_gain(old.glanced, new.glanced, exact=exact)
        if _saves(old.sampled, new.sampled, CLEAR_SHARE):
            return _is_gain(old.sampled, new.sampled, exact=exact)
        if is_long:
            return exact
    return _is_gain(old.counted, new.counted, exact=exact)


def _saves(before: int, after: int, share: int) -> bool:
    """Tell whether at least one token in `share` is saved."""
    return (before - after) * share >= before


def _is_gain(before: int, after: int, *, exact: bool) -> bool:
    saved = before - after
    if exact:
        return saved > 0
    return saved >= SAVED_TOKENS_MIN and saved * SAVED_SHARE_MIN >= before


def estimated_tokens(text: str) -> int:
    """Return about how many tokens `text` has: for comparing two forms of the same content."""
    data = text.encode("utf-8", "surrogatepass")
    size = len(data)
    without_letters = data.translate(None, _LETTERS)
    without_digits = without_letters.translate(None, _DIGITS)
    signs = len(without_digits.translate(None, _BLANKS))
    return (
        (size - len(without_letters)) * _PER_100_LETTERS
        + (len(without_letters) - len(without_digits)) * _PER_100_DIGITS
        + signs * _PER_100_SIGNS
        + (len(without_digits) - signs) * _PER_100_BLANKS
    ) // 100
