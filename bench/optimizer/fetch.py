"""`bench fetch`: download public data sets and write them in the format of `bench optimizer`."""

from __future__ import annotations

import argparse
import gzip
import hashlib
import sys
import urllib.error
import urllib.request
from pathlib import Path

from bench.optimizer.conversation import encode_conversation
from bench.optimizer.sources import SOURCES, Source

SUMMARY = "download public data sets (some MB) for `bench optimizer --data`"
OUT = Path(__file__).parents[2] / "build" / "bench-data"
TIMEOUT_S = 30
EXIT_FAILED = 2


class FetchError(Exception):
    """A data set could not be downloaded or is not what was expected."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `bench fetch`."""
    parser.add_argument(
        "--out", type=Path, default=OUT, help="folder for the data (default: build/bench-data)"
    )
    parser.add_argument("--list", action="store_true", help="print links and licences only")


def run(args: argparse.Namespace) -> int:
    """Download what can be had; the exit code is 2 if anything could not."""
    if args.list:
        for source in SOURCES:
            sys.stdout.write(f"{source.name}: {source.url} ({source.licence})\n")
        return 0
    args.out.mkdir(parents=True, exist_ok=True)
    failed = 0
    for source in SOURCES:
        try:
            raw = download(source)
            count = write(source, raw, args.out)
        except FetchError as error:
            sys.stderr.write(f"bench fetch: {source.name}: {error}\n")
            failed += 1
            continue
        digest = hashlib.sha256(raw).hexdigest()
        sys.stdout.write(f"{source.name}: {count} conversations, SHA-256 {digest}\n")
    if failed == len(SOURCES):
        sys.stderr.write("bench fetch: nothing came; is there a way to the internet from here?\n")
    return EXIT_FAILED if failed else 0


def download(source: Source) -> bytes:
    """Return the source's bytes. Raises FetchError."""
    try:
        with urllib.request.urlopen(source.url, timeout=TIMEOUT_S) as answer:  # noqa: S310 - https, fixed
            raw: bytes = answer.read(source.bytes_max + 1)
    except (OSError, urllib.error.URLError) as error:
        raise FetchError(f"cannot download {source.url}: {error}") from error
    if len(raw) > source.bytes_max:
        raise FetchError(f"larger than {source.bytes_max} bytes: not what was expected")
    if source.sha256 and hashlib.sha256(raw).hexdigest() != source.sha256:
        raise FetchError("another SHA-256 than expected")
    return raw


def write(source: Source, raw: bytes, folder: Path) -> int:
    """Write the conversations of a download and return their number. Raises FetchError."""
    try:
        conversations = list(source.convert(raw))
    except (ValueError, KeyError, TypeError, OSError, EOFError, StopIteration) as error:
        raise FetchError(f"not in the format that was expected: {error!r}") from error
    for at, conversation in enumerate(conversations):
        conversation.id = f"{source.name}/{at:03}"
        conversation.source, conversation.licence = source.url, source.licence
    lines = b"\n".join(encode_conversation(one) for one in conversations)
    (folder / f"{source.name}.jsonl.gz").write_bytes(gzip.compress(lines + b"\n", mtime=0))
    return len(conversations)
