"""Write the links of a page: their words each time, their target once for the same words."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from korad.optimizer.html.links import (
    ending,
    is_picture,
    leads_elsewhere,
    mark_again,
    place_after_heading,
    without_campaign,
    words_of_link,
)
from korad.optimizer.html.marks import BULLET, LATER, TARGET, words_of

_ONE_PICTURE: Final = re.compile(r"!\[(.*)\]")

_MOST_PIECES_BETWEEN: Final = 32
"""Breaks of the blocks around a picture and the words beside it."""


class Anchors:
    """The links written so far, and the one that is open.

    `seen` holds where links, pictures and frames lead, and the words of the first link there;
    `start` is where the words of the open link begin in the output, or -1.
    """

    __slots__ = (
        "_given", "_kept", "_last", "_leads", "_open", "_out", "_pictures", "_waiting", "seen",
        "start",
    )  # fmt: skip

    def __init__(self, out: list[str], kept: list[str]) -> None:
        self._out = out
        self._kept = kept
        self.seen: dict[str, str] = {}
        self._leads: dict[str, str] = {}
        """Where the last link with these words leads, in small letters."""
        self._given: set[tuple[str, str | None]] = set()
        """Words and where links with them led before the last."""
        self._last = ""
        """Where the link before leads."""
        self._pictures: list[str] = []
        """What is written for each linked picture without words."""
        self._waiting: dict[str, tuple[int, int, str]] = {}
        """By target, the last of them without words after it: its number, its place, its words."""
        self.start = -1
        self._open: tuple[dict[str, str], str, bool] = {}, "", False
        """The attributes of the link that is open, its target, and whether to show it."""

    def open(self, of: dict[str, str], *, code: bool) -> None:
        """Begin a link; one in `code` has no target, which would be part of it."""
        target = of.get("href", "")
        if "?" in target:
            target = without_campaign(target)
        shown = not code and (target in self.seen or leads_elsewhere(target))
        self._out.append(BULLET + "[" if shown else "")
        self.start = len(self._out)
        self._open = of, target, shown

    def close(self, icon: Callable[[], str], *, menu: bool, pre: bool) -> None:
        """End the open link; `icon` names what one without words shows.

        `menu`: it stands among a page's menus; `pre`: in preformatted text.
        """
        out, start = self._out, self.start
        self.start = -1
        of, target, shown = self._open
        words = words_of_link(out, start, self._kept)
        if not words and not self.seen.get(target) and (shown or not target):
            words = words_of(of.get("aria-label", "") or of.get("title", "")) or icon()
            out.append(words)
        if not shown:
            return
        alt = _ONE_PICTURE.fullmatch(words) if words[:1] == "!" else None
        if not words or (alt and is_picture(target)):
            out[start - 1] = ""  # no reader sees it, or it only shows the picture by itself
            return
        near = self._last == target
        key = (alt[1] if alt else words).casefold()
        before = self._leads.get(key)
        self._given.add((key, before))
        self._last = self._leads[key] = target
        given = (key, target) in self._given
        told = self.seen.get(target)
        if told and (near or before == target):
            out[start - 1] = ""
            if menu and given:
                mark_again(out, start)
        elif alt and not pre:
            self._waiting[target] = (len(self._pictures), start, alt[1])
            out[start - 1 :] = [f"{LATER}{len(self._pictures)}{LATER}"]
            self._pictures.append(alt[0] if given else f"[{alt[0]}]({TARGET}{target})")
        else:
            if target in self._waiting:
                self._show_bare(*self._waiting.pop(target), words, start, near=near)
            self.seen[target] = told or words
            if "# " not in words or not place_after_heading(out, start, target):
                out.append(ending(target, words, of.get("title", "")))
                if menu and given:
                    mark_again(out, start - 1)

    def written(self, text: str) -> str:
        """Return the text with every linked picture in its place."""
        parts = text.split(LATER)
        parts[1::2] = [self._pictures[int(number)] for number in parts[1::2]]
        return "".join(parts)

    def _show_bare(
        self, number: int, at: int, alt: str, words: str, start: int, *, near: bool
    ) -> None:
        """Write a picture without its target if a link with words says that too.

        A picture right above the same words goes.
        """
        if near or alt == words:
            self._pictures[number] = f"![{alt}]"
        # A row of a table is one piece once it has ended.
        stands = self._out[at - 1 : at] == [f"{LATER}{number}{LATER}"]
        if alt == words and stands and start - at < _MOST_PIECES_BETWEEN:
            between = words_of("".join(self._out[at : start - 1]))
            if not between.strip("# "):
                self._pictures[number] = ""
