"""One process of a comparison: `python -P -m bench.micro.child SECONDS BYTECODES NAME...`.

Writes a `Run` as JSON. Which korad it measures, its PYTHONPATH says.
"""

from __future__ import annotations

import sys

import msgspec

from bench.micro.measure import measure


def main(seconds: str, bytecodes: str, *names: str) -> None:
    """Measure the benchmarks named; `bytecodes` is "1" where they are to be counted, else "0"."""
    found = measure(names, seconds=float(seconds), bytecodes=bytecodes == "1")
    sys.stdout.buffer.write(msgspec.json.encode(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
