"""Which words of a parameter's description change how a call is written.

Kept are allowed values, formats, units, defaults and duties. What the schema says itself (the same
values in `enum`, the same `default`, true and false of a boolean) need not be said twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

Members = Mapping[str, msgspec.Raw]
"""A schema's members, each as written."""

_LONGEST_CHARS = 4_000
_ENGLISH = re.compile(r"\b(?:the|of|to|is|are|and|this|with)\b", re.IGNORECASE)
_SENTENCE_END = re.compile(
    r"""[.!?](?<!\be\.g\.)(?<!\bi\.e\.)(?<!\betc\.)(?<!\bvs\.)(?<!\bcf\.)(?<!\bapprox\.)
        (?<!\bincl\.)(?<!\bNo\.)(?<!\b[A-Za-z]\.)['")\]]*(?:\s++|$)(?![a-z0-9])
        |\n\s*+""",
    re.VERBOSE,
)
_CHANGES_THE_CALL = re.compile(
    r"""["'`\d\[{<%]|\b(?:must|shall|has\ to|have\ to|should|required?s?|only|never|always|not
        |cannot|don't|without|defaults?|omit\w*|empty|null|none|true|false|if|unless|when|either
        |formats?|formatted|units?|values|options|one\ of|choose|choices|accepts?|allowed|valid
        |support\w*|e\.g|i\.e|such\ as|could\ be|can\ be|separated|between|range|at\ least
        |at\ most|up\ to|max\w*|min\w*|limit\w*|than|(?:in|ex)clusive|ISO|UTC|RFC|UTF|JSON|regex
        |(?:milli)?seconds?|minutes?|hours?|days?|bytes?|(?:kilo)?met(?:er|re)s?|degrees?|percent\w*
        |currency|(?:upper|lower)\W?case|capital\w*|prefix\w*|suffix\w*|absolute|relative)\b""",
    re.VERBOSE | re.IGNORECASE,
)
_QUOTED = re.compile(r"""(?<!\w)(["'`])(.+?)\1(?!\w)""")
_LISTS_VALUES = re.compile(
    r"""(?:the|possible|valid|allowed|supported|accepted|available|values?|options?|choices?|choose
        |from|one|of|can|could|may|must|should|be|are|is|include|either|and|or|\W)+""",
    re.VERBOSE | re.IGNORECASE,
)
_OF_BOOLEAN = re.compile(r"\b(?:true|false)\b", re.IGNORECASE)
_DUTY = re.compile(r"\b(?:must|only|never|always|cannot|required?s?|unless)\b", re.IGNORECASE)
_NO_FILTER = re.compile(
    r"(?:if|when)\s+(?:not\s+(?:specified|provided|given|set)|unspecified|omitted|empty)\b[^.]*"
    r"\b(?:all|any|every)\b",
    re.IGNORECASE,
)
_EXAMPLE = re.compile(r"(?:for example|examples?)\b", re.IGNORECASE)
_SAYS_DEFAULT = re.compile(r"\bdefaults?(?: value)?(?: is| to|:)? (-?\w+(?:\.\d+)?)", re.IGNORECASE)
_LIST = r"'[^']+'(?:,? (?:(?:or|and) )?'[^']+')*"
_EXAMPLES = re.compile(
    rf"(?:,? (?:such as|for example,|e\.g\.,?|like) {_LIST}| \((?:such as|e\.g\.,?) {_LIST}\))"
)
_MORE_EXAMPLES = re.compile(
    r"((?:such as|for example,|e\.g\.,?|like) '[^']+')(?:,? (?:(?:or|and) )?'[^']+')+"
)
_ARTICLE = re.compile(r"\A(?:The|An?) ([a-z])")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_FILLER = re.compile(
    r"(?:the|an?|of|to|for|in|on|at|by|with|from|and|or|which|that|this|is|are|be|being|been|was"
    r"|will|its?|as|whose|where|desired|specified|given|used|parameter)",
    re.IGNORECASE,
)
_STEM_CHARS = 5
_FORMAT = re.compile(
    r"\b(?:(?:[YMDHhms]{2,4}[-/:.T ])+[YMDHhms]{2,4}|[YMD]{6,8}|(?:ISO|RFC)[- ]?\d+|E\.164)\b"
)
_CLAUSE_END = re.compile(r"[.,;:(\n]")
_REPEATING_CHARS = 80
"""A longer description says more than the names do."""
_TELLING_CHARS = 4
_CLAUSE_CHARS = 60


