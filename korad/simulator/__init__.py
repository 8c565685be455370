"""A stand-in OpenAI and Anthropic upstream with a ledger of its own and faults on demand."""

from __future__ import annotations

from korad.simulator.ledger import CapturedRequest, Ledger, LedgerEntry
from korad.simulator.script import Fault, Script, script_from_json, with_directives
from korad.simulator.server import Simulator
from korad.simulator.words import count_words

__all__ = [
    "CapturedRequest",
    "Fault",
    "Ledger",
    "LedgerEntry",
    "Script",
    "Simulator",
    "count_words",
    "script_from_json",
    "with_directives",
]
