"""Read conversations from a folder of JSONL files."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from bench.optimizer.conversation import Conversation

PATTERNS = ("*.jsonl", "*.jsonl.gz")
_decode = msgspec.json.Decoder(Conversation).decode


class DataError(Exception):
    """A folder or a file of it cannot be read as conversations."""


def read_folder(folder: Path) -> list[Conversation]:
    """Return the conversations of all data files in `folder`, by file name and line.

    Raises DataError.
    """
    paths = sorted(path for pattern in PATTERNS for path in folder.glob(pattern))
    if not paths:
        raise DataError(f"{folder} holds no {' or '.join(PATTERNS)} file")
    return [conversation for path in paths for conversation in _read_file(path)]


def _read_file(path: Path) -> Iterator[Conversation]:
    try:
        raw = path.read_bytes()
        lines = (gzip.decompress(raw) if path.suffix == ".gz" else raw).splitlines()
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: {error}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            conversation = _decode(line)
            roles = {message["role"] for message in conversation.messages}
        except (msgspec.MsgspecError, KeyError, TypeError) as error:
            raise DataError(f"{path}, line {number}: not a conversation: {error!r}") from error
        if not roles:
            raise DataError(f"{path}, line {number}: no messages")
        conversation.id = conversation.id or f"{path.name}:{number}"
        yield conversation


def limited(conversations: Iterable[Conversation], per_kind: int) -> list[Conversation]:
    """Return at most `per_kind` conversations of each kind, the first ones; 0 returns all."""
    seen: Counter[tuple[str, str]] = Counter()
    kept: list[Conversation] = []
    for conversation in conversations:
        kind = (conversation.family, conversation.sub)
        seen[kind] += 1
        if not per_kind or seen[kind] <= per_kind:
            kept.append(conversation)
    return kept
