"""The microbenchmarks by name. Nothing of korad is imported before a benchmark is opened."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from typing import NamedTuple

from bench.micro.work import Work, opened


class Benchmark(NamedTuple):
    """Where a benchmark is, and what one operation of it is."""

    place: str
    """Module of `bench.micro.rooms`, colon, generator."""
    summary: str


BENCHMARKS: dict[str, Benchmark] = {
    "heads.new": Benchmark("heads:new", "a request head never seen before"),
    "heads.remembered": Benchmark("heads:remembered", "a head that another connection sent"),
    "heads.known": Benchmark("heads:known", "the head that this connection sent last"),
    "keys.digest": Benchmark("keys:digested", "a key's digest"),
    "keys.authenticate": Benchmark("keys:authenticated", "a key among 10,000, by its digest"),
    "keys.authorize": Benchmark("keys:authorized", "a model against a key's pattern"),
    "wire.body_small": Benchmark("wire:small_body", "parse a request body of 300 bytes"),
    "wire.body_large": Benchmark("wire:large_body", "parse a request body of 200 KB"),
    "wire.sse_whole": Benchmark("wire:whole_events", "frame an event, one per read"),
    "wire.sse_split": Benchmark("wire:split_events", "frame a piece of 7 bytes"),
    "answers.head": Benchmark("answers:head", "the head of an answer of known shape"),
    "answers.usage": Benchmark("answers:usage", "the usage of a whole answer"),
    "answers.chunk": Benchmark("answers:chunks", "a streamed chunk of 40 characters"),
    "anthropic.request": Benchmark("anthropic:request", "translate a request"),
    "anthropic.stream": Benchmark("anthropic:stream", "translate an event of a stream"),
    "chain.cold": Benchmark("prompts:cold", "100 KB of new prompts through the chain, medium"),
    "chain.warm": Benchmark("prompts:warm", "100 KB of known prompts through the chain, medium"),
    "money.price": Benchmark("money:price", "a dated model's price"),
    "money.rate": Benchmark("money:charge", "usage x price x margin"),
    "money.usage": Benchmark("money:usage", "the usage of a cut answer"),
    "events.event": Benchmark("events:event", "build a billing event"),
    "events.frame": Benchmark("events:frame", "frame an event of 1,000 bytes"),
    "books.append": Benchmark("books:append_one", "write an event to the journal, alone"),
    "books.append_turn": Benchmark(
        "books:append_turn", "write an event to the journal, 16 at once"
    ),
    "books.slot": Benchmark("books:slot", "take an in-flight slot and give it back"),
    "books.count": Benchmark("books:slot_count", "note a count in a slot"),
    "books.whole": Benchmark("books:whole", "slot, counts, event, journal of an exchange"),
    "limits.plan": Benchmark("limits:plan_again", "find the plan of known limits"),
    "limits.plan_new": Benchmark("limits:plan_new", "plan limits of two entities"),
    "limits.sizes": Benchmark("limits:sizes", "what a stream asks to hold"),
    "exchange.whole": Benchmark("exchange:whole", "a whole exchange without sockets"),
}


class UnknownBenchmarkError(ValueError):
    """A name that is none and begins none."""


def chosen(names: Sequence[str]) -> list[str]:
    """Return the benchmarks named, whole or by what stands before the dot; without names, all.

    Raises UnknownBenchmarkError.
    """
    if not names:
        return list(BENCHMARKS)
    rooms = {known.partition(".")[0] for known in BENCHMARKS}
    unknown = [name for name in names if name not in BENCHMARKS and name not in rooms]
    if unknown:
        raise UnknownBenchmarkError(f"no such benchmark: {', '.join(unknown)}")
    return [name for name in BENCHMARKS if name in names or name.partition(".")[0] in names]


def opened_benchmark(name: str) -> AbstractContextManager[Work]:
    """Return the context of a benchmark's work.

    Raises whatever importing it raises where korad, an older or a newer one, lacks a part of it.
    """
    module, _, generator = BENCHMARKS[name].place.partition(":")
    room = import_module(f"bench.micro.rooms.{module}")
    return opened(getattr(room, generator))
