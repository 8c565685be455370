"""One load process' block: requests leave at their intended times, whatever the answers do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from heapq import heapify, heappop, heappush
from time import monotonic_ns

from bench.load.alarm import Alarm
from bench.load.connection import Pool
from bench.load.exchange import Exchange, PlainExchange, StreamExchange
from bench.load.orders import Block
from bench.load.plan import Conversation
from bench.load.recorder import NS, Recorder
from bench.load.tally import Beat, Tally

SILENCE_S = 60.0
"""An answer of which nothing has come for so long is given up: "timeout"."""
_DRAIN_S = 180.0
_BEAT_S = 0.25
_AT_ONCE = 16  # uvloop writes at the end of a turn of its loop: more would be sent late
_AFTER_FAILURE_NS = 10_000_000


class Driver:
    """Sends a block's requests and waits until all of them have ended.

    `requests` are the conversations' bytes, turn by turn; those not in the block may be empty.
    """

    def __init__(
        self,
        block: Block,
        conversations: Sequence[Conversation],
        requests: Sequence[Sequence[bytes]],
        *,
        start_ns: int,
        tell: Callable[[Beat], None],
    ) -> None:
        self._block = block
        self._step = block.step
        self._connections = block.connections
        self._think_ns = int(block.think_s * NS)
        self._conversations = conversations
        self._requests = requests
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._start_ns = start_ns
        self._end_ns = start_ns + int(block.seconds * NS)
        self._warming = Recorder(block.slo)
        self._measured = Recorder(block.slo)
        self._active: set[Exchange] = set()
        self._streams = 0
        self._next = block.first
        self._due = [(start_ns + int(at_s * NS), number, 0) for at_s, number in block.starts]
        if block.step:
            begin_ns = start_ns - int(block.warmup_s * NS)
            self._due = [(begin_ns, -1, 0)] * block.connections
        heapify(self._due)
        self._alarm = Alarm(self._loop, self._fire)
        self._cpu_share = 0.0
        self._cpu_ns = [0, 0]  # when it was looked at, and this process' CPU time then

    async def run(self, pool: Pool) -> Tally:
        """Do the block; returns what was measured, without the warm-up."""
        self._pool = pool
        self._arm()
        marks = [
            self._loop.call_later((self._start_ns - monotonic_ns()) / NS, self._begin_cpu),
            self._loop.call_later((self._end_ns - monotonic_ns()) / NS, self._end_cpu),
        ]
        try:
            await self._watch()
        finally:
            for mark in marks:
                mark.cancel()
            self._alarm.close()
        tally = self._measured.finish(self._start_ns, self._block.seconds, self._warming)
        tally.cpu_share = self._cpu_share
        return tally

    def ended(self, exchange: Exchange, now_ns: int, ok: bool) -> None:  # noqa: FBT001 - a callback
        """Go on after an exchange: with the next turn, or with a closed loop's next request."""
        self._active.discard(exchange)
        if exchange.ask.stream:
            self._streams -= 1
        number, turn = exchange.turn
        wait_ns = 0
        if ok and turn + 1 < len(self._conversations[number]):
            turn += 1
            wait_ns = self._think_ns
        elif self._step:
            number, turn = -1, 0
            wait_ns = 0 if ok else _AFTER_FAILURE_NS
        else:
            return
        if self._step and now_ns + wait_ns >= self._end_ns:
            return
        if wait_ns:
            heappush(self._due, (now_ns + wait_ns, number, turn))
            self._arm()
        else:
            self._send(number, turn, now_ns)

    def _arm(self) -> None:
        if self._due:
            self._alarm.set(self._due[0][0])
        else:
            self._alarm.clear()

    def _fire(self) -> None:
        due = self._due
        for _ in range(_AT_ONCE):
            if not due or due[0][0] > monotonic_ns():
                break
            at_ns, number, turn = heappop(due)
            self._send(number, turn, at_ns)
        self._arm()

    def _send(self, number: int, turn: int, intended_ns: int) -> None:
        now_ns = monotonic_ns()
        if number < 0:  # a closed loop's next
            number, intended_ns = self._next, now_ns
            self._next = (number + self._step) % len(self._conversations)
        recorder = self._measured if intended_ns >= self._start_ns else self._warming
        if len(self._active) >= self._connections:
            recorder.shed += 1
            return
        ask = self._conversations[number][turn]
        exchange: Exchange
        if ask.stream:
            exchange = StreamExchange(
                ask, recorder, intended_ns, now_ns, expected=self._block.chunks
            )
            self._streams += 1
            measured = self._measured
            measured.streams_max = max(measured.streams_max, self._streams)
        else:
            exchange = PlainExchange(ask, recorder, intended_ns, now_ns)
            if ask.leave_after is not None:
                self._loop.call_later(ask.leave_after, self._leave, exchange)
        exchange.turn = (number, turn)
        recorder.started_at.append(intended_ns)
        if not self._step:
            recorder.times.lag.append(now_ns - intended_ns)
        self._active.add(exchange)
        self._pool.send(exchange, self._requests[number][turn])

    def _leave(self, exchange: Exchange) -> None:
        if exchange.carrier is not None:
            exchange.carrier.stop(None)

    async def _watch(self) -> None:
        """Tell how things stand and give up what is silent, until all is over."""
        now_ns = monotonic_ns()
        while now_ns < self._end_ns or self._active or self._due:
            await asyncio.sleep(_BEAT_S)
            now_ns = monotonic_ns()
            recorder = self._measured if now_ns >= self._start_ns else self._warming
            self._tell(recorder.beat(len(self._active)))
            late = now_ns > self._end_ns + _DRAIN_S * NS
            for exchange in list(self._active):
                silent = now_ns - exchange.heard_ns > SILENCE_S * NS
                if (late or silent) and exchange.carrier is not None:
                    exchange.carrier.stop("timeout")

    def _begin_cpu(self) -> None:
        self._cpu_ns = [monotonic_ns(), time.process_time_ns()]

    def _end_cpu(self) -> None:
        wall_ns, cpu_ns = self._cpu_ns
        spent_ns = time.process_time_ns() - cpu_ns
        self._cpu_share = spent_ns / max(1, monotonic_ns() - wall_ns)
