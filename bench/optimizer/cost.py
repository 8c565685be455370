"""Price prompts as providers do that cache them: what a request costs depends on those before it.

Costs are integers, in hundredths of an uncached input token. A cache lives as long as its
conversation; conversations share none, and nothing expires within one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from bench.optimizer.conversation import calls_of, encode, parts_of, text_of, without_marks

PLAIN, READ, WRITE = 100, 10, 125
"""Hundredths of a token: uncached, read from a cache, written to one that bills writes."""
OPENAI_TOKENS_MIN = 1_024
OPENAI_STEP_TOKENS = 128
ANTHROPIC_TOKENS_MIN = 1_024
"""Claude Sonnet's shortest cached prefix; Opus and Haiku of 4.5 take 4,096."""
ANTHROPIC_LOOKBACK_BLOCKS = 20
BLOCK_TOKENS = 4
"""What a block costs beside its text."""
MEDIA_TOKENS = 255
_FIXED_KEYS = ("tool\0", "system ", "developer ")

CountTokens = Callable[[str], int]


class PromptBlock(msgspec.Struct, frozen=True):
    """A piece of a prompt in the order in which providers hash it."""

    key: str
    """What the provider hashes: kind and content."""
    tokens: int
    is_marked: bool = False


class Blocks:
    """Cut requests into blocks. `count` is asked again and again for the same texts."""

    def __init__(self, count: CountTokens) -> None:
        self._count = count

    def of(self, request: dict[str, Any]) -> list[PromptBlock]:
        """Return tools, system prompt and messages of a request, in this order."""
        blocks = [self._block("tool", tool, tool) for tool in request.get("tools") or []]
        system: list[PromptBlock] = []
        rest: list[PromptBlock] = []
        for message in request["messages"]:
            is_system = message["role"] in ("system", "developer")
            (system if is_system else rest).extend(self._of_message(message))
        return blocks + system + rest

    def _of_message(self, message: dict[str, Any]) -> list[PromptBlock]:
        kind = f"{message['role']} {message.get('tool_call_id', '')}"
        blocks = [
            self._block(kind, text_of(part) or part, part)
            for part in parts_of(message.get("content"))
            if text_of(part) or part.get("type") != "text"
        ]
        for name, arguments in calls_of(message):
            blocks.append(self._block("call", f"{name} {arguments}", message))
        if "cache_control" in message and blocks:
            blocks[-1] = msgspec.structs.replace(blocks[-1], is_marked=True)
        return blocks

    def _block(
        self, kind: str, content: str | dict[str, Any], holder: dict[str, Any]
    ) -> PromptBlock:
        if isinstance(content, str):
            text, tokens = content, None
        else:
            text = encode(without_marks(content)).decode()
            tokens = None if kind == "tool" else MEDIA_TOKENS
        return PromptBlock(
            key=f"{kind}\0{text}",
            tokens=BLOCK_TOKENS + (self._count(text) if tokens is None else tokens),
            is_marked=kind != "call" and "cache_control" in holder,
        )


class OpenAICache:
    """Automatic caching: the longest beginning shared with an earlier request is read.

    From 1,024 tokens on, in steps of 128; writing costs nothing extra.
    """

    def __init__(self, count: CountTokens) -> None:
        self._count = count
        self._earlier: list[Sequence[PromptBlock]] = []

    def charge(self, blocks: Sequence[PromptBlock]) -> int:
        """Return the cost of a request, and remember it."""
        total = sum(block.tokens for block in blocks)
        shared = max((self._shared(blocks, old) for old in self._earlier), default=0)
        shared = min(shared, total)
        read = shared - shared % OPENAI_STEP_TOKENS if shared >= OPENAI_TOKENS_MIN else 0
        self._earlier.append(blocks)
        return READ * read + PLAIN * (total - read)

    def _shared(self, blocks: Sequence[PromptBlock], old: Sequence[PromptBlock]) -> int:
        tokens = 0
        for one, other in zip(blocks, old, strict=False):
            if one.key != other.key:
                return tokens + self._count(_common(one.key, other.key))
            tokens += one.tokens
        return tokens


class AnthropicCache:
    """Explicit breakpoints: what stands before a marker is written, and read when it comes again.

    A marker reads the longest written prefix that ends at it or at most 20 blocks before.
    """

    def __init__(self) -> None:
        self._written: set[bytes] = set()

    def charge(self, blocks: Sequence[PromptBlock]) -> int:
        """Return the cost of a request, and remember what it wrote."""
        prefixes: list[tuple[bytes, int]] = []
        digest, tokens = b"", 0
        for block in blocks:
            content = block.key.encode("utf-8", "surrogatepass")
            digest = blake2b(content, key=digest, digest_size=16).digest()
            tokens += block.tokens
            prefixes.append((digest, tokens))
        marked = [at for at, block in enumerate(blocks) if block.is_marked]
        read = max((self._read_at(prefixes, at) for at in marked), default=0)
        written = 0
        for at in marked:
            digest, size = prefixes[at]
            if size >= ANTHROPIC_TOKENS_MIN:
                self._written.add(digest)
                written = max(written, size)
        write = max(0, written - read)
        return READ * read + WRITE * write + PLAIN * (tokens - read - write)

    def _read_at(self, prefixes: Sequence[tuple[bytes, int]], marker: int) -> int:
        for at in range(marker, max(-1, marker - ANTHROPIC_LOOKBACK_BLOCKS), -1):
            digest, tokens = prefixes[at]
            if digest in self._written:
                return tokens
        return 0


def with_moving_marks(blocks: Sequence[PromptBlock]) -> list[PromptBlock]:
    """Return the blocks with marks on the end of the system prompt and on the newest block."""
    marked = [msgspec.structs.replace(block, is_marked=False) for block in blocks]
    fixed = [at for at, block in enumerate(marked) if block.key.startswith(_FIXED_KEYS)]
    for at in {fixed[-1] if fixed else len(marked) - 1, len(marked) - 1}:
        marked[at] = msgspec.structs.replace(marked[at], is_marked=True)
    return marked


def _common(one: str, other: str) -> str:
    """Return the beginning that two texts share, found by halving."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return one[:low]
