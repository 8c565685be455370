"""The measuring process: `python -m bench.tls.measure PORTS SECONDS`, with SSL_CERT_FILE set.

korad's own pool of upstream connections on uvloop, one request after the other. The provider is
another process, so that this one's CPU time is korad's alone. The environment names the authority,
because that is how korad's users name one of their own.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import NamedTuple

import msgspec
import uvloop

from bench.tls.certificate import HOST
from bench.tls.provider import Counters, Ports
from bench.tls.ways import WAYS, Burst, Found, Outcome, Way
from korad.adapters.deadlines import DeadlineWheel
from korad.domain.exchange import UpstreamCall
from korad.domain.upstream import AuthScheme, Dialect, Origin, Provider, Timeouts
from korad.errors import KoradError
from korad.upstream import AnswerHead, Handle, Pool

ROUND_S = 0.15
"""For each way, in turns."""
BURST = 20
_NS_PER_US = 1_000
_SETTLE_S = 0.02
_OK = 200


class Answered:
    """The listener of one request."""

    def __init__(self) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_sent(self) -> None:
        """Hear that the request is written."""

    def on_retry(self, handle: Handle) -> None:
        """Hear that it goes out again."""

    def on_answer(self, head: AnswerHead, body: bytes) -> None:  # noqa: ARG002 - the interface
        """Take the whole answer."""
        self.on_head(head)
        self.done.set_result(None)

    def on_head(self, head: AnswerHead) -> None:
        """See whether it is a good one."""
        assert head.status == _OK

    def on_body(self, data: bytes) -> None:
        """Take no notice."""

    def on_end(self) -> None:
        """Say that it is there."""
        self.done.set_result(None)

    def on_failure(self, error: KoradError) -> None:
        """Say that it never will be."""
        self.done.set_exception(error)


class Line(NamedTuple):
    """A way, with the pool and the call to go it."""

    pool: Pool
    call: UpstreamCall
    samples_us: list[float]

    async def ask(self) -> None:
        """Send the request and wait for its answer."""
        listener = Answered()
        self.pool.send(self.call, listener)
        await listener.done


class Measurement:
    """All lines to one provider."""

    def __init__(self, ports: Ports, wheel: DeadlineWheel) -> None:
        self._ports = ports
        self._lines = {name: _line(way, ports, wheel) for name, way in WAYS.items()}
        self._counted = {name: Counters() for name in WAYS}

    async def run(self, seconds: float) -> Outcome:
        """Go each way in turns for about `seconds` each."""
        for line in self._lines.values():
            await line.ask()
        rounds = max(2, round(seconds / ROUND_S))
        for _ in range(rounds):
            for name, line in self._lines.items():
                await self._settled()
                line.samples_us.append(await _round_us(line, ROUND_S))
                self._add(name, await self._settled())
        burst = await self._burst()
        for line in self._lines.values():
            await line.pool.close()
        found = {name: self._found(name) for name in WAYS}
        return Outcome(ways=found, burst=burst)

    def _found(self, name: str) -> Found:
        counted = self._counted[name]
        return Found(
            samples_us=self._lines[name].samples_us,
            requests=counted.requests,
            connections=counted.connections,
            full=counted.full,
            resumed=counted.resumed,
            cipher=counted.cipher,
        )

    def _add(self, name: str, counters: Counters) -> None:
        total = self._counted[name]
        total.requests += counters.requests
        total.connections += counters.connections - 1  # that of the question itself
        total.full += counters.full
        total.resumed += counters.resumed
        total.cipher = counters.cipher or total.cipher

    async def _burst(self) -> Burst:
        line = self._lines["TLS, new connection, resumed"]
        await asyncio.gather(*(line.ask() for _ in range(BURST)))
        counters = await self._settled()
        return Burst(full=counters.full, resumed=counters.resumed)

    async def _settled(self) -> Counters:
        """Return the provider's counters once what was under way is over; they begin anew."""
        await asyncio.sleep(_SETTLE_S)
        reader, writer = await asyncio.open_connection(HOST, self._ports.plain)
        writer.write(b"GET /counts HTTP/1.1\r\nHost: bench\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0])
        body = await reader.readexactly(length)
        writer.close()
        await writer.wait_closed()
        return msgspec.json.decode(body, type=Counters)


def _line(way: Way, ports: Ports, wheel: DeadlineWheel) -> Line:
    provider = Provider(
        name="bench",
        dialect=Dialect.OPENAI,
        origin=Origin(scheme="https" if way.tls else "http", host=HOST, port=way.port(ports)),
        base_path="/v1",
        auth=AuthScheme.NONE,
        credential=None,
        timeouts=Timeouts(),
    )
    body = b"x" * way.body_bytes
    close = b"Connection: close\r\n" if way.new_connection else b""
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\n%bContent-Length: %d\r\n\r\n" % (
        close,
        len(body),
    )
    return Line(Pool(wheel), UpstreamCall(provider=provider, head=head, body=body), [])


async def _round_us(line: Line, seconds: float) -> float:
    ends_ns = time.perf_counter_ns() + round(seconds * 1e9)
    asked, start_ns = 0, time.thread_time_ns()
    while not asked or time.perf_counter_ns() < ends_ns:
        await line.ask()
        asked += 1
    return (time.thread_time_ns() - start_ns) / asked / _NS_PER_US


async def measure(ports: Ports, seconds: float) -> Outcome:
    """Measure all ways, each for about `seconds`."""
    wheel = DeadlineWheel(asyncio.get_running_loop())
    wheel.start(lambda: None, lambda _: None)
    try:
        return await Measurement(ports, wheel).run(seconds)
    finally:
        wheel.stop()


if __name__ == "__main__":
    told = msgspec.json.decode(sys.argv[1], type=Ports)
    outcome = uvloop.run(measure(told, float(sys.argv[2])))
    sys.stdout.buffer.write(msgspec.json.encode(outcome))
