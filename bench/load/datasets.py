"""Conversations from files: OpenAI JSONL and ShareGPT JSON.

What cannot be used is counted and told, never dropped in silence.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson

from bench.load.plan import Prompts

Message = dict[str, Any]
Kind = Literal["openai_jsonl", "sharegpt"]
ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_SPEAKERS = {
    "human": "user", "user": "user", "gpt": "assistant", "chatgpt": "assistant",
    "bing": "assistant", "bard": "assistant", "assistant": "assistant", "system": "system",
}  # fmt: skip
"""ShareGPT's `from` to OpenAI's role; others have no counterpart."""
_ANSWERS = ("assistant",)


class DatasetError(Exception):
    """A file that cannot be read, or that holds nothing to send."""


class Dataset(NamedTuple):
    """What a file gave."""

    conversations: list[list[Message]]
    """Each ends with a message that an answer is due to."""
    bad: dict[str, int]
    """Reason to how many lines or conversations were left out for it."""

    @property
    def words(self) -> str:
        """One line for a person: what was read and what was not."""
        told = f"{len(self.conversations)} conversations"
        if not self.bad:
            return told
        reasons = ", ".join(f"{count} x {reason}" for reason, count in sorted(self.bad.items()))
        return f"{told}; left out {sum(self.bad.values())}: {reasons}"


class _BadConversationError(Exception):
    """Why one conversation is left out."""


def kind_of(path: Path) -> Kind:
    """Tell a file's kind by its first character: a JSON list is ShareGPT.

    Raises DatasetError.
    """
    try:
        with path.open("rb") as file:
            first = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    except OSError as error:
        raise DatasetError(f"{path}: {error.strerror}") from error
    return "sharegpt" if first == b"[" else "openai_jsonl"


def read_dataset(prompts: Prompts, base: Path) -> Dataset:
    """Return the conversations of `prompts.path`, which is relative to `base`.

    Raises DatasetError if the file cannot be read or not one conversation of it can be used.
    """
    assert prompts.path is not None
    path = base / prompts.path
    try:
        raw = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise DatasetError(f"{path}: {error.strerror}") from error
    dataset = _from_jsonl(raw) if prompts.kind == "openai_jsonl" else _from_sharegpt(raw, path)
    if not dataset.conversations:
        raise DatasetError(f"{path}: nothing to send: {dataset.words}")
    return dataset


def _from_jsonl(raw: bytes) -> Dataset:
    dataset = Dataset([], {})
    for line in raw.splitlines():
        if not line.strip():
            continue
        try:
            dataset.conversations.append(_openai(line))
        except _BadConversationError as error:
            _count(dataset, str(error))
    return dataset


def _from_sharegpt(raw: bytes, path: Path) -> Dataset:
    try:
        entries = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise DatasetError(f"{path}: no JSON: {error}") from error
    if not isinstance(entries, list):
        raise DatasetError(f"{path}: ShareGPT is a JSON list of conversations")
    dataset = Dataset([], {})
    for entry in entries:
        try:
            dataset.conversations.append(_sharegpt(entry))
        except _BadConversationError as error:
            _count(dataset, str(error))
    return dataset


def _count(dataset: Dataset, reason: str) -> None:
    dataset.bad[reason] = dataset.bad.get(reason, 0) + 1


def _openai(line: bytes) -> list[Message]:
    try:
        entry = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise _BadConversationError("no JSON") from error
    messages = entry.get("messages") if isinstance(entry, dict) else None
    if not isinstance(messages, list):
        raise _BadConversationError("no messages")
    for message in messages:
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise _BadConversationError("a message without a known role")
    return _to_answer(messages)


def _sharegpt(entry: Any) -> list[Message]:
    turns = entry.get("conversations") if isinstance(entry, dict) else None
    if not isinstance(turns, list):
        raise _BadConversationError("no conversations")
    messages: list[Message] = []
    for turn in turns:
        role = _SPEAKERS.get(str(turn.get("from"))) if isinstance(turn, dict) else None
        if role is None:
            raise _BadConversationError("an unknown speaker")
        text = turn.get("value")
        if not isinstance(text, str):
            raise _BadConversationError("a turn without text")
        messages.append({"role": role, "content": text})
    return _to_answer(messages)


def _to_answer(messages: list[Message]) -> list[Message]:
    """Return the messages without the answers at their end, which a model is to give."""
    end = len(messages)
    while end and messages[end - 1]["role"] in _ANSWERS:
        end -= 1
    if not any(message["role"] not in ("system", "developer") for message in messages[:end]):
        raise _BadConversationError("nothing to answer")
    return messages[:end]
