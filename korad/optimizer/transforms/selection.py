"""Passage selection: of a list of retrieved passages, keep those nearest to the question.

At high whole passages are left out, the farthest first; what is kept is verbatim, in order and
under its label. At extreme the nearest sentences of the nearest passages are kept.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from korad.optimizer.base import EXTREME, HIGH, TOOL, Block, Transform, note
from korad.optimizer.passages.lists import Passage, find_passages
from korad.optimizer.passages.relevance import Scores, score, terms_of

LEAST_CHARS = 4096
_DROP_HIGH, _KEEP_EXTREME = 0.325, 0.33
"""Shares of the text: left out at least, kept at most."""
_NEAR_EXTREME = 0.6
"""Share of the text, the nearest passages, whose sentences are looked at: the rest rarely wins."""
_MOST_OVER = 1.15
_LEAST_KEPT = 3
_MOST_QUESTION_CHARS = 1500
_PASSAGE_SHARE, _FIRST_BONUS, _SHAPE_BONUS = 0.5, 0.3, 1.0
_CUT = "[...]"
_CUT_NOTE = note(f"only the sentences nearest to the question are kept, {_CUT} marks the others")
_CUT_CHARS = len(_CUT) + 1
_NOTE_CHARS = len(note("10 passages left out"))

_MARKED = re.compile(
    r"(?:^|\n)[ \t*#]{0,8}(?:user )?(?:question|query|q)\*{0,3}:[ \t*]{0,8}\n?([^\n]+)",
    re.IGNORECASE,
)
_TASKS = (
    "sort|(?<!in )order|arrange|organi[sz]e|group|cluster|categori[sz]e|tabulate|aggregate"
    "|consolidate|merge|combine|compare|contrast|convert|turn|translate|label|tag|annotate|score|grade|rate|evaluate"
    "|assess|review|reply|respond|answer|write|draft|make|create|build|generate|produce|prepare"
    "|show|list|name|find|extract|give|count|compute|calculate|identify|check"
)
_ALL = (
    "all|each|every|these|those|them|tous|toutes|chaque|ces|alle[nrs]?|jede[nrs]?|diese[nrs]?"
    "|todos|todas|cada|estos|estas|tutti|tutte|ogni|questi|queste"
)
_WANTS_ALL = re.compile(
    # An order that is about the whole list: by its verb, its object or the form it asks for.
    r"(?:^|[\n.!:;,] *)(?:please |now |then |and |can you |could you )?"
    r"(?:sort|arrange|organi[sz]e|group|cluster|categori[sz]e|tabulate|aggregate|consolidate|merge"
    r"|compare|contrast|convert)\b"
    rf"|\b(?:{_TASKS})\b[^.?!\n]{{0,80}}? (?:{_ALL})\b(?! time)"
    r"|\b(?:an?|as|into) (?:\w+ ){0,2}(?:table|csv|json|spreadsheet|timeline|bullet points)\b"
    r"|\b(?:total|combined|average|mean|median|sum) (?:\w+ ){0,3}(?:of|for|across|over)"
    rf" (?:the|{_ALL})\b"
    r"|\b(?:r[eé]sume\w*|zusammenfass\w*|zusammen\b|riassum\w*|traduis|traduce|traduci|übersetze)"
    r"|\b(?:summari[sz]\w*|summary|overview|re-?rank\w*|rank (?:the|these|them|each|all)|proofread"
    r"|translate (?:the|this|these|it|them|each|all)|rewrite|rephrase|classify|deduplicate|outline"
    r"|key points|main themes?|contradict\w*"
    r"|(?:each|every|all)(?: of)?(?: the| these)?"
    r" (?:documents?|passages?|sources?|results?|snippets?|excerpts?)"
    r"|how many (?:of (?:the|these|those|them)\b"
    r"|(?:documents|passages|sources|results|snippets|excerpts)))\b",
    re.IGNORECASE,
)
"""Questions that no part of the list may be missing for."""
# One set of signs first: the engine then searches for them instead of trying each character.
_SENTENCE = re.compile(r"[.!?\n][\"”)\]\s]{0,20}(?<=\s)(?:(?<=\n)|(?=[\"“(\[]?[A-Z0-9]))")

_END_TAG = re.compile(r"\s*</\w+>\Z")


def select_passages(block: Block) -> str:
    """Return the text with the passages farthest from its question left out."""
    text = block.text
    if len(text) < LEAST_CHARS:
        return text
    passages = find_passages(text, block.role, block.call, block.fence)
    if not passages:
        return text
    question = _question_of(block, passages)
    terms = terms_of(question)
    if not terms or _WANTS_ALL.search(question):
        return text
    scores = score(text, passages, question, terms)
    if not any(scores.passages):
        return text
    if block.level >= EXTREME:
        return _keep_sentences(text, passages, scores)
    return _keep_whole(text, passages, scores.passages)


def _question_of(block: Block, passages: Sequence[Passage]) -> str:
    """Return what the list was fetched for, "" if nothing says it."""
    if block.role == TOOL:
        return f"{block.question[:_MOST_QUESTION_CHARS]}\n{block.call[:_MOST_QUESTION_CHARS]}"
    before, after = block.text[: passages[0].start], block.text[passages[-1].end :]
    marked = _MARKED.search(after) or _MARKED.search(before)
    if marked:
        return marked[1][:_MOST_QUESTION_CHARS]
    beside = f"{before.strip()[-_MOST_QUESTION_CHARS:]}\n{after.strip()[-_MOST_QUESTION_CHARS:]}"
    if terms_of(beside):
        return beside
    return block.question if len(block.question) <= _MOST_QUESTION_CHARS else ""


def _keep_whole(text: str, passages: Sequence[Passage], scores: Sequence[float]) -> str:
    """Return `text` without the farthest passages that make up the share left out at high."""
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
    return _join(text, passages, {one: [] for one in range(len(passages)) if one not in dropped})


def _keep_sentences(text: str, passages: Sequence[Passage], scores: Scores) -> str:
    """Return `text` with the best sentences that fit into the share kept at extreme."""
    near = _nearest(passages, scores.passages, _NEAR_EXTREME * len(text))
    sentences = _sentences_of(text, passages, near)
    worth = _worth_of(text, sentences, scores)
    budget = _KEEP_EXTREME * len(text)
    budget -= sum(one.start - other.end for one, other in zip(passages[1:], passages, strict=False))
    kept: dict[int, list[tuple[int, int]]] = {}
    for index in sorted(range(len(sentences)), key=lambda one: (-worth[one], one)):
        number, start, end = sentences[index]
        passage = passages[number]
        label = 0 if number in kept else passage.body - passage.start
        cost = end - start + label + _CUT_CHARS
        if cost <= budget:
            kept.setdefault(number, []).append((start, end))
            budget -= cost
    return _join(text, passages, kept) if kept else text


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
    text: str, passages: Sequence[Passage], numbers: Iterable[int]
) -> list[tuple[int, int, int]]:
    """Return (passage, start, end) of each sentence in order; an end includes the space after."""
    found = []
    for number in numbers:
        passage = passages[number]
        start = passage.body
        for gap in _SENTENCE.finditer(text, start, passage.end):
            if gap.end() < passage.end:
                found.append((number, start, gap.end()))
                start = gap.end()
        if start < passage.end:
            found.append((number, start, passage.end))
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
    for index, _, weight in {
        (bisect_right(starts, offset) - 1, term, weight) for offset, term, weight in scores.hits
    }:
        if index >= 0:
            worth[index] += weight
    return worth


def _join(text: str, passages: Sequence[Passage], kept: dict[int, list[tuple[int, int]]]) -> str:
    """Return `text` with only the passages `kept`, and of those the spans given, [] for all."""
    pieces = [text[: passages[0].start], f"{_CUT_NOTE}\n" if any(kept.values()) else ""]
    ends = [*(passage.start for passage in passages[1:]), len(text)]
    dropped = 0
    for number, (passage, end) in enumerate(zip(passages, ends, strict=True)):
        if number in kept:
            pieces += _spans(text, passage, kept[number])
        else:
            dropped += 1
            if number + 1 < len(passages) and number + 1 not in kept:
                continue
            pieces.append(note(f"{dropped} passage{'s' if dropped > 1 else ''} left out"))
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
    if position < passage.end:
        space = "" if text[position - 1].isspace() else " "
        tag = _END_TAG.search(text, max(passage.body, passage.end - 40), passage.end)
        pieces.append(f"{space}{_CUT}{tag[0] if tag else ''}")
    return pieces


SELECTION = Transform(name="Passage selection", level=HIGH, apply=select_passages, notes=True)
