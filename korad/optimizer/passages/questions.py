"""What a list of passages was fetched for: the question that says which of them are near."""

from __future__ import annotations

import re
from collections.abc import Sequence

from korad.optimizer.base import TOOL, Block
from korad.optimizer.passages.passage import Passage
from korad.optimizer.passages.terms import terms_of

_MOST_QUESTION_CHARS = 1_500
_END_CHARS = 4_000
_FENCES = ("```", "~~~")

_MARKED = re.compile(
    r"(?:^|\n)[ \t*#]{0,8}(?:user )?(?:question|query|q)\*{0,3}:[ \t*]{0,8}\n?([^\n]+)",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"[?\uff1f\u00bf]|\b(?:answer|tell me|explain|find out|let me know|(?:need|want) to know)\b"
    r"|(?:^|[\n.:!]) ?(?:please )?(?:who|whom|whose|what|when|where|which|why|how|is|are|was|were"
    r"|do|does|did|can|could|should|would|find|give|show|name|describe|look up|identify|define|say"
    r"|determine|wer|was|wann|wo|welche[rsmn]?|warum|wie|qui|que|quand|o\u00f9|quel(?:le)?s?"
    r"|pourquoi|comment|qui\u00e9n|qu\u00e9|cu\u00e1ndo|d\u00f3nde|cu\u00e1l|c\u00f3mo|chi|cosa|quando"
    r"|dove|quale|perch\u00e9|come)\b",
    re.IGNORECASE,
)
_LATER = re.compile(
    r"\b(?:i(?:'ll| will| am going to|'m going to| want to| would like to|'d like to)"
    r" (?:then )?ask|next message|before i ask|my questions? (?:will )?(?:follow|come)"
    r"|questions? (?:later|follow|to follow|about (?:them|it|these) (?:later|next))"
    r"|(?:just |only )?(?:reply|respond|answer|say) (?:with )?[\"'`]?(?:ok\b|okay|ready|understood"
    r"|done)|remember (?:these|this|them)|read (?:these|this|them) (?:first|carefully)[.!]?$)",
    re.IGNORECASE | re.MULTILINE,
)
"""The question itself comes in a later message."""
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
_ONE = "(?:document|passage|result|snippet|excerpt|chunk)"
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
    r"|(?:documents|passages|sources|results|snippets|excerpts)))\b"
    # One of them, by its place.
    rf"|\b(?:first|second|third|fourth|fifth|sixth|last|\d{{1,3}}(?:st|nd|rd|th)) {_ONE}\b"
    rf"|\b{_ONE}s? (?:#|no\.? |number )?\d",
    re.IGNORECASE,
)
"""Questions that no part of the list may be missing for."""
_ANSWER_FROM = re.compile(
    r"\banswer(?:(?: the| my| this)?(?: following| user's)? (?:question|query))?"
    r"(?: only| strictly| solely)?,? (?:from|using|with|based on|based only on)(?: only| just)?"
    r" (?:these|those)\b",
    re.IGNORECASE,
)
"""Says where one answer stands, not that all of it is wanted."""
_ABOUT_JSON = re.compile(
    r"\b(?:json|schema|parse[drs]?|parsing|arrays?|regex|jq|validat\w{1,6}|python|javascript"
    r"|typescript|malformed|missing|duplicates?)\b",
    re.IGNORECASE,
)
"""Questions about a document as data."""
_EACH_FIRST = re.compile(
    r"(?:^|[\n.!:;]) ?(?:please |now |then |first,? )?(?:(?:summari[sz]e|translate|compare|contrast"
    r"|list|rank|sort|group|classify|label|extract|rewrite|review)\b[^.?!\n]{0,40}?|for) "
    r"(?:each|every|all|these|the)(?: of)?(?: the| these)? "
    r"(?:documents?|passages?|results?|snippets?|excerpts?|chunks?|articles?|texts?)\b",
    re.IGNORECASE,
)
"""An order beside the question. How the answer shall look tells nothing of the list."""


def question_for(block: Block, passages: Sequence[Passage], words: str) -> str:
    """Return what the list was fetched for, "" if nothing says it.

    `words` are what the user says elsewhere in the message.
    """
    if block.role == TOOL:
        return f"{_ends(block.question)}\n{block.call[:_MOST_QUESTION_CHARS]}"
    before, after = block.text[: passages[0].start], block.text[passages[-1].end :]
    marked = _MARKED.search(after) or _MARKED.search(before) or _MARKED.search(words)
    if marked:
        return marked[1][:_MOST_QUESTION_CHARS]
    half = f"{before.strip()[-_MOST_QUESTION_CHARS:]}\n{after.strip()[-_MOST_QUESTION_CHARS:]}"
    for said in (half, words):
        if len(said) <= 2 * _MOST_QUESTION_CHARS and _asks(said) and terms_of(said):
            return said
    return ""


def wants_all(block: Block, passages: Sequence[Passage], question: str, words: str) -> bool:
    """Tell whether what is asked is about the whole list, of which no part may be missing."""
    if _WANTS_ALL.search(_ANSWER_FROM.sub("", question)):
        return True
    if block.role == TOOL:
        return False
    before, after = block.text[: passages[0].start], block.text[passages[-1].end :]
    said = (before[-_MOST_QUESTION_CHARS:], after[-_MOST_QUESTION_CHARS:], words)
    return any(map(_EACH_FIRST.search, said))


def is_about_json(block: Block, question: str) -> bool:
    """Tell whether a question to a list in JSON may be about its form."""
    # A call names the form it wants.
    return bool(_ABOUT_JSON.search(_ends(block.question) if block.role == TOOL else question))


def words_elsewhere(block: Block) -> str:
    """Return what a user says in the message, but for what stands in the block itself."""
    if block.role == TOOL or not block.question or block.question == block.text:
        return ""
    # Of a long message the ends are what the question holds.
    ends = f"{block.text[:_END_CHARS]}\n{block.text[-_END_CHARS:]}"
    own = set(ends.split("\n"))
    lines = [line for line in block.question.split("\n") if line not in own]
    # A fence's language is no word of the user's.
    lines = [line for line in lines if not line.lstrip().startswith(_FENCES)]
    lines = [line for line in lines if line.strip() not in ends]
    if not lines:
        return ""
    # White space may have gone from the block's text, and only that may.
    known = _squeezed(ends)
    return "\n".join(line for line in lines if _squeezed(line) not in known)


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _asks(words: str) -> bool:
    return bool(_ASKS.search(words)) and not _LATER.search(words)


def _ends(question: str) -> str:
    """Return a question, of a long one its ends: between stands pasted text."""
    if len(question) <= _MOST_QUESTION_CHARS:
        return question
    half = _MOST_QUESTION_CHARS // 2
    return f"{question[:half]}\n{question[-half:]}"
