"""What is answered, before any dialect: texts, tool calls and token counts, all by the seed."""

from __future__ import annotations

import random
import re
from enum import Enum
from typing import Any, NamedTuple

import orjson

from korad.domain.value import value
from korad.simulator.schema import example_of
from korad.simulator.script import Script
from korad.simulator.words import VOCABULARY, Count, split_tokens

GREETING = "Hello! This is a simulated demo answer."
DEMO_OPENING = "This is a simulated demo answer from korad: no provider was called."
DEMO_REMAINDER = (
    "Set the key of a provider and name one of its models to get an answer from a real one."
)
COUNT_MAX = 1000
"""The demo counts no further than this."""

_GREETING_PROMPT = re.compile(r"\s*(?:hello|hi)\b", re.IGNORECASE)
_COUNT_PROMPT = re.compile(r"\bcount (?:from 1 )?to (\d{1,4})\b", re.IGNORECASE)
_NAME_WORD = re.compile(r"[^\W\d_]{3,}")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_COMMON_WORDS = frozenset(("all", "and", "any", "for", "get", "new", "run", "set", "the", "use"))
"""Words that say nothing of what a tool is for."""
_MADE_UP_TOKENS = (12, 40)


class Finish(Enum):
    """Why an answer ended; each dialect has its own word for it."""

    STOP = "stop"
    STOP_SEQUENCE = "stop_sequence"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"


@value
class Tool:
    """A tool the request declares."""

    name: str
    schema: Any


@value
class Ask:
    """What a request comes down to, in any dialect."""

    model: str
    stream: bool
    prompt_tokens: int
    last_user_text: str
    include_usage: bool = True
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    choices: int = 1
    schema: Any = None
    """JSON schema the answer must satisfy, or None."""
    forced_tool: Tool | None = None
    """The tool the answer must call, or None."""
    offered_tools: tuple[Tool, ...] = ()
    """Tools the answer may call: those of a request that does not bring their results."""
    top_logprobs: int | None = None
    """How many alternatives each token is told with; None: no log probabilities at all."""
    thinking: bool = False
    service_tier: str | None = None


class Piece(NamedTuple):
    """A part of the answer that one streamed event carries."""

    text: str
    sent_tokens: int
    """Tokens of the whole answer up to and with this piece."""


@value
class Call:
    """One tool call."""

    name: str
    arguments: str
    """JSON text, or "" for a call without any."""
    pieces: list[Piece]


@value
class Choice:
    """One of the answers to a request."""

    reasoning: list[Piece]
    text: list[Piece]
    calls: list[Call]
    finish: Finish
    stop_sequence: str | None = None


@value
class Answer:
    """All that a dialect has to put into its own shape."""

    choices: list[Choice]
    completion_tokens: int
    reasoning_tokens: int


@value
class _Draft:
    reasoning: str
    text: str
    calls: list[tuple[str, str]]
    finish: Finish
    stop_sequence: str | None


def compose(ask: Ask, script: Script, *, seed: int, demo: bool, count: Count) -> Answer:
    """Return the answer to `ask`: the same for the same seed, model and last user message."""
    drafts = [
        _draft(ask, script, index, seed=seed, demo=demo, count=count)
        for index in range(ask.choices)
    ]
    tokens = sum(_tokens_of(draft, count) for draft in drafts)
    if script.completion_tokens is not None:
        tokens = script.completion_tokens
        if ask.max_tokens is not None:
            tokens = min(tokens, ask.max_tokens)
    scale = _Scale(drafts, script.chunk_tokens, tokens)
    return Answer(
        choices=[scale.choice(draft) for draft in drafts],
        completion_tokens=tokens,
        reasoning_tokens=sum(count(draft.reasoning) for draft in drafts),
    )


def joined(pieces: list[Piece]) -> str:
    """Return the text that `pieces` make."""
    return "".join([piece.text for piece in pieces])


def _tokens_of(draft: _Draft, count: Count) -> int:
    calls = sum(count(name) + count(arguments) for name, arguments in draft.calls)
    return count(draft.reasoning) + count(draft.text) + calls


