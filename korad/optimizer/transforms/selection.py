"""Passage selection: of a list of retrieved passages, keep those nearest to the question.

At high whole passages are left out, the farthest first; what is kept is verbatim, in order and
under its label. At extreme the nearest sentences of the nearest passages are kept. Where no word
tells which are near, all stay.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence

from korad.optimizer.base import EXTREME, HIGH, Block, Transform, note
from korad.optimizer.passages.json_lists import find_json_passages, readable
from korad.optimizer.passages.lists import find_passages
from korad.optimizer.passages.marks import without_names
from korad.optimizer.passages.passage import Passage
from korad.optimizer.passages.questions import (
    is_about_json,
    question_for,
    wants_all,
    words_elsewhere,
)
from korad.optimizer.passages.relevance import Scores, score
from korad.optimizer.passages.terms import terms_of

LEAST_CHARS = 4096
_DROP_HIGH, _KEEP_EXTREME = 0.325, 0.33
"""Shares of the text: left out at least, kept at most."""
_NEAR_EXTREME = 0.6
"""Share of the text, the nearest passages, whose sentences are looked at: the rest rarely wins."""
_MOST_OVER = 1.15
_LEAST_KEPT = 3
_PASSAGE_SHARE, _FIRST_BONUS, _SHAPE_BONUS = 0.5, 0.3, 1.0
_CUT = "[...]"
_CUT_WORDS = f"only the sentences nearest to the question are kept, {_CUT} marks the others"
_CUT_CHARS = len(_CUT) + 1
_NOTE_CHARS = len(note("10 passages left out"))

# One set of signs first: the engine then searches for them instead of trying each character.
_SENTENCE = re.compile(r"[.!?\n][\"”)\]\s]{0,20}(?<=\s)(?:(?<=\n)|(?=[\"“(\[]?[A-Z0-9]))")
_JSON_SENTENCE = re.compile(
    r"(?:[.!?](?:\\\"|[”)\]])?\s{1,8}|(?:\\[nr]){1,8}\s{0,20})(?=(?:\\\"|[“(\[])?[A-Z0-9]|\\u)"
)
"""The same where line ends and quotation marks are escaped."""

Kept = dict[int, list[tuple[int, int]]]
"""The passages that stay, and the spans of each; []: all of it."""


def select_passages(block: Block) -> str:
    """Return the text with the passages farthest from its question left out."""
    text = block.text
    if len(text) < LEAST_CHARS:
        return text
    words = words_elsewhere(block)
    passages = find_json_passages(block, words)
    is_json = bool(passages)
    if not is_json:
        passages = find_passages(text, block.role, block.call, block.fence, words)
    if not passages:
        return text
    question = question_for(block, passages, words)
    terms = terms_of(question)
    if not terms or wants_all(block, passages, question, words):
        return text
    if is_json and is_about_json(block, question):
        return text
    plain = readable(text) if is_json else without_names(text)
    scores = score(plain, passages, question, terms)
    if not any(scores.passages) or (not scores.is_shared and block.level < EXTREME):
        return text
    if block.level >= EXTREME:
        kept = _near_sentences(text, passages, scores, _JSON_SENTENCE if is_json else _SENTENCE)
    else:
        kept = _near_passages(text, passages, scores.passages)
    return _join(text, passages, kept, note_of=_quoted if is_json else note) if kept else text


def _quoted(words: str) -> str:
    """Return a note as a JSON string: an element of its own, so that the JSON stays whole."""
    return f'"{note(words)}"'


def _near_passages(text: str, passages: Sequence[Passage], scores: Sequence[float]) -> Kept:
    """Return all passages but the farthest, which make up the share left out at high."""
    order = sorted(range(len(passages)), key=lambda one: (scores[one], -one))[:-_LEAST_KEPT]
    wanted = _DROP_HIGH * len(text)
    dropped: set[int] = set()
    saved = 0
    # A long passage is passed over while shorter ones bring the saving nearer to what is wanted.
    for most in (wanted * _MOST_OVER, float("inf")):
        for number in order:
            if saved >= wanted:
                break
            gain = passages[number].end - passages[number].start - _NOTE_CHARS
            gain += _NOTE_CHARS * ((number - 1 in dropped) + (number + 1 in dropped))
            if number not in dropped and 0 < gain <= most - saved:
                dropped.add(number)
                saved += gain
    return {one: [] for one in range(len(passages)) if one not in dropped}


def _near_sentences(
    text: str, passages: Sequence[Passage], scores: Scores, pattern: re.Pattern[str]
) -> Kept:
    """Return the best sentences that fit into the share kept at extreme."""
    near = _nearest(passages, scores.passages, _NEAR_EXTREME * len(text))
    sentences = _sentences_of(text, passages, near, pattern)
    worth = _worth_of(text, sentences, scores)
    budget = _KEEP_EXTREME * len(text)
    budget -= sum(one.start - other.end for one, other in zip(passages[1:], passages, strict=False))
    kept: Kept = {}
    for index in sorted(range(len(sentences)), key=lambda one: (-worth[one], one)):
        number, start, end = sentences[index]
        passage = passages[number]
        around = passage.body - passage.start + passage.end - passage.close
        label = 0 if number in kept else around
        cost = end - start + label + _CUT_CHARS
        if cost <= budget:
            kept.setdefault(number, []).append((start, end))
            budget -= cost
    return kept


def _nearest(passages: Sequence[Passage], scores: Sequence[float], chars: float) -> list[int]:
    """Return the numbers of the best passages that together have `chars`, in order."""
    near = []
    for number in sorted(range(len(passages)), key=lambda one: (-scores[one], one)):
        if chars <= 0:
            break
        near.append(number)
        chars -= passages[number].end - passages[number].start
    return sorted(near)


def _sentences_of(
    text: str, passages: Sequence[Passage], numbers: Iterable[int], pattern: re.Pattern[str]
) -> list[tuple[int, int, int]]:
    """Return (passage, start, end) of each sentence in order; an end includes the space after."""
    found = []
    for number in numbers:
        passage = passages[number]
        start = passage.body
        for gap in pattern.finditer(text, start, passage.close):
            if gap.end() < passage.close:
                found.append((number, start, gap.end()))
                start = gap.end()
        if start < passage.close:
            found.append((number, start, passage.close))
    return found


def _worth_of(text: str, sentences: Sequence[tuple[int, int, int]], scores: Scores) -> list[float]:
    """Return how near each sentence is: its own terms, and a share of its passage's score."""
    starts = [start for _, start, _ in sentences]
    worth = []
    for index, (number, start, end) in enumerate(sentences):
        is_first = index == 0 or sentences[index - 1][0] != number
        looks_right = scores.shape is not None and scores.shape.search(text, start, end) is not None
        worth.append(
            _PASSAGE_SHARE * scores.passages[number]
            + _FIRST_BONUS * is_first
            + _SHAPE_BONUS * looks_right
        )
    # What a label says is in its passage's score, and is not said by the sentence before it.
    for index, _, weight in {
        (index, term, weight)
        for offset, term, weight in scores.hits
        if (index := bisect_right(starts, offset) - 1) >= 0 and offset < sentences[index][2]
    }:
        worth[index] += weight
    return worth


