"""What a run is to do: targets, scenario, and the requests of its seeded schedule.

Times are seconds from the start of a block unless a name says otherwise.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Arrivals = Literal["constant", "poisson", "closed"]
LEVELS = ("off", "low", "medium", "high", "extreme")


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """An OpenAI-compatible endpoint under test."""

    name: str
    url: str
    """Base URL with its `/v1`: http://127.0.0.1:8000/v1."""
    key: str
    """Sent as `Authorization: Bearer`; never written to a result."""
    model: str
    headers: dict[str, str] = {}
    process_id: int | None = None
    """Root of the process tree whose CPU time and memory are sampled; None: not on this machine."""


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """Some seconds of one rate; a burst or a ladder has several."""

    seconds: float
    rate: float
    """Requests (of conversations: conversations) a second."""


class Prompts(msgspec.Struct, frozen=True, kw_only=True):
    """Where the messages come from."""

    kind: Literal["synthetic", "openai_jsonl", "sharegpt"] = "synthetic"
    path: str | None = None
    """The data set's file, of the last two kinds; relative to the scenario's."""
    mean_bytes: int = 300
    """Synthetic: request body's length, by a log-normal law."""
    sd_bytes: int = 0
    distinct: int = 64
    """Synthetic: how many different bodies there are."""
    turns: int = 1
    """More than one: an agent's conversation that grows by turn, each turn a request."""
    think_s: float = 0.0
    """Between an answer's end and the conversation's next turn."""


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of the stand-in provider; real providers take no notice but of max_tokens."""

    max_tokens: int | None = None
    chunks: int = 100
    """Streamed events with text."""
    chunk_bytes: int = 200
    interval_s: float = 0.0
    """Between two chunks."""
    first_chunk_s: float = 0.0
    latency_s: float = 0.0
    """Before a head."""
    body_bytes: int = 850
    """Of an answer that is not streamed."""


class Clients(msgspec.Struct, frozen=True, kw_only=True):
    """How clients behave."""

    stream: float = 0.0
    """Share of streamed requests, 0 to 1."""
    aborts: float = 0.0
    """Share of clients that leave at a random moment of their answer."""
    slow: float = 0.0
    """Share of clients that read slowly."""
    slow_bytes_per_s: int = 2_000
    connections: int = 64
    """Closed loop: how many requests are under way at all times. Open loop: the most that may be
    under way; what would exceed it counts as shed and makes the run invalid."""


class Slo(msgspec.Struct, frozen=True, kw_only=True):
    """A request is good (goodput) when it has no error and keeps all that are set."""

    ttft_ms: float | None = None
    itl_ms: float | None = None
    """The request's mean."""
    e2e_ms: float | None = None


class Ladder(msgspec.Struct, frozen=True, kw_only=True):
    """Rates rise until goodput falls: the knee."""

    start: float = 50.0
    factor: float = 1.5
    rungs: int = 12
    seconds: float = 5.0
    goodput_min: float = 0.99


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A file of `bench/scenarios`, its defaults filled in."""

    name: str
    summary: str
    arrivals: Arrivals = "poisson"
    stages: tuple[Stage, ...] = (Stage(seconds=10.0, rate=100.0),)
    """Closed loop: only their seconds count."""
    warmup_s: float = 2.0
    prompts: Prompts = Prompts()
    answers: Answers = Answers()
    clients: Clients = Clients()
    levels: dict[str, float] = {}
    """Savings level to weight; {}: no `X-Savings-Level` header is sent."""
    slo: Slo = Slo()
    ladder: Ladder | None = None

    @property
    def seconds(self) -> float:
        """Length of one block, warm-up apart."""
        return sum(stage.seconds for stage in self.stages)


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One planned request, the same for every target but for key and model."""

    at_s: float
    """Intended send time. Of a conversation's later turns: unused, they follow the answer."""
    messages: bytes
    """The `messages` member as JSON."""
    stream: bool = False
    level: str | None = None
    leave_after: float | None = None
    """The client leaves when that share (0 to 1) of the expected chunks has come; not streamed:
    that many seconds after it has sent."""
    slow: bool = False


Conversation = tuple[Ask, ...]
"""Requests that follow one another; usually just one."""
