"""Find the passages of a retrieved list that is JSON, or a table that korad made of JSON.

An array is such a list if most of its elements are mostly one long text, under a name and beside
members that retrieved texts have. Orders, messages, reviews and tickets hold prose too, but are
records: whoever asks about them counts and compares. In doubt an array is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from korad.optimizer.base import TOOL, Block, note
from korad.optimizer.passages import evidence
from korad.optimizer.passages.passage import LEAST_PASSAGES, MOST_PASSAGES, Passage
from korad.optimizer.passages.whole_texts import is_prose, is_whole
from korad.optimizer.recognition.kinds import is_json

_TABLE = note("(keys) come first")[:-1]
_FENCES = frozenset({None, "", "json", "jsonl", "ndjson"})
_LINES_OF = re.compile(r"\}[ \t\r]*\n[ \t]*\{")
_OPENING = re.compile(r"\[\s*[\[{\"]|\{\s*\"")
_MOST_OPENINGS = 64
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL)
_LEAST_PROSE_CHARS, _CHARS_PER_BLANK = 100, 15
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_ESCAPED_WORD = re.compile(r'(?<![^\s"])[^\s"\\]*+(?:\\u[0-9a-fA-F]{4}[^\s"\\]*+)+')
_LEAST_LONG_CHARS = 80
_SAMPLE_CHARS = 8_192
_MOST_TOKENS = 200_000
_READ_PASSAGES = 8
"""So many texts tell whether they are prose: some of the first and some of the last."""

_KEY = re.compile(r'"([A-Za-z_][\w .-]{0,40})"\s*:')
_NAME = re.compile(r'"([^"\\]{1,40})"')
_ARRAY_NAME = re.compile(r'"(\w{1,40})"\s*:\s*(?:\[\s*)?\Z')
_TEXTS = frozenset(
    (  # noqa: SIM905 - a list of 30 strings would be 30 lines
        "text content page_content pagecontent snippet snippets body passage chunk chunk_text"
        " document excerpt abstract summary description raw_content raw_text contents paragraph"
        " highlight highlights extra_snippets extract pagetext page_text context"
    ).split()
)
_SOURCES = frozenset(
    (  # noqa: SIM905 - a list of 50 strings would be 50 lines
        "title headline heading header section url uri link href source sources source_url"
        " display_url displayed_link formattedurl displayurl domain site website hostname filename"
        " file_name file file_path filepath path page page_number page_label score _score relevance"
        " relevance_score relevancescore similarity distance certainty confidence rank chunk_id"
        " chunk_index doc_id document_id docid document_name metadata meta _source @search.score"
    ).split()
)
_OTHERS = frozenset(
    (  # noqa: SIM905 - a list of 80 strings would be 80 lines
        "id _id id_ uuid key index _index position name date published published_at publishedat"
        " published_date publisheddate datepublished page_age age last_updated updated_at"
        " created_at author authors language lang favicon thumbnail image images type kind node"
        " payload fields item category categories tags keywords parent_id version hash offset loc"
        " lines deeplinks sitelinks isfamilyfriendly family_friendly isnavigational datelastcrawled"
        " node_id embedding sparse_embedding vector values doi isbn pmid arxiv_id journal year"
        " venue publisher citations license file_id attributes location s3location mimetype"
        " class_name excluded_embed_metadata_keys excluded_llm_metadata_keys relationships"
        " start_char_idx end_char_idx text_template metadata_template metadata_seperator blob"
        " dataframe highlightscores rerank_score paperid citationcount"
    ).split()
)
_COMPARED = frozenset(
    (  # noqa: SIM905 - reads better
        "date published published_at publishedat published_date publisheddate datepublished age"
        " page_age last_updated updated_at created_at year citations citationcount rank"
    ).split()
)
"""Members by which somebody may want the newest or the most of all."""
_RECORDS = frozenset(
    (  # noqa: SIM905 - a list of 60 strings would be 60 lines
        "role speaker sender recipient from to cc bcc subject user user_id username message"
        " messages thread channel reply replies state status priority severity price amount total"
        " quantity currency rating stars review question answer questions answers input output"
        " instruction response prompt completion label labels assignee assigned_to reporter due"
        " due_date level sku customer email phone salary start end duration start_time end_time"
        " timestamp time milestone sentiment parameters properties required schema"
    ).split()
)
_LIST_NAMES = frozenset(
    "documents passages chunks contexts results snippets excerpts retrieved".split()  # noqa: SIM905 - reads better
)
_ABOUT_DATES = re.compile(
    r"\b(?:newest|latest|oldest|earliest|recent(?:ly)?|older|newer|published|updated|dated|cited"
    r"|top|ranked|this (?:week|month|year)|neueste[nrs]?|älteste[nrs]?|dernie(?:r|rs|re|res)"
    r"|último|última)\b",
    re.IGNORECASE,
)
_MOST_UNKNOWN, _MOST_UNKNOWN_SEARCHED = 1, 4

Span = tuple[int, int]


class Element(NamedTuple):
    """An element of an array, and where the longest text in it begins and ends."""

    start: int
    end: int
    body: int
    close: int

    @property
    def chars(self) -> int:
        """Return the length of the longest text."""
        return self.close - self.body


class _Open:
    """An array or object whose end is not read yet."""

    __slots__ = ("elements", "is_array", "longest", "start")

    def __init__(self, start: int, *, is_array: bool) -> None:
        self.start = start
        self.is_array = is_array
        self.elements: list[Element] = []
        self.longest: Span = (start, start)

    def take(self, element: Element) -> None:
        """Take what stands in it."""
        if element.chars > self.longest[1] - self.longest[0]:
            self.longest = element.body, element.close
        if self.is_array:
            self.elements.append(element)


def find_json_passages(block: Block, words: str) -> list[Passage]:
    """Return the elements of a block's JSON that are retrieved passages; [] if none evidently are.

    `words` are what the user says elsewhere in the message.
    """
    text = block.text
    bounds = _bounds_of(text) if block.fence in _FENCES else None
    if bounds is None:
        return []
    elements = _largest_array(text, *bounds)
    if not LEAST_PASSAGES <= len(elements) <= MOST_PASSAGES:
        return []
    inside = sum(one.end - one.start for one in elements)
    prose = [one for one in elements if _is_prose_like(text, one)]
    if 2 * inside <= len(text) or 2 * sum(one.chars for one in prose) < inside:
        return []
    if 4 * len(prose) < 3 * len(elements) or not _is_retrieved(block, elements, words):
        return []
    if _are_whole(text, prose):
        return []
    return [Passage(one.start, one.body, one.close, one.end) for one in elements]


def _bounds_of(text: str) -> Span | None:
    """Return where the JSON, or what korad made of it, begins and ends; None: nothing worth it."""
    if text.startswith(_TABLE):
        start = text.find("\n") + 1
        return (start, len(text)) if _is_wordy(text, start) else None
    head = text[:_SAMPLE_CHARS]
    if head.count('":') < LEAST_PASSAGES and '["' not in head and '",' not in head:
        return None
    start, end = _start_in(head), max(text.rfind("]"), text.rfind("}")) + 1
    if start < 0 or not _is_wordy(text, start):
        return None
    is_lined = text[start] == "{" and _LINES_OF.search(text, start, start + _SAMPLE_CHARS)
    if is_lined:
        return (start, end) if all(map(is_json, text[start:end].splitlines())) else None
    return (start, end) if is_json(text[start:end]) else None


def _start_in(head: str) -> int:
    """Return where a document begins: a line, or what follows a label ("Context: [..."); or -1."""
    for opening in islice(_OPENING.finditer(head), _MOST_OPENINGS):
        before = head[max(0, opening.start() - 80) : opening.start()].rstrip(" \t")
        if not before or before[-1] in "\n>:":
            return opening.start()
    return -1


def _is_wordy(text: str, start: int) -> bool:
    """Tell by the first signs whether long strings are what the JSON is made of."""
    sample = text[start : start + _SAMPLE_CHARS]
    runs = map(len, sample.split('"'))
    return 3 * sum(run for run in runs if run >= _LEAST_LONG_CHARS) >= len(sample)


def _largest_array(text: str, start: int, end: int) -> list[Element]:
    """Return the elements of the array that holds most of the text, of lines if there is none."""
    outer = _Open(start, is_array=True)
    opened = [outer]
    best: list[Element] = []
    chars = 0
    for number, token in enumerate(_TOKEN.finditer(text, start, end)):
        at, stop = token.span()
        sign = text[at]
        if number > _MOST_TOKENS:
            return []
        if sign == '"':
            if opened[-1].is_array or (stop - at > _LEAST_PROSE_CHARS and text[stop] != ":"):
                opened[-1].take(Element(at, stop, at + 1, stop - 1))
        elif sign in "[{":
            opened.append(_Open(at, is_array=sign == "["))
        elif len(opened) > 1:
            closed = opened.pop()
            opened[-1].take(Element(closed.start, stop, *closed.longest))
            if len(closed.elements) >= LEAST_PASSAGES and stop - closed.start > chars:
                best, chars = _of_texts(closed.elements) or best, stop - closed.start
    return best or outer.elements


def _of_texts(elements: list[Element]) -> list[Element]:
    """Return the elements if most hold a long text: a row of a table is no list."""
    long = sum(one.chars >= _LEAST_PROSE_CHARS for one in elements)
    return elements if 4 * long >= 3 * len(elements) else []


def _is_prose_like(text: str, element: Element) -> bool:
    if element.chars < _LEAST_PROSE_CHARS:
        return False
    return text.count(" ", element.body, element.close) * _CHARS_PER_BLANK >= element.chars


def _is_retrieved(block: Block, elements: Sequence[Element], words: str) -> bool:
    text, first, end = block.text, elements[0], elements[-1].end
    is_searched = block.role == TOOL and evidence.is_search(block.call)
    if text[first.start] == '"':
        name = _ARRAY_NAME.search(text, max(0, first.start - 80), first.start - 1)
        is_named = name is not None and name[1].lower() in _LIST_NAMES
        return is_named or is_searched or evidence.is_from_sources(_around(text, first, end, words))
    if text.startswith(_TABLE):
        header = text.rfind("(", 0, first.start)
        keys = set(_NAME.findall(text, max(header, 0), first.start))
    else:
        keys = set(_KEY.findall(text, first.start, end))
    keys = {key.lower() for key in keys}
    if keys & _RECORDS or not keys & _TEXTS or not keys & _SOURCES:
        return False
    if keys & _COMPARED and _ABOUT_DATES.search(
        block.question if block.role == TOOL else _around(text, first, end, words)
    ):
        return False
    unknown = len(keys - _TEXTS - _SOURCES - _OTHERS)
    return unknown <= (_MOST_UNKNOWN_SEARCHED if is_searched else _MOST_UNKNOWN)


def _around(text: str, first: Element, end: int, words: str) -> str:
    return f"{text[: first.start]}\n{text[end:]}\n{words}"


def _are_whole(text: str, prose: Sequence[Element]) -> bool:
    """Tell whether the texts are no prose, or together one thing, such as a conversation."""
    half = _READ_PASSAGES // 2
    texts = [_plain(text[one.body : one.close]) for one in (*prose[:half], *prose[-half:])]
    if not is_prose("\n\n".join(texts), None, ""):
        return True
    return is_whole("\n\n".join(_plain(text[one.body : one.close]) for one in prose))


def _plain(string: str) -> str:
    """Return about what a JSON string reads as."""
    plain = string.replace("\\n", "\n").replace("\\t", "\t").replace('\\"', '"')
    return _ESCAPE.sub(_sign_of, plain) if "\\u" in plain else plain


def readable(text: str) -> str:
    """Return JSON with its escapes read and without keys, each word where it was, to look for.

    Every object has the keys: a word of the question that is one would tell nothing apart.
    """
    plain = _KEY.sub(_blank, text.replace("\\n", "  ").replace("\\t", "  "))
    if "\\u" not in plain:
        return plain
    return _ESCAPED_WORD.sub(lambda word: _ESCAPE.sub(_sign_of, word[0]).ljust(len(word[0])), plain)


def _blank(key: re.Match[str]) -> str:
    return " " * len(key[0])


def _sign_of(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16))