def _join(text: str, passages: Sequence[Passage], kept: Kept, note_of: Callable[[str], str]) -> str:
    """Return `text` with only the passages `kept`, and of those the spans given, [] for all."""
    pieces = [text[: passages[0].start]]
    if any(kept.values()):
        gap = "\n" if note_of is note else text[passages[0].end : passages[1].start]
        pieces.append(note_of(_CUT_WORDS) + gap)
    ends = [*(passage.start for passage in passages[1:]), len(text)]
    dropped = 0
    for number, (passage, end) in enumerate(zip(passages, ends, strict=True)):
        if number in kept:
            pieces += _spans(text, passage, kept[number])
        else:
            dropped += 1
            if number + 1 < len(passages) and number + 1 not in kept:
                continue
            pieces.append(note_of(f"{dropped} passage{'s' if dropped > 1 else ''} left out"))
            dropped = 0
        pieces.append(text[passage.end : end])
    return "".join(pieces)


def _spans(text: str, passage: Passage, spans: Iterable[tuple[int, int]]) -> list[str]:
    """Return the label and the chosen spans of a passage, a cut mark for every gap."""
    ordered = sorted(spans)
    if not ordered:
        return [text[passage.start : passage.end]]
    pieces, position = [text[passage.start : passage.body]], passage.body
    for start, end in ordered:
        if start > position:
            pieces.append(f"{_CUT} ")
        pieces.append(text[start:end])
        position = end
    if position < passage.close:
        space = "" if text[position - 1].isspace() else " "
        pieces.append(f"{space}{_CUT}")
    pieces.append(text[passage.close : passage.end])
    return pieces


SELECTION = Transform(name="Passage selection", level=HIGH, apply=select_passages, notes=True)
