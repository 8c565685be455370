"""What a run tells about itself while it goes on."""

from __future__ import annotations

import msgspec


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the block under way; about four come a second."""

    target: str
    block: int
    """From 0, counted per target."""
    blocks: int
    """Of each target."""
    elapsed_s: float
    """Since the block's start; negative while it warms up."""
    seconds: float
    """Length of the block."""
    started: int
    ok: int
    failed: int
    under_way: int
    e2e_p50_ns: int
    e2e_p99_ns: int
    """Both of the last second or so; 0 while there is none."""
    rate: float
    """Planned requests (of conversations: conversations) a second; closed loop: completed ones."""
