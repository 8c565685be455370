"""Tell what a text is, so that each transform touches only what it understands.

In doubt the answer is the kind that keeps more: a text that might be code is code, whatever else
it might be. The look at a text is bounded (its first 8 KB and two probes further on); only JSON is
read to its end.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum

import msgspec

from korad.optimizer.recognition import file_calls
from korad.optimizer.recognition.code_signs import looks_like_code
from korad.optimizer.recognition.error_lines import are_error_lines, is_error_line
from korad.optimizer.recognition.form_words import cares_for_form
from korad.optimizer.recognition.json_lines import are_entries, objects_of
from korad.optimizer.recognition.kind_signs import (
    Sample,
    is_diff,
    is_file_view,
    is_http_message,
    is_markup,
    is_page,
    sample_of,
)
from korad.optimizer.recognition.log_signs import has_log_entries, has_one_shape
from korad.optimizer.recognition.look_signs import is_listing, is_markdown, is_table

__all__ = [
    "Kind",
    "are_error_lines",
    "cares_for_form",
    "is_error_line",
    "is_json",
    "kind_of",
]


class Kind(Enum):
    """What a text is."""

    BLANK = "blank"
    """White space only."""
    JSON = "json"
    """One JSON object or array, several pretty-printed ones in a row, or a record a line."""
    HTML = "html"
    """A page or a fragment of one, fetched to be read."""
    DIFF = "diff"
    SOURCE = "source"
    """Whatever must keep its exact form: code, configuration, XML, a raw HTTP message."""
    TABLE = "table"
    """CSV, TSV, columns of fixed width, a ruled table."""
    LOG = "log"
    """Entries of one look, a line each; JSON objects too if they have a level or a message."""
    MARKDOWN = "markdown"
    LISTING = "listing"
    """File names: ls, tree, find, grep's hits, checksums."""
    TEXT = "text"


_PLAIN_FENCES = frozenset(
    {"text", "txt", "plain", "plaintext", "log", "logs", "console", "terminal", "output", "stdout"}
)
_FENCES = {
    "diff": Kind.DIFF,
    "patch": Kind.DIFF,
    "csv": Kind.TABLE,
    "tsv": Kind.TABLE,
    "md": Kind.MARKDOWN,
    "markdown": Kind.MARKDOWN,
}
_JSON_LINES_FENCES = frozenset({"jsonl", "ndjson"})

KNOWN_MAX = 4_096
"""How many answers are kept, under 0.5 KB each."""
_known: dict[tuple[int, int, str | None, int], Kind] = {}


def kind_of(text: str, fence: str | None = None, call: str = "") -> Kind:
    """Return what `text` is.

    `fence` is the language of the code fence it stands in ("" if none is named, None: no fence),
    `call` the name and the arguments of the tool call that gave it.
    """
    # Each transform asks anew: the answer is kept under the hash, which a text computes once. The
    # hash is keyed per process, so that nobody can make two texts of one hash.
    key = (hash(text), len(text), fence, hash(call))
    kind = _known.get(key)
    if kind is None:
        if len(_known) >= KNOWN_MAX:
            _known.clear()
        kind = _known[key] = _recognise(text, fence, call)
    return kind


def _recognise(text: str, fence: str | None, call: str) -> Kind:
    if not text or text.isspace():
        return Kind.BLANK
    if fence == "json":
        return Kind.JSON if is_json(text) else Kind.SOURCE
    if fence in _JSON_LINES_FENCES:
        return _json_lines_kind(sample_of(text)) or Kind.JSON
    if fence and fence not in _PLAIN_FENCES:
        return _FENCES.get(fence, Kind.SOURCE)
    sample = sample_of(text)
    kind = _exact_kind(text, sample) or _kind_by_call(call) or _kind_by_look(sample)
    # What somebody fenced as a block of code is shown for its mark-up.
    return (
        Kind.SOURCE
        if kind is Kind.HTML and (fence is not None or file_calls.shown_file(call))
        else kind
    )


def is_json(text: str) -> bool:
    """Tell whether `text` is one JSON object or array; about 1 GB/s.

    One that nests deeper than Python may recurse is none.
    """
    stripped = text.strip(" \t\r\n")
    if not stripped or stripped[0] not in "{[" or stripped[-1] not in "}]":
        return False
    try:
        msgspec.json.decode(stripped, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return False
    return True


_LITERAL = re.compile(r"\s*[\[{]\s*(?:$|[\"'\[{}\]#]|//|/\*)", re.MULTILINE)


def _exact_kind(text: str, sample: Sample) -> Kind | None:
    """Return a kind that the text's first characters or its syntax give away."""
    if is_file_view(sample):
        return Kind.SOURCE
    if is_json(text):
        return Kind.JSON
    kind = _json_lines_kind(sample)
    if kind is not None:
        return kind
    if _LITERAL.match(sample.head):
        several = "\n}\n{" in text or "\n]\n[" in text
        return Kind.JSON if several and text.rstrip()[-1] in "}]" else Kind.SOURCE
    if is_diff(sample):
        return Kind.DIFF
    if is_page(sample):
        return Kind.HTML
    return Kind.SOURCE if is_markup(sample) or is_http_message(sample) else None


def _json_lines_kind(sample: Sample) -> Kind | None:
    objects = objects_of(sample, is_json)
    if not objects:
        return None
    return Kind.LOG if are_entries(objects) else Kind.JSON


_SHOWN_KINDS = {
    file_calls.CODE: Kind.SOURCE,
    file_calls.PROSE: Kind.MARKDOWN,
    file_calls.CELLS: Kind.TABLE,
}


def _kind_by_call(call: str) -> Kind | None:
    shown = file_calls.shown_file(call)
    return _SHOWN_KINDS[shown] if shown else None


def _reads_as_code(sample: Sample) -> bool:
    return looks_like_code(sample.lines)


_LOOKS: tuple[tuple[Callable[[Sample], bool], Kind], ...] = (
    (is_listing, Kind.LISTING),
    (has_log_entries, Kind.LOG),
    (is_table, Kind.TABLE),
    (_reads_as_code, Kind.SOURCE),
    (has_one_shape, Kind.LOG),
    (is_markdown, Kind.MARKDOWN),
)


def _kind_by_look(sample: Sample) -> Kind:
    return next((kind for looks, kind in _LOOKS if looks(sample)), Kind.TEXT)
