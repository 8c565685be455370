"""`korad simulate`: a stand-in OpenAI and Anthropic upstream on a port of this machine."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

from korad.cli.options import Subparsers
from korad.simulator import Fault, Script, Simulator

try:
    from uvloop import new_event_loop
except ImportError:  # Windows has no uvloop
    from asyncio import new_event_loop  # type: ignore[assignment]  # the same but for its loop

DEFAULT_PORT = 9100


def add_parser(subparsers: Subparsers) -> None:
    """Add the parser of `simulate`."""
    parser = subparsers.add_parser(
        "simulate",
        help="run the stand-in provider",
        description="Answer as OpenAI's and Anthropic's APIs do, without a model behind it.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="port, 0 for a free one (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="decides texts and ids (%(default)s)")
    parser.add_argument("--demo", action="store_true", help="answers say that they are simulated")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="before an answer's head")
    parser.add_argument("--first-token-ms", type=float, default=0.0, help="before a first event")
    parser.add_argument("--token-interval-ms", type=float, default=0.0, help="between events")
    parser.add_argument("--tokens", type=int, help="length of an answer")
    parser.add_argument("--fault", choices=[fault.value for fault in Fault], help="misbehave")
    parser.add_argument(
        "--fault-after", type=int, default=3, help="streamed events before the fault (%(default)s)"
    )
    parser.add_argument(
        "--status", type=int, default=500, help="of the fault error_status (%(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; return 0, or 1 when the port cannot be had."""
    script = Script(
        latency_s=args.latency_ms / 1000,
        first_token_s=args.first_token_ms / 1000,
        token_interval_s=args.token_interval_ms / 1000,
        completion_tokens=args.tokens,
        fault=Fault(args.fault) if args.fault else None,
        fault_after_chunks=args.fault_after,
        status=args.status,
    )
    simulator = Simulator(script, seed=args.seed, demo=args.demo)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        try:
            runner.run(_serve(simulator, args.host, args.port))
        except OSError as error:
            sys.stderr.write(f"korad simulate: {error}\n")
            return 1
    return 0


async def _serve(simulator: Simulator, host: str, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    # Not loop.add_signal_handler, which Windows does not have.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    await simulator.start(host, port)
    try:
        sys.stdout.write(f"simulator listening on {simulator.anthropic_base_url}\n")
        sys.stdout.flush()
        await stop.wait()
    finally:
        await simulator.stop()
