"""Cut HTML into text and tags in one linear pass.

There is no tree: a tree builder looks through its open elements at every tag, and 100,000 unclosed
`<div>` (1/2 MB from any web page) held lexbor, and with it the whole process, for 47 s. What is
needed to write a page down as text is the order of its texts and tags, and tags are regular.
"""

from __future__ import annotations

import re
from html import unescape
from itertools import zip_longest

# No group is repeated possessively here: what of it backtracks, or looks ahead, goes wrong before
# Python 3.11.5. So the alternatives of a value exclude each other.
_ATTRIBUTES = r"""[^=>]*+(?:=\s*+(?:"[^"]*+"|'[^']*+'|(?!"[^"]*+"|'[^']*+'))[^=>]*+)*"""
# Every alternative also ends at the end of the text: what can fail only there would be tried again
# at the next "<", and a megabyte of "<a" would take minutes.
_TOKEN = re.compile(
    rf"""<(?:!--(?:-?>|.*?(?:--!?>|\Z))
        |(?=[sStTiIxX])((?i:script|style|template|title|textarea|iframe|xmp))(?=[\s/>])({_ATTRIBUTES})(?<!/)>
            ([^<]*+(?:<(?!/(?i:\1)[\s/>])[^<]*+)*)(?:</(?i:\1)(?=[\s/>])[^>]*+(?:>|\Z)|\Z)
        |(/?[A-Za-z][^\s/>]*+)({_ATTRIBUTES})(?:>|\Z)
        |!\[CDATA\[
        |[!?/][^>]*+(?:>|\Z))""",
    re.DOTALL | re.VERBOSE,
)
_ATTRIBUTE = re.compile(
    r"""([^\s=/"'][^\s=/]*+)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"']\S*+)))?"""
)

_NAME = re.compile(r"""[\s/]*+([^\s=/"']++)\s*+=\s*+""")

_HREF = re.compile(r'(?:^|[\s"])href="([^"]*+)"')

_CLOSING = " \t\r\n/"

_FILLED = r"\{\{|\{%[-+]?\s*[a-z]++(?=\s|[-+]?%})|<%"
_FILLED_TEXT = re.compile(_FILLED)
_FILLED_ATTRIBUTE = re.compile(rf"{_FILLED}|(?:^|\s)[\w:.-]+=\{{")
_DATA = re.compile(r"""data-[\w-]++=(?:"[^"]*+"|'[^']*+')""")
_CODE = frozenset({"pre", "code", "textarea"})

STRIDE = 6
"""`split_tags` gives this many values for each tag, text first, and a last text."""
TEXT, RAW_NAME, NAME, ATTRIBUTES = 0, 1, 4, 5
"""Where they stand; the attributes and the content of a raw element come after its name."""


def split_tags(html: str) -> list[str | None]:
    """Return text, raw element (name, attributes, content), tag ("/" first if it closes) and so on.

    A raw element is one whose content holds no tags (script, title, textarea ...). Of the five
    values after a text only one group is not None; for comments and declarations all are.
    """
    return _TOKEN.split(html)


def is_template(tokens: list[str | None]) -> bool:
    """Tell whether the mark-up is source that a program fills in (Jinja, ERB, JSX ...).

    A page that shows such source as code is none, nor one that keeps it for its scripts.
    """
    shown = "\0".join(filter(None, [*tokens[TEXT::STRIDE], *tokens[ATTRIBUTES::STRIDE]]))
    filled = "{" in shown and any(sign in shown for sign in ("={", "{{", "{%"))
    if not filled and not ("<" in shown and "<%" in shown):
        return False
    columns = (tokens[column::STRIDE] for column in (TEXT, NAME, ATTRIBUTES))
    code = 0
    for text, name, source in zip_longest(*columns):
        if not code and text and _FILLED_TEXT.search(text):
            return True
        if source and _FILLED_ATTRIBUTE.search(_DATA.sub("", source)):
            return True
        if name and name.lower().lstrip("/") in _CODE:
            code = max(code + (-1 if name[0] == "/" else 1), 0)
    return False


class Attributes:
    """Reads the attributes of a page's tags: a page has few different kinds of tags."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], tuple[str, ...] | None] = {}
        """Names by what stands between quoted values; None: it takes a closer look."""

    def of_link(self, source: str) -> dict[str, str]:
        """Return what a link needs: its `href`, and its title and label if it has them."""
        # Most links have more attributes than a reader wants; theirs are not read.
        if "title" not in source and "aria-label" not in source and "'" not in source:
            found = _HREF.search(source)
            if found and not source.count('"', 0, found.start()) % 2:
                target = found[1]
                return {"href": (unescape(target) if "&" in target else target).strip()}
        return self.of(source)

    def of(self, source: str | None) -> dict[str, str]:
        """Return a tag's attributes: names in lower case, values decoded, the first one wins."""
        if not source:
            return {}
        pieces = source.split('"')
        between = tuple(pieces[::2])
        names = self._known.get(between, ())
        if names == ():
            names = self._known[between] = _names_of(between)
        if names is None or len(pieces) % 2 == 0:
            return _read(source)
        values = map(unescape, pieces[1::2]) if "&" in source else pieces[1::2]
        return dict(zip(names, map(str.strip, values), strict=True))


def _names_of(between: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the names; None: there are others than name="value", or one twice."""
    found = [_NAME.fullmatch(piece) for piece in between[:-1]]
    names = [name[1].lower() for name in found if name]
    if len(names) < len(found) or len(set(names)) < len(names) or between[-1].strip(_CLOSING):
        return None
    return tuple(names)


def _read(source: str) -> dict[str, str]:
    found = _ATTRIBUTE.findall(source)
    found.reverse()
    if "&" not in source:
        return {name.lower(): (a or b or c).strip() for name, a, b, c in found}
    return {name.lower(): unescape(a or b or c).strip() for name, a, b, c in found}
