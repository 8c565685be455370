"""HTML that a tool fetched becomes the text, links, tables and forms it shows."""

from __future__ import annotations

import re

from korad.optimizer.base import HIGH, MARK, MEDIUM, TOOL, Block, Transform
from korad.optimizer.html.marks import holds_marks
from korad.optimizer.html.page import Page
from korad.optimizer.html.tokens import is_template, split_tags
from korad.optimizer.recognition.kinds import Kind, cares_for_form, kind_of

_SHORTEST_CHARS = 200
_START = re.compile(r"^[ \t]*<(?:!doctype html|html)\b", re.IGNORECASE | re.MULTILINE)
_FRAGMENT = re.compile(
    r"\s*<(?:!--|(?:head|body|div|p|section|article|main|header|footer|nav|aside|h[1-6]|ul|ol|dl"
    r"|table|form|span|a|pre|blockquote|figure|img|meta|title|center|font|b|i|em|strong)[\s/>])",
    re.IGNORECASE,
)
_END = re.compile(r"</html\s*>", re.IGNORECASE)
_FILE = re.compile(
    r"\b(?:cat|sed|head|tail|less|view|open|grep|read|edit|file|path|git|diff|bash|shell|editor)\b"
    r"|_(?:file|path|bash|editor)|(?:file|path|read|view|edit|open|cat|str)_"
    r"|localhost|127\.0\.0\.1|\.(?:html?|vue|svelte|jsx?|tsx?|php|erb|ejs|hbs|j2|jinja2?|tmpl)\b",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"https?://(?!localhost|127\.|0\.0\.0\.0|\[::1\])", re.IGNORECASE)

_LINKS = re.compile(
    r"\b(?:links?|urls?|href|address(?:es)?|menus?|navigat\w*|sites?|pages?|sitemap|crawl\w*"
    r"|click|visit|open|go to|where)\b",
    re.IGNORECASE,
)
_THIS_LINK = re.compile(r"\bthis (?:address|link|url)\b", re.IGNORECASE)
"""Names the page that was fetched, and asks for no other."""


def _is_source_view(call: str) -> bool:
    """Tell whether the tool showed a file: its mark-up is then what is worked on."""
    return bool(call) and not _ADDRESS.search(call) and bool(_FILE.search(call))


def _page_of(text: str) -> tuple[int, int]:
    """Return where the HTML begins and ends in a tool's output; (0, 0): there is none."""
    start = _START.search(text, 0, 8_192)
    if start is not None and "HTTP/" in text[: start.start()]:
        return 0, 0  # an answer as it came over the wire
    if start is None:
        return (0, len(text)) if _FRAGMENT.match(text) else (0, 0)
    end = text.rfind("</")
    closing = _END.match(text, end) if end >= 0 else None
    return start.start(), closing.end() if closing else len(text)


def _keeps_menus(block: Block) -> bool:
    """Tell whether menus say where they lead: from level high on only if links are asked for."""
    if block.level < HIGH:
        return True
    return _LINKS.search(_THIS_LINK.sub("", block.question)) is not None


def shorten(block: Block) -> str:
    """Return the page as text; what stands before and after it is kept as it is."""
    text = block.text
    if block.role != TOOL or block.fence is not None or len(text) < _SHORTEST_CHARS:
        return text
    start, end = _page_of(text) if "<" in text else (0, 0)
    if not end or "</" not in text or "<?php" in text or holds_marks(text):
        return text
    if _is_source_view(block.call) or cares_for_form(block.question):
        return text
    if kind_of(text[start:end], None, block.call) is not Kind.HTML:
        return text
    tokens = split_tags(text[start:end])
    if is_template(tokens):
        return text
    page = Page(tokens, menus=_keeps_menus(block), call=block.call).text
    if not page or (MARK in page and MARK not in text):
        return text  # a mark written as "&#91;korad: ..." would look like one of korad's own
    return text[:start] + page + text[end:]


HTML_TEXT = Transform(name="HTML to text", level=MEDIUM, apply=shorten)
