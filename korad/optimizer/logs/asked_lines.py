"""Which lines of a log a question asks for, all of them: those of a time, or all about something.

"What happened at 10:05?" is about a minute, "list every login of bob" about each line with his
name. No such line is like another: all of them stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest

_BRIEF_CHARS, _EDGE_CHARS = 600, 300
"""Of a longer question the ends are read: between them are rules and pasted text."""
_MOST_SHARE = 0.5
"""With more lines than this what is asked for is the log: it is not folded."""
_CLOCK_CHARS = 160
"""A line's time stands near its beginning."""

_ASKED_CLOCK = re.compile(
    r"""(?:(?<![\w:.])|(?<=\dT)) (?:
      (?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d)(?:[.,]\d+)?)?(?![\d:])
      (?:\ ?(?P<half>[ap])\.?m\b)?
    | (?P<full>1?\d)\ ?(?P<part>[ap])\.?m\b )""",
    re.IGNORECASE | re.VERBOSE,
)
_DIGIT = re.compile(r"\d")
_DATE = r"(?:(?:the )?\d{4}-\d\d-\d\d[T ]?)?"
_BETWEEN = re.compile(rf"\b(?:between|zwischen|entre) {_DATE}$", re.IGNORECASE)
_AND = re.compile(rf"Z? (?:and|und|et|y) {_DATE}", re.IGNORECASE)
_TO = re.compile(
    rf"Z? ?(?:to|until|till|up to|through|bis|jusqu'à|à|hasta|a|[-\u2013\u2014]) ?{_DATE}",
    re.IGNORECASE,
)
_SINCE = re.compile(
    rf"\b(?:after|since|from|nach|seit|ab|après|depuis|desde) {_DATE}$", re.IGNORECASE
)
_UNTIL = re.compile(rf"\b(?:before|until|till|up to|vor|bis|avant|hasta) {_DATE}$", re.IGNORECASE)
# The engine searches quickly for a digit: what stands before it is looked at afterwards.
_CLOCK = re.compile(
    r"\d(?:(?:(?<![\d:.]\d)|(?<=\d{4}:\d))\d:\d\d(?::\d\d)?|T\d{6}|(?<=^\d)\d{5} \d{6} )"
)
_FIRST, _LAST = "00:00:00", "99"

_ASKED_DATE = re.compile(r"(?<![\w-])\d{4}-\d\d-\d\d(?![\w-])")
_WHAT = r"(?P<what>(?:[^.?!;:\n]|[.:](?=\w)){1,80})"
_EVERY = re.compile(
    rf"""\b(?: (?:list|show|give|print|name|enumerate|find|get|extract|which|what|who|quote|report
        |return|tell|liste|zeige?|nenne|gib|welche|montre[rz]?|donne[rz]?|muestra)\b
      [^.?!\n]{{0,60}}?\b(?:all|every|each|alle|jede[nmrs]?|tou(?:te)?s|chaque|todos|todas|cada)
    | how\ (?:many|often) | number\ of | count\ (?:all|every|each|the) | sum\ of
    | wie\ (?:viele|oft) | combien
    | cuánt[oa]s )\b{_WHAT}
    | ^\s*(?:list|enumerate)\b(?P<listed>(?:[^.?!;:\n]|[.:](?=\w)){{1,80}})""",
    re.VERBOSE | re.MULTILINE,
)
_SIGNS = (
    *("all", "every", "each", "how ", "number of", "count ", "sum of", "list", "enumerate"),
    *("jede", "wie ", "tous", "toutes", "chaque", "combien", "todos", "todas", "cada", "cuánt"),
)
"""One of them is in all that the pattern above finds: most questions have none."""
_WORD = re.compile(r"\w[\w.@/:+-]*\w")
_MOST_WORDS = 6
_EMPTY = frozenset(
    """
    a after all an and any are as at be been before between by can could day des did die do does
    each every file files for from had has have he her his how if in into is it its les list log
    logs many me my not of on one or other our out output per please she since so than that the
    their them there these they this those time times to until us was we were what when where which
    who why will with within would you your
    """.split()  # noqa: SIM905 - eighty quoted words are not easier to read
)
_LINES = frozenset({"line", "lines", "entry", "entries", "record", "records", "event", "events"})
_ENDINGS = ("ings", "ing", "ies", "ed", "es", "s")
_STEM_CHARS_MIN = 4


