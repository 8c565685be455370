"""Write an HTML page down as Markdown-like text that says everything the page says."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import ClassVar, Final

from korad.optimizer.html.fields import FIELDS, field, labels
from korad.optimizer.html.head import Head
from korad.optimizer.html.lines import tidy
from korad.optimizer.html.links import (
    is_picture,
    is_tracker,
    leads_elsewhere,
    say_site_once,
    with_pictures,
    without_campaign,
    words_of_link,
)
from korad.optimizer.html.marks import (
    AGAIN,
    BREAK_MARKS,
    BULLET,
    END,
    INDENT,
    KEPT,
    LATER,
    LINE,
    PARAGRAPH,
    TAIL,
    TARGET,
    code_block,
    fill,
    lay_out,
    words_of,
)
from korad.optimizer.html.tables import Tables
from korad.optimizer.html.tags import SIMPLE
from korad.optimizer.html.tokens import ATTRIBUTES, NAME, STRIDE, TEXT, Attributes

_LONGEST_NUMBER_DIGITS: Final = 8
_ONE_PICTURE: Final = re.compile(r"!\[(.*)\]")
_DEEPEST_INDENT: Final = 8
"""More would let 100,000 nested lists write 10 GB of indentation."""


class Page:
    """A page as it is written down, tag by tag; `text` is the result."""

    __slots__ = (
        "_at", "_attributes", "_facts", "_head", "_kept", "_link", "_lists", "_menus", "_out",
        "_pictures", "_pre", "_seen", "_tables", "_tokens", "text",
    )  # fmt: skip

    def __init__(self, tokens: list[str | None], *, menus: bool) -> None:
        self._menus = menus
        self._tokens = tokens
        self._at = 0
        self._attributes = Attributes().of
        self._out: list[str] = [""]
        self._head = Head()
        self._kept: list[str] = []
        self._seen: dict[str, str] = {}
        """Where links, pictures and frames lead, and the words of the first link there."""
        self._pictures: list[tuple[str, str]] = []
        """Linked pictures without words: what they show and where they lead."""
        self._facts: list[str] = []
        self._lists: list[int] = []
        self._link: tuple[int, dict[str, str], str, bool] | None = None
        """Where the open link's words begin, its attributes, its target, and whether to show it."""
        self._pre = -1
        self._tables = Tables(self._out)
        self._read()
        self.text = self._finished()

    def _read(self) -> None:
        tokens, out, simple, own = self._tokens, self._out, SIMPLE, self._OWN
        columns = (tokens[column::STRIDE] for column in (TEXT, NAME, ATTRIBUTES))
        for index, (text, name, source) in enumerate(zip(*columns, strict=False)):
            if text and (self._pre >= 0 or not text.isspace()):
                out.append(unescape(text) if "&" in text else text)
            elif text and out[-1] not in BREAK_MARKS:
                out.append(" ")
            if name is None:
                self._raw(index * STRIDE)
                continue
            tag = name
            mark = simple.get(tag)
            if mark is None:
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
        text = tidy(
            lay_out(with_pictures("".join(self._out), self._pictures, self._seen)),
            targets=self._menus,
        )
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
            if words and not self._head.title(words):
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
        following = self._tokens[at + STRIDE + NAME : at + STRIDE + NAME + 1]
        empty = not said and following == [f"/{self._tokens[at + NAME]}"]
        self._out.append(labels(of, said, empty=empty))

    def _a(self, _name: str, source: str) -> None:
        self._end_link()
        of = self._attributes(source)
        target = without_campaign(of.get("href", ""))
        # In code a target would be part of it; lists of files have their links where lines begin.
        code = 0 <= self._pre < len(self._out) and self._out[-1][-1:] not in ("", "\n")
        shown = not code and not self._seen.get(target) and leads_elsewhere(target)
        self._out.append(BULLET + "[" if shown else "")
        self._link = (len(self._out), of, target, shown)

    def _end_link(self, _name: str = "", _source: str = "") -> None:
        if self._link is None:
            return
        start, of, target, shown = self._link
        out, self._link = self._out, None
        words = words_of_link(out, start, self._kept)
        if not shown:
            if words and self._seen.get(target) == words:
                out.insert(start, AGAIN)
                out.append(AGAIN)
            elif not words and not target:
                out.append(words_of(of.get("aria-label", "") or of.get("title", "")))
            return
        if not words:
            words = words_of(of.get("aria-label", "") or of.get("title", ""))
            out.append(words)
        if not words or ((alt := _ONE_PICTURE.fullmatch(words)) and is_picture(target)):
            out[start - 1] = ""  # no reader sees it, or it only shows the picture by itself
        elif alt and self._pre < 0:
            out[start - 1 :] = [f"{LATER}{len(self._pictures)}{LATER}"]
            self._pictures.append((alt[1], target))
        else:
            self._seen[target] = words
            title = words_of(of.get("title", ""))
            # Most titles say the text again or advertise; the rest of a text cut short is a fact.
            cut = words.endswith(("...", "\u2026")) and title not in ("", words)
            out.append(f"{TAIL}]({TARGET}{target}" + (f' "{title}")' if cut else ")"))

    def _img(self, _name: str, source: str) -> None:
        if "alt" not in source and "title" not in source:
            return
        of = self._attributes(source)
        alt = words_of(of.get("alt", "")) or words_of(of.get("title", ""))
        shown = f"![{alt}]"
        # The same picture for another screen is not given again, unless a link shows it.
        if alt and (self._link or shown not in self._seen) and not is_tracker(of.get("src", "")):
            self._seen[shown] = ""
            self._out.append(shown)

    def _media(self, name: str, source: str) -> None:
        of = self._attributes(source)
        target = of.get("src", "")
        if target and target not in self._seen and not is_tracker(target):
            self._seen[target] = ""
            self._out.append(f" [{of.get('title') or name}]({target}) ")

    def _list(self, name: str, source: str) -> None:
        start = self._attributes(source).get("start", "1") if "start" in source else "1"
        first = int(start) if start.isdecimal() and len(start) <= _LONGEST_NUMBER_DIGITS else 1
        self._lists.append(first if name == "ol" else -1)
        self._out.append(LINE)

    def _end_list(self, _name: str, _source: str) -> None:
        if self._lists:
            self._lists.pop()
        self._out.append(END)

    def _item(self, _name: str, _source: str) -> None:
        bullet = "-"
        if self._lists and self._lists[-1] >= 0:
            bullet = f"{self._lists[-1]}."
            self._lists[-1] += 1
        indent = INDENT * min(max(len(self._lists) - 1, 0), _DEEPEST_INDENT)
        self._out.append(f"{LINE}{indent}{BULLET}{bullet} ")

    def _end_item(self, _name: str, _source: str) -> None:
        self._end_link()
        self._out.append(END)

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
        if self._link and self._link[0] > self._pre:
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
        self._tables.begin_cell(self._attributes(source) if "span" in source else {})

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
        if self._link and self._link[0] >= start:
            self._end_link()
        if self._pre >= start:
            self._end_pre()

    def _about(self, name: str, source: str) -> None:
        if name != "link" or "canonical" in source or "next" in source or "prev" in source:
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
        **dict.fromkeys(FIELDS, _simple_field),
    }  # fmt: skip
    """Tags that need more than a mark."""
