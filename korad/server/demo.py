"""The simulator behind a demo: a child process that ends with its parent, however that ends."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import uvloop

from korad.adapters.tokenizer import load_encode
from korad.simulator import Simulator

_ADDRESSES = 2
"""What the child tells its parent: one base URL per dialect."""


def start_simulator(state_dir: Path) -> tuple[str, str, Callable[[], None]]:
    """Fork a simulator; return its OpenAI and Anthropic base URLs and a function that ends it.

    It counts tokens as korad does, so that what a demo says it saved is what its bill says. Call
    this before any thread or event loop exists; `state_dir` is where the tokenizer is unpacked.
    """
    told_read, told_write = os.pipe()
    alive_read, alive_write = os.pipe()
    process_id = os.fork()
    if not process_id:
        os.close(told_read)
        os.close(alive_write)
        code = 1
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_simulate(state_dir, told_write, alive_read))
            code = 0
        finally:
            os._exit(code)
    os.close(told_write)
    os.close(alive_read)
    with os.fdopen(told_read) as told:
        lines = told.read().splitlines()
    if len(lines) != _ADDRESSES:
        raise RuntimeError("the simulator did not start")

    def stop() -> None:
        os.close(alive_write)
        os.waitpid(process_id, 0)

    return lines[0], lines[1], stop


async def _simulate(state_dir: Path, told_write: int, alive_read: int) -> None:
    # The parent decides when a demo ends: an interrupt at the terminal reaches both, and the
    # answers under way still need their provider.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    over = asyncio.Event()
    asyncio.get_running_loop().add_reader(alive_read, over.set)
    encode = load_encode(state_dir)
    async with Simulator(demo=True, count=lambda text: len(encode(text))) as simulator:
        os.write(
            told_write, f"{simulator.openai_base_url}\n{simulator.anthropic_base_url}\n".encode()
        )
        os.close(told_write)
        await over.wait()
