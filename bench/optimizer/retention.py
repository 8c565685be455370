"""Count which facts of a conversation are still in the prompt that goes upstream.

Retention is lexical: a fact counts as kept when its characters are in the prompt. That a model
still finds and understands it is not shown.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
import orjson

from bench.optimizer.conversation import SINGLE, Conversation, Facts, parts_of, prompt_text, text_of

ROW_WINDOWS_CHARS = (600, 1_200, 2_400)
"""How far a row's value may stand from its key: the first of these that fits the original."""
LEAF_CHARS_MIN = 6
"""Shorter scalars without punctuation must stand alone, or any other number would hold them."""

_FENCED_JSON = re.compile(r"```(?:json)?\n(.*?)\n```", re.DOTALL | re.IGNORECASE)
_NOT_A_WORD = re.compile(r"\W+")
_LEAF = re.compile(r'[^\s"\[\]{},:|;=<>()]+')
_LITERAL_LIKE = re.compile(r"-?\d[\d.eE+-]*|true|false|null")
_decode_raw = msgspec.json.Decoder(msgspec.Raw).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

Check = tuple[str, str, Callable[["Prompt"], tuple[int, int]]]
"""Kind, the fact in short, and the test: (kept, total) of a prompt."""


class Prompt:
    """A prompt's text in the forms that facts are looked up in, each made when first asked for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._plain: str | None = None
        self._leaves: frozenset[str] | None = None

    @property
    def plain(self) -> str:
        """Lower-case words with one space between, before and behind."""
        if self._plain is None:
            self._plain = f" {plain(self.text)} "
        return self._plain

    @property
    def leaves(self) -> frozenset[str]:
        """Everything that stands alone between JSON's or a table's punctuation."""
        if self._leaves is None:
            self._leaves = frozenset(_LEAF.findall(self.text))
        return self._leaves

    def holds(self, fact: str) -> bool:
        """Return whether `fact` is there, as it is or escaped as in a JSON string."""
        return any(form in self.text for form in _forms(fact))

    def holds_row(self, key: str, value: str, window_chars: int) -> bool:
        """Return whether `value` stands within `window_chars` of some place of `key`."""
        values = _forms(value)
        for form in _forms(key):
            at = self.text.find(form)
            while at >= 0:
                near = self.text[max(0, at - window_chars) : at + len(form) + window_chars]
                if any(one in near for one in values):
                    return True
                at = self.text.find(form, at + 1)
        return False

    def holds_leaf(self, leaf: str) -> bool:
        """Return whether a JSON scalar is there."""
        if leaf in self.leaves:
            return True
        is_distinct = len(leaf) >= LEAF_CHARS_MIN or _NOT_A_WORD.search(leaf) is not None
        return is_distinct and self.holds(leaf)

    def is_string(self, leaf: str) -> bool:
        """Return whether `leaf` stands in quotes somewhere."""
        return f'"{leaf}"' in self.text or f'\\"{leaf}\\"' in self.text


class Retention:
    """The checks of one conversation, made of the facts that its own requests hold."""

    def __init__(self, conversation: Conversation) -> None:
        self._mode = conversation.mode
        requests = list(conversation.requests())
        self.last = requests[-1][0] if requests else 0
        # A loop's general facts are looked for in its longest request.
        whole = Prompt(prompt_text(conversation.messages[: self.last]))
        self._general = [
            check
            for check in _general_checks(conversation.must, whole, conversation.messages)
            if check[0] == "words" or check[2](whole)[0]
        ]
        self._turns: dict[int, list[Check]] = {}
        for turn, values in conversation.must.turns.items():
            before = Prompt(prompt_text(conversation.messages[: int(turn)]))
            self._turns[int(turn)] = [
                _needle("probes", value) for value in values if before.holds(value)
            ]

    def check(self, messages: list[dict[str, Any]], at: int) -> Iterator[tuple[str, str, int, int]]:
        """Yield (kind, fact, kept, total) for the request that ends before message `at`."""
        due: list[Check] = [] if self._mode == SINGLE else self._turns.get(at, [])
        if at == self.last:
            due = due + self._general
        if not due:
            return
        prompt = Prompt(prompt_text(messages))
        for kind, fact, test in due:
            kept, total = test(prompt)
            yield kind, fact, kept, total


def plain(text: str) -> str:
    """Return `text` in lower case, everything that is no letter or digit made one space."""
    return _NOT_A_WORD.sub(" ", text.lower()).strip()


def _forms(fact: str) -> set[str]:
    inside = orjson.dumps(fact).decode()[1:-1]
    ascii_only = inside.encode("ascii", "backslashreplace").decode()
    return {fact, inside, ascii_only}


def _needle(kind: str, fact: str) -> Check:
    return kind, fact, lambda prompt: (int(prompt.holds(fact)), 1)


def _general_checks(facts: Facts, whole: Prompt, messages: list[dict[str, Any]]) -> Iterator[Check]:
    for alternatives in facts.answers:
        yield "answers", alternatives[0], _answer(alternatives)
    for needle in facts.needles:
        yield _needle("needles", needle)
    for outlier in facts.outliers:
        yield _needle("outliers", outlier)
    for span in facts.spans:
        yield "spans", span, _answer([span])
    if facts.words:
        yield "words", "", _words(facts.words)
    for key, value in facts.rows:
        yield from _row(key, value, whole)
    if facts.leaves or facts.types:
        yield from _leaf_checks(facts, messages)


def _answer(alternatives: Iterable[str]) -> Callable[[Prompt], tuple[int, int]]:
    wanted = [plain(one) for one in alternatives]
    return lambda prompt: (int(any(one in prompt.plain for one in wanted)), 1)


def _words(text: str) -> Callable[[Prompt], tuple[int, int]]:
    wanted = Counter(plain(text).split())

    def count(prompt: Prompt) -> tuple[int, int]:
        found = Counter(prompt.plain.split())
        return sum(min(n, found[word]) for word, n in wanted.items()), wanted.total()

    return count


def _row(key: str, value: str, whole: Prompt) -> Iterator[Check]:
    for window in ROW_WINDOWS_CHARS:
        if whole.holds_row(key, value, window):
            yield "rows", f"{key} -> {value}", _near(key, value, window)
            return


def _near(key: str, value: str, window_chars: int) -> Callable[[Prompt], tuple[int, int]]:
    return lambda prompt: (int(prompt.holds_row(key, value, window_chars)), 1)


def _leaf_checks(facts: Facts, messages: list[dict[str, Any]]) -> Iterator[Check]:
    strings: dict[str, bool] = {}
    for document in _documents(messages):
        for leaf, is_string in _leaves(document):
            strings[leaf] = strings.get(leaf, False) or is_string
    for leaf, is_string in strings.items():
        if facts.leaves:
            yield "leaves", leaf, _leaf(leaf)
        if facts.types and is_string and _LITERAL_LIKE.fullmatch(leaf):
            yield "types", leaf, _string(leaf)


def _leaf(leaf: str) -> Callable[[Prompt], tuple[int, int]]:
    return lambda prompt: (int(prompt.holds_leaf(leaf)), 1)


def _string(leaf: str) -> Callable[[Prompt], tuple[int, int]]:
    return lambda prompt: (int(prompt.is_string(leaf)), 1)


def _documents(messages: list[dict[str, Any]]) -> Iterator[bytes]:
    """Yield the JSON documents among texts: a whole text, or a fence in it."""
    for message in messages:
        for part in parts_of(message.get("content")):
            text = text_of(part)
            for candidate in (text, *_FENCED_JSON.findall(text)):
                stripped = candidate.strip()
                if stripped[:1] in ("{", "["):
                    yield stripped.encode("utf-8", "surrogatepass")


def _leaves(document: bytes) -> Iterator[tuple[str, bool]]:
    """Yield (text, whether it is a string) of every scalar; numbers as they are written."""
    try:
        pending = [bytes(_decode_raw(document))]
        while pending:
            raw = pending.pop().strip()
            start = raw[:1]
            if start == b"{":
                pending += [bytes(item) for item in _decode_members(raw).values()]
            elif start == b"[":
                pending += [bytes(item) for item in _decode_list(raw)]
            elif start != b'"':
                yield raw.decode(), False
            elif (text := msgspec.json.decode(raw, type=str)).strip():
                yield text, True
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
