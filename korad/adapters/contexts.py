"""What open slots refer to: whose exchange it is, with which model, at which price.

A slot has no room for a price row. Each combination is written once per start, one JSON line, and
a slot holds the line's number: so a killed worker's successor rates with the price then in force.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import msgspec

from korad.billing.event_writer import Party
from korad.domain.identity import VirtualKey
from korad.domain.money import Price
from korad.domain.value import value

CONTEXTS_MAX = 20_000
"""Combinations remembered; one that was forgotten is written again."""


@value
class Context:
    """One combination."""

    party: Party
    price: Price
    margin_bp: int


@value
class KnownContext:
    """A combination that is on the disk."""

    number: int
    party: Party


def context_of(
    key: VirtualKey, *, provider: str, model: str, price: Price, margin_bp: int
) -> Context:
    """Return the combination of a key with a destination."""
    return Context(
        party=Party(
            account=key.account,
            key_id=key.key_id,
            team_id=key.team_id,
            customer_id=key.customer_id,
            provider=provider,
            model=model,
        ),
        price=price,
        margin_bp=margin_bp,
    )


class ContextLog:
    """Write combinations, each once."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        self._known: dict[bytes, KnownContext] = {}
        self._lines = 0
        self._bytes = 0

    def known(self, context: Context) -> KnownContext:
        """Return the combination as it is on the disk. Raises OSError."""
        line = msgspec.json.encode(context) + b"\n"
        known = self._known.get(line)
        if known is None:
            self._append(line)
            known = KnownContext(
                number=self._lines,
                party=context.party,
            )
            self._lines += 1
            if len(self._known) >= CONTEXTS_MAX:
                self._known.clear()
            self._known[line] = known
        return known

    def _append(self, line: bytes) -> None:
        """Write a line, all of it or nothing: its number says what slots mean. Raises OSError."""
        if os.write(self._descriptor, line) != len(line):
            os.ftruncate(self._descriptor, self._bytes)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._bytes += len(line)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def read_contexts(path: Path) -> list[Context | None]:
    """Return the combinations of a former start by number, None for one that cannot be read."""
    decode = msgspec.json.Decoder(Context).decode
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    found: list[Context | None] = []
    for line in lines[:-1]:
        try:
            found.append(decode(line))
        except msgspec.MsgspecError:
            found.append(None)
    return found
