"""What the stand-in provider is told to do, and what it has counted."""

from __future__ import annotations

from urllib.parse import parse_qsl

import msgspec

from bench.load.plan import Answers


class Orders(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How it answers; times in seconds."""

    chunks: int = 100
    chunk_bytes: int = 200
    """Of an event, its `data: ` and empty line with it; at least what its JSON needs."""
    interval: float = 0.0
    first_chunk: float = 0.0
    """From the head to the first chunk."""
    latency: float = 0.0
    """From the request to the head."""
    body_bytes: int = 850
    stall_every: float = 0.0
    """Stand still for `stall` at the end of every such span; 0: never."""
    stall: float = 0.0
    fault: str = ""
    """`reset`: reset the connection in place of a head. `cut`: in place of the last chunk, or in
    the middle of a body. `429`, ...: answer with that status."""
    key: str = ""
    """What the bearer has to be; another one is counted, and answered as if it were right."""
    model: str = ""
    """Likewise."""


class Counters(msgspec.Struct, kw_only=True):
    """Since the last orders."""

    requests: int = 0
    chunks: int = 0
    streams_done: int = 0
    streams_left: int = 0
    """Whose connection was gone before their end."""
    wrong_key: int = 0
    wrong_model: int = 0
    open_connections: int = 0
    """Now."""


class OrdersError(ValueError):
    """A query names no order, or its value is none."""


def orders_for(answers: Answers, *, key: str = "", model: str = "") -> Orders:
    """Return the orders that a scenario's answers need."""
    return Orders(
        chunks=answers.chunks,
        chunk_bytes=answers.chunk_bytes,
        interval=answers.interval_s,
        first_chunk=answers.first_chunk_s,
        latency=answers.latency_s,
        body_bytes=answers.body_bytes,
        key=key,
        model=model,
    )


def parse_orders(query: str, before: Orders) -> Orders:
    """Return the orders of a query string; what it does not name stays as before.

    Raises `OrdersError`.
    """
    try:
        named = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
        fields = msgspec.to_builtins(before) | named
        return msgspec.convert(fields, Orders, strict=False)
    except (ValueError, msgspec.ValidationError) as error:
        raise OrdersError(str(error)) from error
