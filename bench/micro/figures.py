"""The shape of what `bench micro` writes and what two runs are compared by."""

from __future__ import annotations

import msgspec

SCHEMA_VERSION = 1


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One benchmark; all per operation."""

    samples_ns: list[float]
    """CPU time of the calling thread, in the order measured."""
    bytecodes: float | None
    """None: not asked for."""
    instructions: float | None = None
    """Of all threads, by valgrind; None: not asked for."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What one process measured of one korad."""

    schema_version: int
    korad_path: str
    python: str
    measured: dict[str, Measured]
    failed: dict[str, str]
    """Benchmark to why it has no figures: this korad lacks a part of it, or its result is wrong."""
