"""Where a comparison happens: its folder, provider and cores, peers started and measured there."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

from bench.load.blocks import run_blocks
from bench.load.plan import Scenario, Target
from bench.load.progress import Progress
from bench.load.prompts import plan
from bench.load.result import TargetResult
from bench.load.stand_in_orders import Counters, Orders, orders_for
from bench.load.stand_in_process import StandIn
from bench.peers.outcome import DIRECT
from bench.peers.parts import PartsWatch
from bench.peers.peer import MODEL, MissingPeerError, Peer, Program
from bench.peers.placement import Placement
from bench.peers.reaper import Reaper
from bench.peers.running import RunningPeer, start

Notify = Callable[[str, Progress], None]
"""Case's name, and how far it is."""


class Scene:
    """A stand-in provider on its core and a folder; both end with the context."""

    def __init__(self, placement: Placement, seed: int, notify: Notify) -> None:
        self.placement = placement
        self.wrong_keys = 0
        """Requests that reached the provider with another key."""
        self._seed = seed
        self._notify = notify
        self._provider_key = "sk-provider-" + secrets.token_hex(16)
        self._stack = ExitStack()
        self._starts = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._reaper = stack.enter_context(Reaper())
            self._folder = Path(tempfile.mkdtemp(prefix="korad-peers-"))
            self._reaper.remove(self._folder)
            self._provider = stack.enter_context(StandIn(self._orders_of(None)))
            self._reaper.watch(self._provider.process_id)
            stack.callback(self._reaper.forget, self._provider.process_id)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def direct(self) -> Target:
        """The provider itself."""
        return Target(name=DIRECT, url=self._provider.url, key=self._provider_key, model=MODEL)

    @contextmanager
    def running(
        self,
        wanted: Sequence[tuple[Peer, Program]],
        skipped: dict[str, str],
        *,
        workers: int = 1,
    ) -> Iterator[list[RunningPeer]]:
        """Run these peers side by side; one that fails to start or to swap keys is `skipped`."""
        with ExitStack() as stack:
            started = []
            for peer, program in wanted:
                try:
                    running = self._start(peer, program, workers)
                except (MissingPeerError, OSError) as error:
                    skipped[peer.name] = str(error)
                    continue
                stack.callback(running.stop)
                started.append(running)
            yield [each for each in started if self._is_ready(each, skipped)]

    def measure(
        self,
        targets: Sequence[Target],
        scenario: Scenario,
        blocks: int,
        watches: Sequence[PartsWatch] = (),
    ) -> list[TargetResult]:
        """Run a scenario against targets in turn; interleaved, as `run_blocks` does."""

        def tell(progress: Progress) -> None:
            self._notify(scenario.name, progress)
            for watch in watches:
                watch.see(progress)

        os.sched_setaffinity(self._provider.process_id, self.placement.provider)
        self._provider.control(self._orders_of(scenario))
        results = run_blocks(
            targets,
            scenario,
            plan(scenario, self._seed, base=self._folder),
            blocks=blocks,
            processes=len(self.placement.load),
            cpus=self.placement.load,
            notify=tell,
        )
        self.wrong_keys += self._provider.control().wrong_key
        return results

    def _start(self, peer: Peer, program: Program, workers: int) -> RunningPeer:
        self._starts += 1
        return start(
            peer,
            program,
            self._folder / str(self._starts),
            provider=(self._provider.port, self._provider_key),
            cpus=self.placement.proxy,
            reaper=self._reaper,
            workers=workers,
        )

    def _is_ready(self, running: RunningPeer, skipped: dict[str, str]) -> bool:
        try:
            running.wait_ready()
            for stream in (True, False):
                self._provider.control()
                running.ask_once(stream=stream)
                check_swap(self._provider.control())
        except MissingPeerError as error:
            skipped[running.peer.name] = str(error)
            return False
        return True

    def _orders_of(self, scenario: Scenario | None) -> Orders:
        if scenario is None:
            return Orders(key=self._provider_key, model=MODEL)
        return orders_for(scenario.answers, key=self._provider_key, model=MODEL)


def check_swap(counted: Counters) -> None:
    """Make sure that a request came to the provider as it should. Raises MissingPeerError."""
    if not counted.requests:
        raise MissingPeerError("answers without asking the provider")
    if counted.wrong_key:
        raise MissingPeerError("does not swap the client's key for the provider's")
    # LiteLLM has been seen to ask for something else beside.
    if counted.wrong_model == counted.requests:
        raise MissingPeerError("asks the provider for another model")
