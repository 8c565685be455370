"""Cut HTML into text and tags in one linear pass.

There is no tree: a tree builder looks through its open elements at every tag, and 100,000 unclosed
`<div>` (1/2 MB from any web page) held lexbor, and with it the whole process, for 47 s. What is
needed to write a page down as text is the order of its texts and tags, and tags are regular.
"""

from __future__ import annotations

import re
from html import unescape

_ATTRIBUTES = r"""[^=>]*+(?:=\s*+(?:"[^"]*+"|'[^']*+')?+[^=>]*+)*+"""
# Every alternative also ends at the end of the text: what can fail only there would be tried again
# at the next "<", and a megabyte of "<a" would take minutes.
_TOKEN = re.compile(
    rf"""<(?:!--(?:-?>|.*?(?:--!?>|\Z))
        |(?=[sStTiIxX])((?i:script|style|template|title|textarea|iframe|xmp))(?=[\s/>])({_ATTRIBUTES})(?<!/)>
            ((?:[^<]++|<(?!/(?i:\1)[\s/>]))*+)(?:</(?i:\1)(?=[\s/>])[^>]*+(?:>|\Z)|\Z)
        |(/?[A-Za-z][^\s/>]*+)({_ATTRIBUTES})(?:>|\Z)
        |!\[CDATA\[
        |[!?/][^>]*+(?:>|\Z))""",
    re.DOTALL | re.VERBOSE,
)
_ATTRIBUTE = re.compile(
    r"""([^\s=/"'][^\s=/]*+)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"']\S*+)))?+"""
)

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
    """Tell whether the mark-up is source that a program fills in (Jinja, ERB, JSX ...)."""
    shown = "\0".join(filter(None, [*tokens[::STRIDE], *tokens[5::STRIDE]]))
    return any(sign in shown for sign in ("{{", "{%", "<%", "={"))


def attributes(source: str | None) -> dict[str, str]:
    """Return the attributes of a tag: names in lower case, values decoded, the first one wins."""
    if not source:
        return {}
    found = _ATTRIBUTE.findall(source)
    found.reverse()
    if "&" not in source:
        return {name.lower(): (a or b or c).strip() for name, a, b, c in found}
    return {name.lower(): unescape(a or b or c).strip() for name, a, b, c in found}
