"""JSON without the white space between its tokens; every token stays as it was written.

msgspec reformats the text without making values of it, so that number literals (1.10, 1E400, thirty
digits), escapes, duplicate keys and the order of keys are kept, and it accepts nothing that is not
JSON: NaN, comments, a comma too many and a text cut short leave the block untouched.
"""

from __future__ import annotations

import re

import msgspec

from korad.optimizer.base import LOW, MEDIUM, TOOL, Block, Transform

USER_CHARS_MIN = 200
"""A user's unfenced document shorter than this may have been typed, blanks and all."""
_BLANKS = " \t\r\n"
_FENCES = frozenset({"", "json"})
_NEXT_DOCUMENT = re.compile(r"\n(?=[{\[])")


def minify(block: Block) -> str:
    """Return the block's JSON in its shortest writing, or its own text if it holds none.

    Documents that follow each other, a line or more each, become a line each from medium on: at
    low the text as a whole must be JSON.
    """
    text = block.text
    body = text.strip(_BLANKS)
    if not body or body[0] not in "{[" or body[-1] not in "}]" or not _may_change(block, body):
        return text
    small = _compact(body)
    if small is None and block.level >= MEDIUM:
        small = _compact_each(body)
    if small is None or len(small) >= len(body):
        return text
    start = text.index(body[0])
    return f"{text[:start]}{small}{text[start + len(body) :]}"


def _may_change(block: Block, body: str) -> bool:
    if block.fence is not None:
        return block.fence in _FENCES
    return block.role == TOOL or len(body) > USER_CHARS_MIN


def _compact(document: str) -> str | None:
    """Return `document` without its white space, None if it is not JSON; about 600 MB/s."""
    try:
        return msgspec.json.format(document, indent=-1)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        # A document that nests deeper than Python may recurse stays as it is.
        return None


def _compact_each(body: str) -> str | None:
    """Return the documents in a row, each on a line of its own; None if one of them is not JSON."""
    documents = []
    for written in _NEXT_DOCUMENT.split(body):
        document = _compact(written)
        if document is None:
            return None
        documents.append(document)
    return "\n".join(documents)


JSON_MINIFY = Transform(name="JSON minify", level=LOW, apply=minify, exact=True)
