"""Drill 8: the disk is full under load, and then it is not."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.drills.checks import Checks, SkippedError
from bench.drills.client import Call
from bench.drills.load import Mix
from bench.drills.scene import Order, Scene, scene

DISK_BYTES = 64 * 1024 * 1024
SEGMENT_BYTES = 128 * 1024
FULL_WITHIN_S = 60.0
READY_WITHIN_S = 15.0
MIX = Mix(latency_ms=(0, 5), interval_ms=(0, 2), prompt_words=(3, 10), tokens=(2, 30))
_UNAVAILABLE = 503


async def disk_full(order: Order, checks: Checks) -> None:
    """Fill the file system of the state folder, wait for the refusals, make room again."""
    with small_disk(order.folder / "disk") as disk:
        billing = f"segment_bytes = {SEGMENT_BYTES}"
        async with scene(order, checks, state=disk / "state", billing=billing) as stage:
            workers = stage.korad.worker_ids()
            load = stage.load(rate=order.rate_of(120, 200), mix=MIX)
            load.start()
            await asyncio.sleep(1)
            filler = fill(disk)
            refused_s = await _until_refused(stage)
            await asyncio.sleep(order.time_s(2, 20))
            first = len(stage.calls)
            await asyncio.sleep(1)
            refused = [call for call in stage.calls[first:] if call.ended_s]
            filler.unlink()
            ready_s = await _until_ready(stage)
            await asyncio.sleep(1)
            await load.stop()
            checks.at_most("seconds until /readyz says 503 journal_full", refused_s, FULL_WITHIN_S)
            checks.equal("answers of a full disk that are no 503", _others(refused))
            checks.at_most("seconds until ready again", ready_s, READY_WITHIN_S)
            checks.equal("workers that died", len(set(workers) - set(stage.korad.worker_ids())))
            codes = {call.error_code for call in stage.calls if call.status == _UNAVAILABLE}
            checks.equal("other reasons for a 503", len(codes - {"journal_full"}), note=str(codes))
            checks.equal("broken answers", sum(not _in_order(call) for call in stage.calls))
            checks.at_least("whole answers", sum(call.ok for call in stage.calls), 1)
            await stage.settle(drain_max_s=20)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a small file system in memory. Raises SkippedError where that is not allowed."""
    folder.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        raise SkippedError("mounting a small file system needs root")
    size = f"size={DISK_BYTES}"
    command = [mount, "-t", "tmpfs", "-o", size, "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:  # noqa: S603 - our own words
        raise SkippedError("a small file system cannot be mounted here")
    try:
        yield folder
    finally:
        umount = shutil.which("umount") or "umount"
        subprocess.run([umount, "-l", str(folder)], check=False)  # noqa: S603 - our own words


def fill(disk: Path) -> Path:
    """Write a file that takes all that is free; return it."""
    path = disk / "filler"
    with path.open("wb", buffering=0) as file:
        size = 1024 * 1024
        while size >= 1024:  # noqa: PLR2004 - less is no room
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                pass
            size //= 2
    return path


async def _until_refused(stage: Scene) -> float:
    started = time.monotonic()
    while time.monotonic() < started + FULL_WITHIN_S:
        status, body = await asyncio.to_thread(stage.korad.get, "/readyz")
        if status == _UNAVAILABLE and b"journal_full" in body:
            return time.monotonic() - started
        await asyncio.sleep(0.1)
    return time.monotonic() - started + 1


async def _until_ready(stage: Scene) -> float:
    """Return after how long every one of a row of looks finds it ready: each worker answers."""
    started, ready = time.monotonic(), 0
    while ready < 10 and time.monotonic() < started + 2 * READY_WITHIN_S:  # noqa: PLR2004
        ready = ready + 1 if await asyncio.to_thread(stage.korad.is_ready) else 0
        await asyncio.sleep(0.02)
    return time.monotonic() - started


def _others(calls: list[Call]) -> int:
    """Return how many were neither refused for the full disk nor answered whole.

    Each worker has a journal of its own: one may still have room when another has none.
    """
    return sum(not call.ok and call.status != _UNAVAILABLE for call in calls)


def _in_order(call: Call) -> bool:
    return call.ok or call.status == _UNAVAILABLE
