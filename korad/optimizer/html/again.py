"""Find the menus and forms of a page that stand a second time."""

from __future__ import annotations

import re
from typing import Final

from korad.optimizer.html.marks import AGAIN, TARGET

_LINK_TARGET: Final = re.compile(rf"(?:\]\(| ){TARGET}\S*+")
_SIGNS: Final = "[](#->: 0123456789."
"""What stands before or after the words of an item, a heading or a link."""
_ABOVE: Final = re.compile(r" *(?:-|[0-9]{1,9}[.]|#{1,6}) ")
_LINK_AGAIN: Final = re.compile(rf"{AGAIN}[^{AGAIN}]*+{AGAIN}")
_BETWEEN_LINKS: Final = _SIGNS + ",|/\u00b7\u2022"
_FORM: Final = "[form "
_FIELD: Final = re.compile(r"\[[a-z-]++(?: [^\]]|: )")
_FEWEST_LINKS: Final = 4
_FEWEST_LINKS_PER_LABEL: Final = 2


def without_said_again(text: str) -> str:
    """Drop each menu that stands above already, and write a note for such a form.

    A menu is a run of links that are marked as given before, with the words of one whole earlier
    run in the same order, and without a heading of its own. What else a text says twice stays.
    """
    if text.count(AGAIN) < 2 * _FEWEST_LINKS:
        forms = [part.partition("\n")[0] for part in text.split(_FORM)[1:]]
        if len(set(forms)) == len(forms):
            return text
    return _Lines(text).without_said_again()


class _Lines:
    """The lines of a page, blank ones aside; where each stood first; which are to go."""

    __slots__ = ("_apart", "_first", "_free", "_gone", "_lines", "_text", "_words")

    def __init__(self, text: str) -> None:
        self._text = text.split("\n")
        self._lines = [line for line in self._text if line]
        self._words = [_words(line) for line in self._lines]
        self._apart = {0, len(self._lines)}
        """The lines that a blank one stands above."""
        self._first: dict[str, int] = {}
        """By the words of a line, and by those of two."""
        self._free = 0
        """Where the lines begin that were looked at in no run."""
        self._gone: set[int] = set()

    def without_said_again(self) -> str:
        """Return the text without the second of each menu and with notes for such forms."""
        number = 0
        for line in self._text:
            if line:
                number += 1
            else:
                self._apart.add(number)
        words = self._words
        marked = [at for at, line in enumerate(self._lines) if AGAIN in line or _FORM in line]
        wanted = {words[at] for at in marked}
        first = self._first
        for here, line in enumerate(self._lines):
            if words[here] not in wanted:
                continue
            pair = "\n".join(words[here : here + 2])
            if here >= self._free and (AGAIN in line or _FORM in line):
                above = first.get(pair, first.get(words[here], here))
                if _FORM in line:
                    self._look_at_form(above, here)
                else:
                    self._look_at_menu(above, here)
            first.setdefault(pair, here)
            first.setdefault(words[here], here)
        return self._left() if self._gone else "\n".join(self._text)

    def _is_same(self, above: int, here: int) -> bool:
        return here < len(self._lines) and self._words[above] == self._words[here]

    def _look_at_form(self, above: int, here: int) -> None:
        at, last = 1, 0
        while above + at < here and self._is_same(above + at, here + at):
            line = self._lines[here + at]
            if _FORM in line:
                break
            if _FIELD.search(line):
                last = at
            at += 1
        self._free = here + last + 1
        # A field that is not said again belongs to a form of its own.
        following = self._lines[here + at : here + at + 1]
        own = any(_FORM not in line and _FIELD.search(line) for line in following)
        if last and not own:
            self._gone.update(range(here + 1, here + last + 1))
            self._lines[here] = f"{self._lines[here].removesuffix(']')}: as above]"

    def _look_at_menu(self, above: int, here: int) -> None:
        start = end = 0
        while (
            above + end < here
            and self._is_same(above + end, here + end)
            and _is_item(self._lines[here + end])
        ):
            end += 1
        # Labels belong to the links that follow them.
        while end and AGAIN not in self._lines[here + end - 1]:
            end -= 1
        while (
            here + start > self._free
            and above + start
            and self._is_same(above + start - 1, here + start - 1)
            and _is_item(self._lines[here + start - 1])
        ):
            start -= 1
        self._free = max(here + end, self._free)
        whole = self._is_whole(above + start, above + end) and self._is_whole(
            here + start, here + end
        )
        if whole and self._is_menu(here + start, here + end):
            self._gone.update(range(here + start, here + end))

    def _is_whole(self, start: int, end: int) -> bool:
        """Tell whether no other links stand in the lists that the run is."""
        if start not in self._apart and _is_linked(self._lines[start - 1]):
            return False
        return end in self._apart or not _is_linked(self._lines[end])

    def _is_menu(self, start: int, end: int) -> bool:
        """Tell whether the run is mostly links, and nothing around it hangs on it."""
        run = self._lines[start:end]
        links = sum(line.count(AGAIN) for line in run) // 2
        labels = sum(AGAIN not in line for line in run)
        if links < max(_FEWEST_LINKS, labels * _FEWEST_LINKS_PER_LABEL):
            return False
        above = self._lines[start - 1] if start else ""
        below = self._lines[end] if end < len(self._lines) else ""
        depth = _depth(run[0])
        named = above.startswith("#") or above.endswith(":") or -1 < _depth(above) < depth
        return not named and _depth(below) <= depth

    def _left(self) -> str:
        kept: list[str] = []
        number = 0
        for line in self._text:
            if not line:
                if not kept or kept[-1]:
                    kept.append("")
                continue
            if number not in self._gone:
                kept.append(self._lines[number])
            number += 1
        return "\n".join(kept)


def _is_item(line: str) -> bool:
    """Tell whether a line is a heading, a bare item, or nothing but links given before."""
    if AGAIN in line and line[0] != "|":  # each row of a table counts
        return not _LINK_AGAIN.sub("", line).strip(_BETWEEN_LINKS)
    return TARGET not in line and _ABOVE.match(line) is not None


def _is_linked(line: str) -> bool:
    return (AGAIN in line or TARGET in line) and (line[0] == "[" or _ABOVE.match(line) is not None)


def _depth(line: str) -> int:
    """Return how far an item stands in; -1: the line is none."""
    return len(line) - len(line.lstrip(" ")) if _ABOVE.match(line) and "#" not in line[:1] else -1


def _words(line: str) -> str:
    """Return a line with marks without its targets and what stands around its words."""
    if line.isprintable():
        return line.strip(_SIGNS)
    if _FORM not in line:
        before, _, after = line.partition(TARGET)
        # Mostly a line is one link.
        line = _LINK_TARGET.sub("", line) if " " in after else before
    return line.replace(AGAIN, "").replace("[", "").strip(_SIGNS)
