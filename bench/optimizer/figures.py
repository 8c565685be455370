"""The shape of `result.json`: a report is valid if it decodes strictly into `Report`."""

from __future__ import annotations

from typing import Any

import msgspec

SCHEMA_VERSION = 1


class Figure(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Base of the report's parts: unknown members are refused."""


class Kept(Figure):
    """How many facts of a kind were still in the prompt."""

    kept: int = 0
    total: int = 0

    @property
    def share(self) -> float:
        """The kept part, 1.0 where there was nothing to keep."""
        return self.kept / self.total if self.total else 1.0


class Cost(Figure):
    """Simulated input cost, in hundredths of an uncached input token."""

    without: int = 0
    """The same client without korad."""
    with_korad: int = 0
    ideal: int = 0
    """A client without korad that uses the provider's cache as well as it can."""
    requests: int = 0

    @property
    def change(self) -> float:
        """Relative to the same client without korad; -0.2 is a fifth cheaper."""
        return self.with_korad / self.without - 1 if self.without else 0.0

    @property
    def change_from_ideal(self) -> float:
        """Relative to the ideal client without korad."""
        return self.with_korad / self.ideal - 1 if self.ideal else 0.0


class Time(Figure):
    """CPU time of the chain, in milliseconds; null where too few prompts were large enough."""

    requests: int
    large_requests: int
    """Those of 8 KB and more, which the figures per 100 KB are of."""
    cold_ms_p50: float | None
    """Of a prompt that this process never saw."""
    cold_ms_p99: float | None
    warm_ms_p50: float | None
    """Of the same prompt again."""
    warm_ms_p99: float | None
    cold_ms_per_100_kb_p50: float | None
    cold_ms_per_100_kb_p99: float | None
    warm_ms_per_100_kb_p50: float | None
    warm_ms_per_100_kb_p99: float | None


class Family(Figure):
    """The figures of one family at one level."""

    conversations: int = 0
    requests: int = 0
    tokens_before: int = 0
    tokens_after: int = 0
    retention: dict[str, Kept] = {}
    """By kind of fact."""
    violations: dict[str, int] = {}
    """By rule; empty when all is well."""
    prefix_pairs: int = 0
    """Requests of loops whose prompt was compared with the one before."""
    cost: dict[str, Cost] = {}
    """By cache model: `openai_loops`, `anthropic_loops`, `openai_one_shots`, ..."""
    time: Time | None = None

    @property
    def reduction(self) -> float:
        """The part of the tokens that was saved."""
        return 1 - self.tokens_after / self.tokens_before if self.tokens_before else 0.0

    @property
    def kept(self) -> Kept:
        """Facts of all kinds but words, whose number would drown the others."""
        kinds = [kept for kind, kept in self.retention.items() if kind != "words"]
        chosen = kinds or list(self.retention.values())
        return Kept(kept=sum(k.kept for k in chosen), total=sum(k.total for k in chosen))


class Example(Figure):
    """A finding or a lost fact: where to look."""

    conversation: str
    at: int
    """Messages of the request it was found in."""
    what: str
    """A rule, or `lost:` and a kind of fact."""
    detail: str


class Level(Figure):
    """The figures of one savings level."""

    families: dict[str, Family]
    total: Family
    failures: dict[str, int]
    """By transform: how often it raised; the text then goes upstream as it came."""
    examples: list[Example]


class Machine(Figure):
    """Where the figures were made."""

    system: str
    processor: str
    cores: int
    python: str


class Report(Figure):
    """Everything that one run found out."""

    schema_version: int
    made_at: str
    """UTC, ISO 8601."""
    machine: Machine
    korad_version: str
    git_commit: str
    """With `+changes` if the working tree differs from it; "" outside a repository."""
    data: str
    """`own sample`, or the name of the data folder."""
    seed: int | None
    """Of the own sample."""
    limit: int
    conversations: int
    seconds: float
    levels: dict[str, Level]


def encode_report(report: Report) -> bytes:
    """Return the report as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"


def decode_report(raw: bytes) -> Report:
    """Return the report in `raw`. Raises msgspec.ValidationError for one of another shape."""
    return msgspec.json.decode(raw, type=Report, strict=True)


def report_schema() -> dict[str, Any]:
    """Return the report's JSON Schema."""
    return msgspec.json.schema(Report)


def merged(families: list[Family], time: Time | None) -> Family:
    """Return the sum of families."""
    total = Family(time=time)
    for family in families:
        total.conversations += family.conversations
        total.requests += family.requests
        total.tokens_before += family.tokens_before
        total.tokens_after += family.tokens_after
        total.prefix_pairs += family.prefix_pairs
        for kind, kept in family.retention.items():
            add_kept(total, kind, kept.kept, kept.total)
        for rule, count in family.violations.items():
            total.violations[rule] = total.violations.get(rule, 0) + count
        for name, cost in family.cost.items():
            of_all = total.cost.setdefault(name, Cost())
            of_all.without += cost.without
            of_all.with_korad += cost.with_korad
            of_all.ideal += cost.ideal
            of_all.requests += cost.requests
    return total


def add_kept(family: Family, kind: str, kept: int, total: int) -> None:
    """Count facts of a kind."""
    figure = family.retention.setdefault(kind, Kept())
    figure.kept += kept
    figure.total += total