def _draft(ask: Ask, script: Script, index: int, *, seed: int, demo: bool, count: Count) -> _Draft:
    chance = random.Random(f"{seed}/{index}/{ask.model}/{ask.last_user_text}")  # noqa: S311 - not a secret
    reasoning = script.reasoning or ""
    if ask.thinking and not reasoning:
        reasoning = _made_up(chance, 8)
    calls = script.tool_calls
    tool = ask.forced_tool or (_tool_spoken_of(ask) if demo else None)
    if calls is None and tool is not None:
        arguments = orjson.dumps(example_of(tool.schema)).decode()
        calls = [(tool.name, arguments)]
    if calls:
        return _Draft(
            reasoning=reasoning,
            text=script.text or "",
            calls=[(name, arguments) for name, arguments in calls],
            finish=Finish.TOOL_CALLS,
            stop_sequence=None,
        )
    wanted_tokens = script.completion_tokens
    if wanted_tokens is not None:
        wanted_tokens = max(0, wanted_tokens // ask.choices - count(reasoning))
    text = _text(ask, script, chance, wanted_tokens, demo=demo)
    text, stop_sequence = _cut_at_stop(text, ask.stop)
    finish = Finish.STOP if stop_sequence is None else Finish.STOP_SEQUENCE
    if ask.max_tokens is not None:
        budget = max(0, ask.max_tokens - count(reasoning))
        pieces = split_tokens(text)
        if len(pieces) > budget:
            text, finish, stop_sequence = "".join(pieces[:budget]), Finish.LENGTH, None
    return _Draft(
        reasoning=reasoning, text=text, calls=[], finish=finish, stop_sequence=stop_sequence
    )


def _tool_spoken_of(ask: Ask) -> Tool | None:
    """Return the first offered tool of whose name a word stands in the prompt: `get_weather`."""
    said = set(_NAME_WORD.findall(ask.last_user_text.lower()))
    for tool in ask.offered_tools:
        name = _HUMP.sub("_", tool.name).lower()
        if said.intersection(_NAME_WORD.findall(name)) - _COMMON_WORDS:
            return tool
    return None


def _text(
    ask: Ask, script: Script, chance: random.Random, wanted_tokens: int | None, *, demo: bool
) -> str:
    if script.text is not None:
        return script.text
    if ask.schema is not None:
        return orjson.dumps(example_of(ask.schema)).decode()
    if demo:
        return _demo_text(ask.last_user_text)
    return _made_up(
        chance, chance.randint(*_MADE_UP_TOKENS) if wanted_tokens is None else wanted_tokens
    )


def _demo_text(prompt: str) -> str:
    if _GREETING_PROMPT.match(prompt):
        return GREETING
    counting = _COUNT_PROMPT.search(prompt)
    if counting is None:
        return f"{DEMO_OPENING} {DEMO_REMAINDER}"
    last = min(int(counting[1]), COUNT_MAX)
    return f"{DEMO_OPENING} {', '.join(map(str, range(1, last + 1)))}."


def _made_up(chance: random.Random, tokens: int) -> str:
    return " ".join(chance.choices(VOCABULARY, k=tokens))


def _cut_at_stop(text: str, stops: tuple[str, ...]) -> tuple[str, str | None]:
    found = [(text.index(stop), stop) for stop in stops if stop and stop in text]
    if not found:
        return text, None
    position, stop = min(found)
    return text[:position], stop


class _Scale:
    """Cuts drafts into pieces that know how many of the answer's tokens they complete."""

    def __init__(self, drafts: list[_Draft], chunk_tokens: int, tokens: int) -> None:
        self._chunk_tokens = chunk_tokens
        self._tokens = tokens
        self._weight = 0
        self._weight_total = sum(len(split_tokens(text)) for d in drafts for text in _texts(d)) or 1

    def choice(self, draft: _Draft) -> Choice:
        """Return `draft` in pieces; drafts come in the order they are sent in."""
        return Choice(
            reasoning=self._pieces(draft.reasoning),
            text=self._pieces(draft.text),
            calls=[self._call(name, arguments) for name, arguments in draft.calls],
            finish=draft.finish,
            stop_sequence=draft.stop_sequence,
        )

    def _call(self, name: str, arguments: str) -> Call:
        self._weight += len(split_tokens(name))
        return Call(name=name, arguments=arguments, pieces=self._pieces(arguments))

    def _pieces(self, text: str) -> list[Piece]:
        pieces = []
        for piece in split_tokens(text, self._chunk_tokens):
            self._weight += len(split_tokens(piece))
            pieces.append(Piece(piece, self._tokens * self._weight // self._weight_total))
        return pieces


def _texts(draft: _Draft) -> list[str]:
    return [draft.reasoning, draft.text, *[part for call in draft.calls for part in call]]
