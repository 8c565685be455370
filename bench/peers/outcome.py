"""The shape of the comparison's `result.json`, from which `RESULTS.md` is made."""

from __future__ import annotations

import msgspec

from bench.load.result import Machine, Ratio, TargetResult

SCHEMA_VERSION = 1
DIRECT = "direct"
"""The stand-in provider without any proxy."""
LIMIT = "nginx"
"""What ratios are to."""


class PeerNote(msgspec.Struct, frozen=True, kw_only=True):
    """Who took part, or why not."""

    name: str
    job: str
    version: str | None
    origin: str | None
    full_load: bool
    skipped: str | None
    """Why it was not measured; None: it was."""


class CaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """One case, all peers."""

    name: str
    kind: str
    title: str
    scenarios: dict[str, dict[str, object]]
    """By peer's name: defaults filled in."""
    results: list[TargetResult]
    ratios: list[Ratio]
    """To nginx, where it was measured."""
    parts: dict[str, float] = {}
    """korad's processes to their share of its CPU time; {}: not looked at."""


class Workers(msgspec.Struct, frozen=True, kw_only=True):
    """korad with one worker and with two."""

    own_cores: bool
    """Two cores for korad alone, and others for load and provider."""
    one: TargetResult
    two: TargetResult
    ratios: list[Ratio]
    """Two over one."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run."""

    schema_version: int
    korad_version: str
    git_commit: str
    started_at: str
    """RFC 3339, UTC."""
    seconds: float
    seed: int
    short: bool
    command: str
    machine: Machine
    others_cores: float
    """How many cores other work took, before the run or after, whichever was more."""
    placement: str
    """Which cores did what."""
    peers: list[PeerNote]
    cases: list[CaseResult]
    wrong_keys: int
    """Requests that reached the provider with another key than the provider's."""
    workers: Workers | None
