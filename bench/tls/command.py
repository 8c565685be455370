"""`bench tls`: what TLS to a provider costs, kept alive, anew, and with a session resumed."""

from __future__ import annotations

import argparse
import os
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench.micro.statistics import median, summary
from bench.tls.certificate import AUTHORITY, CertificateError, make_certificate
from bench.tls.provider import Ports
from bench.tls.ways import Found, Outcome

SUMMARY = "measure what TLS to a provider costs, and count the sessions resumed"
ROOT = Path(__file__).parents[2]
EXIT_NOT_RESUMED, EXIT_FAILED = 1, 2
"""A session that could be resumed was not; nothing could be measured."""
RESUMED = "TLS, new connection, resumed"
_END_S = 5.0


class TlsBenchError(Exception):
    """A process of the measurement failed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `bench tls`."""
    parser.add_argument(
        "--seconds", type=float, default=1.5, help="for each way (default: %(default)s)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample there")


def run(args: argparse.Namespace) -> int:
    """Measure and print; return the exit code."""
    try:
        outcome = measured(args.seconds)
    except (CertificateError, TlsBenchError) as error:
        sys.stderr.write(f"bench tls: {error}\n")
        return EXIT_FAILED
    if args.json is not None:
        args.json.write_bytes(msgspec.json.format(msgspec.json.encode(outcome)) + b"\n")
    sys.stdout.write(table(outcome))
    resumed = outcome.ways[RESUMED]
    return 0 if resumed.resumed == resumed.connections else EXIT_NOT_RESUMED


def measured(seconds: float) -> Outcome:
    """Return what a run of both processes found. Raises CertificateError, TlsBenchError."""
    with tempfile.TemporaryDirectory(prefix="korad-tls-") as name:
        folder = Path(name)
        make_certificate(folder)
        with _provider(folder) as ports:
            done = subprocess.run(  # noqa: S603 - our own module
                [
                    *(sys.executable, "-P", "-m", "bench.tls.measure"),
                    *(msgspec.json.encode(ports).decode(), str(seconds)),
                ],
                env=_environment() | {"SSL_CERT_FILE": str(folder / AUTHORITY)},
                capture_output=True,
                check=False,
            )
    if done.returncode:
        raise TlsBenchError(f"measuring failed:\n{done.stderr.decode(errors='replace')}")
    return msgspec.json.decode(done.stdout, type=Outcome)


@contextmanager
def _provider(folder: Path) -> Iterator[Ports]:
    """Run the provider in a process of its own."""
    process = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-P", "-m", "bench.tls.provider", str(folder)],
        env=_environment(),
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise TlsBenchError("the provider did not start")
        yield msgspec.json.decode(line, type=Ports)
    finally:
        process.terminate()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _environment() -> dict[str, str]:
    return {"PYTHONPATH": str(ROOT), "PATH": os.defpath}


def table(outcome: Outcome) -> str:
    """Return a line for each way, and what follows from them."""
    lines = [
        f"{'':30} {'CPU us':>8} {'+-':>5} {'least':>8} {'requests':>9} {'full':>7} {'resumed':>8}"
    ]
    for name, found in outcome.ways.items():
        told = summary(found.samples_us)
        lines.append(
            f"{name:30} {told.median:>8.1f} {told.spread:>5.0%} {told.least:>8.1f} "
            f"{found.requests:>9,} {found.full:>7,} {found.resumed:>8,}"
        )
    ways = outcome.ways
    kept = _more(ways, "TLS, kept alive", "plain, kept alive")
    large = _more(ways, "TLS, kept alive, 200 KB", "plain, kept alive, 200 KB")
    cold = _more(ways, "TLS, new connection, cold", "plain, new connection")
    resumed = _more(ways, RESUMED, "plain, new connection")
    burst = outcome.burst
    lines += [
        "",
        f"Encryption: {kept:+.1f} us a small request, {large:+.1f} us with 200 KB.",
        f"A new connection's TLS: {cold:+.1f} us cold, {resumed:+.1f} us resumed.",
        f"{burst.full + burst.resumed} connections at once: {burst.resumed} resumed.",
        f"{ways[RESUMED].cipher}, a P-256 certificate, {ssl.OPENSSL_VERSION}.",
        "CPU time of korad's upstream pool alone, one request after the other; handshakes are the",
        "provider's count.",
    ]
    return "\n".join(lines) + "\n"


def _more(ways: dict[str, Found], one: str, other: str) -> float:
    """Return the median difference of rounds that followed each other."""
    pairs = zip(ways[one].samples_us, ways[other].samples_us, strict=True)
    return median([first - second for first, second in pairs])
