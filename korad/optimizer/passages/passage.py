"""What a passage of a list is: where it stands in its text."""

from __future__ import annotations

from typing import NamedTuple

LEAST_PASSAGES = 4
"""Shorter lists are not worth choosing from."""
MOST_PASSAGES = 2_000


class Passage(NamedTuple):
    """Where a passage stands in its text: `text[start:end]`; its own words are `text[body:close]`.

    What stands before them (a label, a title, a tag) and after them (end tags, the rest of a JSON
    object) stays whenever a part of the passage does.
    """

    start: int
    body: int
    close: int
    end: int
