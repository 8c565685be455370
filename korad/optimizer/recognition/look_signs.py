"""The signs of listings, tables and marked-up prose: how most of their lines look."""

from __future__ import annotations

import re
from collections import Counter

from korad.optimizer.recognition.kind_signs import (
    HALF,
    LINES_MAX,
    MOST,
    NEARLY_ALL,
    Sample,
    reaches,
    share,
)
from korad.optimizer.recognition.stamps import is_timed

ROWS_MIN = 3
HIT_CHARS_MAX = 400
"""Finding a hit's path takes quadratic time in a line's length."""
COLUMN_ROWS_MAX = 25
WIDTH_MAX = 250
"""Columns are made for a screen; in paragraphs some word stands below another by chance."""
ALIKE = 0.95
"""Share of a table's rows that have the usual number of separators."""
SIGNS_MIN = 2
SIGNS_SHARE = 0.15

_PERMISSIONS = re.compile(r"(?:total \d|[-dlbcps][rwxsStT-]{9}[.+@]? )")
_TREE = re.compile(r"[ │]*[├└]|[ |]*(?:\|--|`--|\\--)")
_HIT = re.compile(r"[\w.+@-]*[./][\w./+@-]*[:-]\d+[:-](?!\d+:)")
_SUM = re.compile(r"[0-9a-fA-F]{32,128} [ *]\S|\d+(?:\.\d+)?[KMGT]?\t\S+$")
_LISTED = (_PERMISSIONS, _TREE, _SUM)


def is_listing(sample: Sample) -> bool:
    """Tell whether it lists files: ls, tree, find, grep's hits, checksums."""
    lines = sample.words
    starts = [line[:HIT_CHARS_MAX] for line in lines]
    if any(reaches(MOST, starts, sign.match) for sign in _LISTED):
        return True
    if reaches(MOST, starts, _HIT.match):
        # Hits in a log are a log.
        return not (any(map(is_timed, starts[:ROWS_MIN])) and reaches(MOST, starts, is_timed))
    names = [line for line in lines if " " not in line and "\t" not in line]
    named = share(names, lambda name: "/" in name or "." in name)
    return len(names) >= max(ROWS_MIN, NEARLY_ALL * len(lines)) and named >= HALF


_RULED = ("|", "+-", "+=", "┌", "│", "├")
_QUOTED = re.compile(r'"[^"]*"')


def is_table(sample: Sample) -> bool:
    """Tell whether it has columns: ruled, separated by one character, or of fixed width."""
    lines = sample.lines
    if len(lines) < ROWS_MIN:
        return False
    if reaches(MOST, lines, lambda line: line.lstrip().startswith(_RULED)):
        return True
    if any(_is_rule(line) for line in lines[:3]):
        return True
    return _has_separators(sample) or _has_columns(sample.words)


def _is_rule(line: str) -> bool:
    """Tell whether `line` draws the columns below a table's head, as in "---+-----"."""
    rule = line.strip()
    return "--" in rule and not set(rule) - set("-+| :") and bool(set(rule) & set("+| "))


def _has_separators(sample: Sample) -> bool:
    rows = sample.lines
    if '"' in sample.head:
        rows = [row for row in _QUOTED.sub("q", sample.head).split("\n") if row][:LINES_MAX]
    return len(rows) >= ROWS_MIN and any(_separates(mark, rows) for mark in "\t,;|")


def _separates(mark: str, rows: list[str]) -> bool:
    usual = rows[1].count(mark)
    if not usual or not reaches(ALIKE, rows, lambda row: row.count(mark) == usual):
        return False
    # One comma a line is what sentences have, and one at the end is what code has.
    if mark == "\t":
        return True
    if share(rows, lambda row: row.rstrip().endswith(mark)) > HALF:
        return False
    return usual > 1 or share(rows, lambda row: f"{mark} " in row) < HALF


_WORD = re.compile(r"\S+")


def _has_columns(lines: list[str]) -> bool:
    """Tell whether an inner column's edge stands at the same place in nearly all lines."""
    edges: Counter[int] = Counter()
    lines = lines[:COLUMN_ROWS_MAX]
    ruled = [line for line in lines if len(line) <= WIDTH_MAX and "  " in line.lstrip()]
    if len(ruled) < NEARLY_ALL * len(lines):
        return False
    for line in ruled:
        words = list(_WORD.finditer(line))[1:]
        edges.update({word.start() for word in words} | {-word.end() for word in words})
    return bool(edges) and max(edges.values()) >= max(ROWS_MIN, NEARLY_ALL * len(lines))


_LINK = re.compile(r"\]\((?:https?:|[./#]|[\w-]+\.\w)")
_MARKDOWN = re.compile(r"#{1,6} \S|\s{0,6}[-*+] \S|\s{0,3}\d{1,3}[.)] \S|> |\*\*|__")


def is_markdown(sample: Sample) -> bool:
    """Tell whether it is marked-up prose: headings, lists, links, lines broken on purpose."""
    lines = sample.words
    broken = [line for line in lines if line.endswith("  ") and line[-3:-2].strip()]
    if len(broken) >= SIGNS_MIN:
        return True
    signs = sum(_MARKDOWN.match(line) is not None for line in lines)
    if "](" in sample.head:
        signs += len(_LINK.findall(sample.head))
    signs += sample.head.count("**") // 2
    return signs >= max(SIGNS_MIN, SIGNS_SHARE * len(lines))
