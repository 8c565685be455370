"""Write an HTML page down as Markdown-like text that says everything the page says."""

from __future__ import annotations

from collections.abc import Callable
from html import unescape
from typing import ClassVar, Final

from korad.optimizer.html.anchors import Anchors
from korad.optimizer.html.fields import FIELDS, field, labels
from korad.optimizer.html.head import Head, may_tell
from korad.optimizer.html.icons import icons_between, is_in_drawing, shows_no_words
from korad.optimizer.html.lines import tidy
from korad.optimizer.html.links import is_tracker, say_site_once
from korad.optimizer.html.marks import (
    BREAK_MARKS,
    END,
    KEPT,
    LINE,
    PARAGRAPH,
    code_block,
    fill,
    lay_out,
    words_of,
)
from korad.optimizer.html.place import Place
from korad.optimizer.html.tables import Tables
from korad.optimizer.html.tags import PARTS, SIMPLE
from korad.optimizer.html.tokens import ATTRIBUTES, NAME, STRIDE, TEXT, Attributes

_BLANK: Final = frozenset({"", " ", "\n", *BREAK_MARKS})


class Page:
    """A page as it is written down, tag by tag; `text` is the result."""

    __slots__ = (
        "_anchors", "_at", "_attributes", "_attributes_of_link", "_cell_at", "_cell_from", "_facts",
        "_head", "_item_at", "_item_from", "_kept", "_link_at", "_menus", "_out", "_picture",
        "_place", "_pre", "_tables", "_tokens", "text",
    )  # fmt: skip

    def __init__(self, tokens: list[str | None], *, menus: bool, call: str) -> None:
        self._menus = menus
        self._tokens = tokens
        self._at = 0
        attributes = Attributes()
        self._attributes = attributes.of
        self._attributes_of_link = attributes.of_link
        self._out: list[str] = [""]
        self._head = Head(call)
        self._kept: list[str] = []
        self._facts: list[str] = []
        self._place = Place()
        self._cell_at = self._cell_from = -1
        """Where the tokens of the open cell begin (-1: none is open), and where it is written."""
        self._item_at = self._item_from = -1
        """The same for the item of a list."""
        self._link_at = 0
        self._picture = ""
        self._anchors = Anchors(self._out, self._kept)
        self._pre = -1
        self._tables = Tables(self._out)
        self._read()
        self.text = self._finished()

    def _read(self) -> None:
        tokens, out, simple, own = self._tokens, self._out, SIMPLE, self._OWN
        columns = (tokens[column::STRIDE] for column in (TEXT, NAME, ATTRIBUTES))
        for index, (text, name, source) in enumerate(zip(*columns, strict=False)):
            if text and (not text.isspace() or self._pre >= 0):
                out.append(unescape(text) if "&" in text else text)
            elif text and out[-1] not in BREAK_MARKS:
                out.append(" ")
            if name is None:
                self._raw(index * STRIDE)
                continue
            tag = name
            mark = simple.get(tag)
            if mark is None and tag not in own:
                tag = name.lower()
                mark = simple.get(tag)
            if mark:
                # Most pages are nests of blocks: what adds nothing to the break before is left out.
                if mark != LINE or out[-1] not in BREAK_MARKS:
                    out.append(mark)
            elif mark is None:
                self._at = index * STRIDE
                own.get(tag, Page._unknown)(self, tag, source or "")
            if source and mark is not None and ("title=" in source or "aria-label=" in source):
                self._labelled(index * STRIDE, self._attributes(source))
        out.append(unescape(tokens[-1] or ""))

    def _finished(self) -> str:
        self._end_link()
        self._tables.close_all()
        self._end_pre()
        text = lay_out(self._anchors.written("".join(self._out)))
        text = tidy(text, targets=self._menus)
        text, site = say_site_once(text, self._head.address)
        return self._head.above(fill(text, self._kept), site, self._facts)

    def _keep(self, text: str) -> str:
        self._kept.append(text)
        return f"{KEPT}{len(self._kept) - 1}{KEPT}"

    def _next_text(self, at: int) -> str:
        return unescape(self._tokens[at + STRIDE] or "")

    def _raw(self, at: int) -> None:
        name, source, content = self._tokens[at + 1 : at + 4]
        name, content = (name or "").lower(), content or ""
        if name == "title":
            words = words_of(unescape(content))
            drawn = is_in_drawing(self._tokens, at)
            if words and (drawn or not self._head.title(words)) and words != self._out[-1].strip():
                self._out.append(f" {words} ")
        elif name == "script":
            if "ld+json" in (source or ""):
                self._facts.append(content)
        elif name == "iframe":
            self._media(name, source or "")
        elif name == "textarea":
            of = field("textarea", self._attributes(source))
            self._out.append(f" [{of}: {self._keep(unescape(content))}] ")
        elif name == "xmp":
            self._out.append(PARAGRAPH + self._keep(f"```\n{content}\n```") + PARAGRAPH)

    def _unknown(self, name: str, source: str) -> None:
        written = self._tokens[self._at + NAME] or ""
        # `List<String>` and `<me@example.org>` are words that nobody escaped.
        if "@" in name or (written[0].isupper() and not source and not written.isupper()):
            self._out.append(f"<{written}>")

    def _labelled(self, at: int, of: dict[str, str]) -> None:
        """Write what only the tag's title or label says."""
        said = words_of(self._next_text(at))
        drawn = self._tokens[at + NAME] == "svg" or shows_no_words(self._tokens, at)
        self._out.append(labels(of, said, alone=drawn))

    def _a(self, _name: str, source: str) -> None:
        if self._anchors.start >= 0:
            self._end_link()
        if not self._tokens[self._at] and self._tokens[self._at - STRIDE + NAME] == "/a":
            self._out.append(" ")  # buttons side by side
        # In code a target would be part of it; lists of files have their links where lines begin.
        code = 0 <= self._pre < len(self._out) and self._out[-1][-1:] not in ("", "\n")
        self._anchors.open(self._attributes_of_link(source), code=code)
        self._link_at = self._at

    def _end_link(self, _name: str = "", _source: str = "") -> None:
        if self._anchors.start >= 0:
            self._anchors.close(self._icon, menu=self._place.in_menu, pre=self._pre >= 0)

    def _icon(self) -> str:
        """Return what a link without words shows in a cell or an item: others are decoration."""
        if self._cell_at < 0 and self._item_at < 0:
            return ""
        return icons_between(self._tokens, self._link_at, self._at, self._attributes)

    def _img(self, _name: str, source: str) -> None:
        if "alt" not in source and "title" not in source:
            return
        of = self._attributes(source)
        alt = words_of(of.get("alt", "")) or words_of(of.get("title", ""))
        shown = f"![{alt}]"
        # The same picture for a reader without scripts is not given again.
        before = self._tokens[self._at - STRIDE + NAME] if shown == self._picture else ""
        again = before in ("noscript", "/noscript")
        if alt and not again and not is_tracker(of.get("src", "")):
            self._picture = shown
            self._out.append(shown)

    def _media(self, name: str, source: str) -> None:
        of = self._attributes(source)
        target = of.get("src", "")
        if target and target not in self._anchors.seen and not is_tracker(target):
            self._anchors.seen[target] = ""
            self._out.append(f" [{of.get('title') or name}]({target}) ")

    def _list(self, name: str, source: str) -> None:
        start = self._attributes(source).get("start", "1") if "start" in source else "1"
        self._out.append(self._place.begin_list(name, source, start))

    def _end_list(self, _name: str, _source: str) -> None:
        self._out.append(self._place.end_list())

    def _item(self, _name: str, _source: str) -> None:
        self._out.append(self._place.item())
        self._item_at, self._item_from = self._at, len(self._out)

    def _end_item(self, _name: str, _source: str) -> None:
        if self._anchors.start >= 0:
            self._end_link()
        if self._out[-1][-1:] in _BLANK:
            self._fill(self._item_at, self._item_from)
        self._item_at = -1
        self._out.append(END)

    def _fill(self, at: int, start: int) -> None:
        """Name the icons since the tag at `at` if nothing is written from `start` on."""
        if at < 0:
            return
        for number in range(len(self._out) - 1, start - 1, -1):
            piece = self._out[number]
            if piece and piece not in BREAK_MARKS and not piece.isspace():
                return
        self._out.append(icons_between(self._tokens, at, self._at, self._attributes))

    def _sup(self, _name: str, _source: str) -> None:
        # 10<sup>6</sup> is not 106.
        before = self._out[-1][-1:] if self._out else ""
        if before.isdecimal() and self._next_text(self._at).strip("-+\u2212 ").isdecimal():
            self._out.append("^")

    def _begin_pre(self, _name: str, _source: str) -> None:
        if self._pre < 0:
            self._out.append(PARAGRAPH)
            self._pre = len(self._out)

    def _end_pre(self, _name: str = "", _source: str = "") -> None:
        if self._pre < 0:
            return
        if self._anchors.start > self._pre:
            self._end_link()
        code = code_block("".join(self._out[self._pre :]), self._kept)
        del self._out[self._pre :]
        self._pre = -1
        if code:
            self._out.append(self._keep(code) + PARAGRAPH)

    def _table(self, _name: str, _source: str) -> None:
        self._tables.open()

    def _row(self, _name: str, _source: str) -> None:
        self._end_link_of_row()
        self._tables.begin_row()

    def _cell(self, _name: str, source: str) -> None:
        self._fill_cell()
        self._tables.begin_cell(self._attributes(source) if "span" in source else {})
        self._cell_at, self._cell_from = self._at, len(self._out)

    def _fill_cell(self) -> None:
        self._fill(self._cell_at, self._cell_from)
        self._cell_at = -1

    def _end_row(self, name: str, _source: str) -> None:
        self._end_link_of_row()
        if name == "/table":
            self._tables.close()
        else:
            self._tables.end_row()

    def _end_link_of_row(self) -> None:
        """End a link and a code block that begin in the row: the row's pieces become one."""
        start = self._tables.row_start()
        if start < 0:
            return
        self._fill_cell()
        if self._anchors.start >= start:
            self._end_link()
        if self._pre >= start:
            self._end_pre()

    def _part(self, name: str, source: str) -> None:
        """Begin or end the page's content, or a part of the frame around it."""
        if self._out[-1] not in BREAK_MARKS:
            self._out.append(LINE)
        self._place.part(name)
        if source and ("title=" in source or "aria-label=" in source):
            self._labelled(self._at, self._attributes(source))

    def _about(self, name: str, source: str) -> None:
        if may_tell(name, source):
            self._head.take(name, self._attributes(source))

    def _simple_field(self, name: str, source: str) -> None:
        text = words_of(self._next_text(self._at))
        self._out.append(FIELDS[name](self._attributes(source), text))

    _OWN: ClassVar[dict[str, Callable[[Page, str, str], None]]] = {
        "a": _a, "/a": _end_link, "img": _img, "ul": _list, "ol": _list,
        "menu": _list, "/ul": _end_list, "/ol": _end_list, "/menu": _end_list,
        "li": _item, "/li": _end_item, "sup": _sup, "pre": _begin_pre, "/pre": _end_pre,
        "table": _table, "tr": _row, "td": _cell, "th": _cell,
        "/tr": _end_row, "/table": _end_row, "meta": _about, "link": _about,
        "base": _about, "video": _media, "audio": _media, "source": _media,
        "embed": _media, "frame": _media,
        **dict.fromkeys(FIELDS, _simple_field), **dict.fromkeys(PARTS, _part),
    }  # fmt: skip
    """Tags that need more than a mark."""