def needed_sentences(text: str, members: Members) -> str:
    """Keep the first sentence and those that say how a value must look.

    What is not English stays whole: which of its words matter is not known here.
    """
    if len(text) > _LONGEST_CHARS or not text.isascii() or not _ENGLISH.search(text):
        return text
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    spans = list(zip([0, *ends], [*ends, len(text)], strict=True))
    first, later = text[: spans[0][1]], [text[a:b] for a, b in spans[1:]]
    kept = [sentence for sentence in later if _is_needed(sentence.strip(), first, members)]
    lean = _ARTICLE.sub(lambda match: match.group(1).upper(), _lean_examples(first, members))
    if lean == first and len(kept) == len(later):
        return text
    return (lean + "".join(kept)).rstrip()


def _lean_examples(sentence: str, members: Members) -> str:
    """Leave out examples that show what the schema or the sentence spells out."""
    if "'" not in sentence:
        return sentence
    if "enum" in members:
        enum = members["enum"]
        return _EXAMPLES.sub(
            lambda match: "" if _all_in(match.group(), enum) else match.group(), sentence
        )
    if _FORMAT.search(sentence):
        return _EXAMPLES.sub("", sentence)
    # An example shows a format that is described; a second one shows nothing new.
    return _MORE_EXAMPLES.sub(r"\1", sentence) if "format" in sentence else sentence


def _is_needed(sentence: str, first: str, members: Members) -> bool:
    """Tell whether a later sentence says something that neither the first nor the schema says."""
    if not _CHANGES_THE_CALL.search(sentence) or _NO_FILTER.match(sentence):
        return False
    if _DUTY.search(sentence):
        return True
    if _EXAMPLE.match(sentence):
        return not _QUOTED.search(first)
    if bytes(members.get("type", b"")) == b'"boolean"' and _OF_BOOLEAN.search(sentence):
        return False
    if "default" in members and _explains_default(sentence, bytes(members["default"])):
        return False
    return "enum" not in members or not _lists_only(sentence, members["enum"])


def _explains_default(sentence: str, default: bytes) -> bool:
    """Tell whether a sentence names no other value than the one a caller gets by saying nothing."""
    value = default.decode().strip('"')
    quoted = {match.group(2).rstrip(",.") for match in _QUOTED.finditer(sentence)}
    if quoted:
        return quoted == {value}
    of_default = _SAYS_DEFAULT.search(sentence)
    return of_default is not None and of_default.group(1) == value


def _lists_only(sentence: str, enum: msgspec.Raw) -> bool:
    """Tell whether a sentence only lists values that the schema's `enum` lists too."""
    return _all_in(sentence, enum) and bool(_LISTS_VALUES.fullmatch(_QUOTED.sub("", sentence)))


def _all_in(text: str, enum: msgspec.Raw) -> bool:
    """Tell whether a text quotes values, and only such as stand in `enum`."""
    allowed = bytes(enum).decode()
    values = [match.group(2) for match in _QUOTED.finditer(text)]
    return bool(values) and all(f'"{value.rstrip(",.")}"' in allowed for value in values)


def in_brief(text: str, name: str, members: Members) -> str:
    """Keep the formats a description spells out, or what a very short name leaves open."""
    formats = list(dict.fromkeys(match.group() for match in _FORMAT.finditer(text)))
    if formats:
        return ", ".join(formats)
    is_text = bytes(members.get("type", b"")) == b'"string"'
    if len(name) >= _TELLING_CHARS or "enum" in members or not is_text:
        return ""
    return _CLAUSE_END.split(text.lstrip(), maxsplit=1)[0][:_CLAUSE_CHARS].strip()


def stems_of(text: str) -> frozenset[str]:
    """Return the beginnings of the words that mean something in a name or a sentence."""
    words = [word for word in _WORD.findall(text) if not _FILLER.fullmatch(word)]
    return frozenset(word[:_STEM_CHARS].lower() for word in words)


def only_repeats(text: str, stems: frozenset[str]) -> bool:
    """Tell whether a description says nothing but the words whose stems are given."""
    if len(text) > _REPEATING_CHARS or not text.isascii() or _CHANGES_THE_CALL.search(text):
        return False
    return stems_of(text) <= stems
