"""What stands earlier in a prompt, line by line: where a later text may point to."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque

from korad.domain.value import Fact
from korad.optimizer.base import MARK
from korad.optimizer.nested.strings import all_within, texts_within

CHARS_MIN = 300
"""A shorter text is not pointed to: the note would cost what it saves."""
_WINDOW_LINES = 4
_STRIDE_LINES = 5
"""One window in five is indexed: every run of eight lines holds one of them whole."""
_LONG_CHARS = CHARS_MIN // 7 + 1
"""Lines of this length are indexed, too: every shorter run that is worth a note holds one."""

REFERENCE = f"{MARK} same "
"""How every note begins that points to an earlier text."""
_LINE_CHARS = 20
"""What an indexed line takes at least, however short it is: 80 bytes."""
_GAP = "\n"
"""Parts the texts in the list of lines: no line equals it, so no run goes across."""
_QUOTE_CHARS = 32
_CUT = "..."
_KEPT_CHARS = _QUOTE_CHARS - len(_CUT)


class Run(Fact, frozen=True):
    """Equal lines: from `start` to before `end` in a text, and from `place` on in the index."""

    start: int
    end: int
    place: int


class Seen:
    """The texts before a message, in the order and the form in which they go upstream.

    What it answers depends on these alone. A text is indexed when the first one after it is looked
    up: of most prompts the last text is the longest, and only the next turn asks for it. 100 KB of
    40-character lines take 1 ms and 0.4 MB. Long strings of a text that is JSON are indexed too,
    but none is called a whole text: a message mostly holds others beside it.
    """

    __slots__ = (
        "_begins", "_firsts", "_inner", "_lines", "_places", "_starts", "_texts", "_wheres",
        "_written", "chars", "waiting_chars",
    )  # fmt: skip

    def __init__(self) -> None:
        self.chars = 0
        """What it takes, in characters of text."""
        self.waiting_chars = 0
        """Those that are not indexed yet."""
        self._written: list[tuple[str, str]] = []
        """These texts, and how notes are to call their messages."""
        self._lines: list[str] = [_GAP]
        self._places: dict[str | tuple[str, ...], int] = {}
        """Where a long line or a window of lines stands for the first time."""
        self._begins: set[str] = set()
        """The long lines, and those with which an indexed window begins."""
        self._texts: dict[str, int] = {}
        """Where a whole text begins, of those that are no strings."""
        self._starts: list[int] = []
        self._wheres: list[str] = []
        self._inner: set[int] = set()
        """Which messages are the strings of the one before."""
        self._firsts: dict[int, dict[str, int]] = {}

    def add(self, text: str, where: str) -> None:
        """Add a text that stands in the message that notes are to call `where`.

        All texts of a message are added before a later message is looked at, short ones as well:
        a note quotes a line by which the reader finds the place in the whole message.
        """
        self._written.append((text, where))
        self.waiting_chars += len(text)
        self.chars += len(text)

    def _catch_up(self) -> None:
        """Index the texts that were added since the last look."""
        inner: list[str] = []
        last = ""
        for text, where in self._written:
            if where != last:
                self._take_inner(inner, last)
                last = where
            if len(text) >= CHARS_MIN and REFERENCE not in text:
                self._texts.setdefault(text, len(self._lines))
            self._take(text, where)
            inner += texts_within(text)
        self._take_inner(inner, last)
        self._written.clear()
        self.waiting_chars = 0

    def _take_inner(self, texts: list[str], where: str) -> None:
        """Index what strings of a message's JSON say, as if it were a message after that one."""
        for text in texts:
            self.chars += len(text)
            self._take(text, f"a string in {where}")
            self._inner.add(len(self._wheres) - 1)
        texts.clear()

    def _take(self, text: str, where: str) -> None:
        begin = len(self._lines)
        if not self._wheres or self._wheres[-1] != where:
            self._starts.append(begin)
            self._wheres.append(where)
        lines = text.split("\n")
        self.chars += max(0, _LINE_CHARS * len(lines) - len(text))
        if len(text) >= CHARS_MIN:
            # Notes among the lines part them, too: a text with a note is never looked up here.
            self._index(lines, begin)
        self._lines += lines
        self._lines.append(_GAP)

    def _index(self, lines: list[str], begin: int) -> None:
        """Remember where the lines' windows and the long ones among them stand first."""
        if len(lines) >= _WINDOW_LINES:
            windows = zip(*(lines[k::_STRIDE_LINES] for k in range(_WINDOW_LINES)), strict=False)
            places = range(begin, begin + len(lines), _STRIDE_LINES)
            deque(map(self._places.setdefault, windows, places), maxlen=0)
            self._begins.update(lines[: 1 - _WINDOW_LINES : _STRIDE_LINES])
        at = [n for n, chars in enumerate(map(len, lines)) if chars >= _LONG_CHARS]
        if at:
            long = [lines[n] for n in at]
            deque(map(self._places.setdefault, long, map(begin.__add__, at)), maxlen=0)
            self._begins.update(long)

    def whole(self, text: str) -> str | None:
        """Return which message consists of just this text, or None."""
        self._catch_up()
        place = self._texts.get(text)
        if place is None:
            return None
        n = bisect_right(self._starts, place) - 1
        end = self._starts[n + 1] if n + 1 < len(self._starts) else len(self._lines)
        alone = place == self._starts[n] and end - place == text.count("\n") + 2
        return self._wheres[n] if alone else None

    def hits(self, lines: list[str]) -> list[tuple[int, int]]:
        """Return in order (number, place) of the lines at which an equal run may begin."""
        self._catch_up()
        get, begins = self._places.get, self._begins
        found: list[tuple[int, int]] = []
        for n in [n for n, line in enumerate(lines) if line in begins]:
            window, line = get(tuple(lines[n : n + _WINDOW_LINES])), get(lines[n])
            if window is not None and line is not None and line < window:
                window, line = line, window
            if window is not None:
                found.append((n, window))
            if line is not None:
                found.append((n, line))
        return found

    def run_at(self, lines: list[str], floor: int, n: int, place: int) -> Run:
        """Return the longest run through line `n` and `place` that begins at `floor` or later."""
        known = self._lines
        start, begin = n, place
        while start > floor and lines[start - 1] == known[begin - 1]:
            start -= 1
            begin -= 1
        ahead = n - start
        stride, grows = 1, True
        while stride:
            mine = lines[start + ahead : start + ahead + stride]
            if mine and mine == known[begin + ahead : begin + ahead + stride]:
                ahead += stride
            else:
                grows = False
            stride = stride * 2 if grows else stride // 2
        return Run(start=start, end=start + ahead, place=begin)

    def where(self, place: int) -> str:
        """Return how notes call the message in which `place` lies."""
        return self._wheres[bisect_right(self._starts, place) - 1]

    def firsts(self, place: int) -> dict[str, int]:
        """Return where the message in which `place` lies has each quotation's first line."""
        n = bisect_right(self._starts, place) - 1
        firsts = self._firsts.get(n)
        if firsts is None:
            start = self._starts[n]
            end = self._starts[n + 1] if n + 1 < len(self._starts) else len(self._lines)
            quotes = [
                line if len(line) <= _QUOTE_CHARS else line[:_KEPT_CHARS] + _CUT
                for line in map(str.strip, self._lines[start:end])
            ]
            firsts = dict(zip(reversed(quotes), range(end - 1, start - 1, -1), strict=True))
            if n in self._inner:
                self._leave_out_said_elsewhere(firsts, n - 1)
            self._firsts[n] = firsts
        return firsts

    def _leave_out_said_elsewhere(self, firsts: dict[str, int], n: int) -> None:
        """Leave out quotations of what a string of message `n` says that is not indexed.

        A reader looks through short ones, through those that are one line, through all of them.
        """
        start = self._starts[n]
        while start < self._starts[n + 1]:
            end = self._lines.index(_GAP, start)
            for said, is_indexed in all_within("\n".join(self._lines[start:end])):
                if not is_indexed:
                    for line in said.split("\n"):
                        firsts.pop(quoted(line), None)
            start = end + 1


def quoted(line: str) -> str:
    """Return how a note quotes `line`: without what it is indented by, 32 characters at most."""
    line = line.strip()
    return line if len(line) <= _QUOTE_CHARS else line[:_KEPT_CHARS] + _CUT