def asked_lines(question: str, lines: Sequence[str]) -> set[int] | None:
    """Return the places of the lines that a question asks for; None: it asks for most of them."""
    if len(question) > _BRIEF_CHARS:
        question = f"{question[:_EDGE_CHARS]}\n{question[-_EDGE_CHARS:]}"
    spans = list(_spans(question)) if _DIGIT.search(question) else []
    asked = _within(spans, lines) if spans else set()
    terms = [] if spans else [re.escape(date) for date in set(_ASKED_DATE.findall(question))]
    wants_lines = False
    lower = question.lower()
    for found in _EVERY.finditer(lower) if any(sign in lower for sign in _SIGNS) else ():
        words = _WORD.findall(found["what"] or found["listed"])
        said = [word for word in words if _tells(word)][:_MOST_WORDS]
        wants_lines = wants_lines or (bool(said) and _LINES.issuperset(said))
        terms += [_term(word) for word in said if word not in _LINES]
    if terms:
        about = _about(terms, lines)
        if about is None:
            return None
        asked |= about
    is_most = len(asked) > _MOST_SHARE * len(lines)
    return None if is_most or (wants_lines and not asked) else asked


def _spans(question: str) -> Iterator[tuple[str, str]]:
    """Yield the first and the last time of each span that a question names."""
    clocks = list(_ASKED_CLOCK.finditer(question))
    begun = ""
    for clock, after in zip_longest(clocks, clocks[1:]):
        before = question[: clock.start()]
        between = question[clock.end() : after.start()] if after else ""
        start, end = _clock(clock)
        if begun:
            yield begun, end
            begun = ""
        elif after and (
            _TO.fullmatch(between) or (_AND.fullmatch(between) and _BETWEEN.search(before))
        ):
            begun = start
        elif _SINCE.search(before):
            yield start, _LAST
        elif _UNTIL.search(before):
            yield _FIRST, end
        else:
            yield start, end


def _clock(found: re.Match[str]) -> tuple[str, str]:
    """Return the first and the last second of a time of day as it was said."""
    hour = int(found["hour"] or found["full"])
    half = (found["half"] or found["part"] or "").lower()
    if half:
        hour = hour % 12 + 12 * (half == "p")
    minute, second = found["minute"], found["second"]
    return (
        f"{hour:02}:{minute or '00'}:{second or '00'}",
        f"{hour:02}:{minute or '59'}:{second or '59'}",
    )


def _within(spans: Sequence[tuple[str, str]], lines: Sequence[str]) -> set[int]:
    """Return the places of the lines of some spans; a line without a time goes with the last."""
    places = set()
    told: dict[str, bool] = {}
    is_within = False
    for place, line in enumerate(lines):
        found = _CLOCK.search(line, 0, _CLOCK_CHARS)
        if found:
            clock = _spelt_out(found.group())
            if clock not in told:
                told[clock] = any(
                    start <= clock <= end if start <= end else clock >= start or clock <= end
                    for start, end in spans
                )
            is_within = told[clock]
        if is_within:
            places.add(place)
    return places


def _spelt_out(clock: str) -> str:
    """Return a time as "10:05:00"; without colons it is the last six digits."""
    if ":" in clock:
        return clock if len(clock) == len(_FIRST) else f"{clock}:00"
    clock = clock.rstrip()
    return f"{clock[-6:-4]}:{clock[-4:-2]}:{clock[-2:]}"


def _tells(word: str) -> bool:
    """Tell whether a word may tell a line; a time does elsewhere."""
    return word not in _EMPTY and _ASKED_CLOCK.fullmatch(word) is None


def _term(word: str) -> str:
    """Return a pattern of a word in any of its forms, or of a name as it is."""
    if not word.isalpha():
        return rf"(?<![\w.]){re.escape(word)}(?!\w)"
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _STEM_CHARS_MIN:
            word = word[: -len(ending)]
            break
    return rf"(?<![a-z]){re.escape(word)}"


def _about(terms: Sequence[str], lines: Sequence[str]) -> set[int] | None:
    """Return the places of the lines with one of some terms; None: they all stand in most lines.

    A term in most lines singles none out beside another that does.
    """
    lower = [line.lower() for line in lines]
    text = "\n".join(lower)
    found = [
        {place for place, line in enumerate(lower) if term.search(line)}
        for term in map(re.compile, terms)
        if term.search(text)
    ]
    few = [places for places in found if len(places) <= _MOST_SHARE * len(lines)]
    return set().union(*few) if few or not found else None
