"""Where the tags of a page stand: in its content or the frame around that, and in which lists."""

from __future__ import annotations

import re
from typing import Final

from korad.optimizer.html.marks import BULLET, END, INDENT, LINE, PARAGRAPH

_MENU: Final = re.compile(r"(?:class|id|role)=[^=]*(?:nav|menu)", re.IGNORECASE)
"""How pages name lists that are menus."""
_LONGEST_NUMBER_DIGITS: Final = 8
_DEEPEST_INDENT: Final = 8
"""More would let 100,000 nested lists write 10 GB of indentation."""


class Place:
    """What is open around the next tag; `in_menu`: it belongs to the frame, not to the content."""

    __slots__ = ("_content", "_frame", "_lists", "_menu", "in_menu")

    def __init__(self) -> None:
        self._content = 0
        """How many <main> and <article> are open."""
        self._frame = 0
        """How many <nav>, <header> and <footer> are open."""
        self._lists: list[int] = []
        """The number of the next item of each open list; -1: it has bullets."""
        self._menu = 0
        """How deep the list stands that the page calls a menu; 0: none is open."""
        self.in_menu = False

    def part(self, name: str) -> None:
        """Begin a part of the page, or end it if the name begins with a slash."""
        more = -1 if name[0] == "/" else 1
        if name.endswith(("main", "article")):
            self._content = max(self._content + more, 0)
        else:
            self._frame = max(self._frame + more, 0)
        self.in_menu = not self._content and (self._frame > 0 or self._menu > 0)

    def begin_list(self, name: str, source: str, start: str) -> str:
        """Begin a list and return its mark; `start` is the number of its first item."""
        first = int(start) if start.isdecimal() and len(start) <= _LONGEST_NUMBER_DIGITS else 1
        self._lists.append(first if name == "ol" else -1)
        if not self._menu and _MENU.search(source):
            self._menu = len(self._lists)
            self.in_menu = not self._content
        return PARAGRAPH if self._is_whole_menu() else LINE

    def end_list(self) -> str:
        """End the innermost list and return its mark."""
        mark = END
        if self._lists:
            if self._is_whole_menu():
                mark = END + PARAGRAPH
            if len(self._lists) == self._menu:
                self._menu = 0
                self.in_menu = not self._content and self._frame > 0
            self._lists.pop()
        return mark

    def item(self) -> str:
        """Begin an item of the innermost list and return its mark."""
        bullet = "-"
        if self._lists and self._lists[-1] >= 0:
            bullet = f"{self._lists[-1]}."
            self._lists[-1] += 1
        indent = INDENT * min(max(len(self._lists) - 1, 0), _DEEPEST_INDENT)
        return f"{LINE}{indent}{BULLET}{bullet} "

    def _is_whole_menu(self) -> bool:
        """Tell whether the innermost list is a whole menu: what stands beside it is none of it."""
        depth = len(self._lists)
        return self.in_menu and (depth == self._menu or (depth == 1 and self._frame > 0))
