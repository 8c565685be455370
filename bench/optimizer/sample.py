"""The bench's own conversations: generated, so that they may be carried, and the same every time.

Every fact that must be kept is planted here, so it is known. Real prompts are more various: for
figures that mean something beyond these shapes use data of your own.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from bench.optimizer.conversation import Conversation
from bench.optimizer.sample_agents import KINDS as AGENTS
from bench.optimizer.sample_code import KINDS as CODE
from bench.optimizer.sample_documents import KINDS as DOCUMENTS
from bench.optimizer.sample_json import KINDS as JSON
from bench.optimizer.sample_logs import KINDS as LOGS
from bench.optimizer.sample_pages import KINDS as PAGES
from bench.optimizer.sample_traps import KINDS as TRAPS

SEED = 20_261_123

KINDS: dict[str, Callable[[Random], Conversation]] = {
    **AGENTS,
    **CODE,
    **DOCUMENTS,
    **JSON,
    **LOGS,
    **PAGES,
    **TRAPS,
}
"""By family and kind, "logs/access": what makes a conversation of that kind."""


def make_conversation(kind: str, seed: int) -> Conversation:
    """Return the conversation of a kind that belongs to a seed."""
    conversation = KINDS[kind](Random(f"{kind} {seed}"))
    conversation.id = f"{kind}/{seed}"
    conversation.source, conversation.licence = "generated", "MIT"
    return conversation


def make_sample(seed: int, per_kind: int) -> list[Conversation]:
    """Return conversations of every kind."""
    return [make_conversation(kind, seed + at) for kind in KINDS for at in range(per_kind)]
