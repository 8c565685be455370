"""Run drills: `python -m bench.drills [NAME..]`, or `scripts/drill [NAME..]`; see bench/README.md.

The exit code is 0 when every criterion was kept, 1 when one was not, 2 for a wrong option.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

from bench.drills.catalogue import DRILLS, Drill
from bench.drills.checks import Checks, SkippedError
from bench.drills.scene import Order


def main(arguments: list[str] | None = None) -> int:
    """Run the drills named on the command line, or all of them."""
    parser = argparse.ArgumentParser(prog="drill", description=__doc__)
    names = [drill.name for drill in DRILLS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--seed", type=int, default=1, help="another run (default: 1)")
    parser.add_argument("--short", action="store_true", help="seconds each, as CI runs them")
    parser.add_argument("--seconds", type=float, help="how long, where a drill goes by time")
    parser.add_argument("--rounds", type=int, help="how often, where a drill goes by rounds")
    parser.add_argument("--rate", type=float, help="requests a second")
    parser.add_argument("--keep", type=Path, help="keep all files in this folder")
    parser.add_argument("--list", action="store_true", help="name the drills and stop")
    args = parser.parse_args(arguments)
    if args.list:
        for drill in DRILLS:
            print(f"{drill.name:<14} {drill.summary}")
        return 0
    if unknown := set(args.names) - set(names):
        parser.error(f"no such drill: {', '.join(sorted(unknown))}")
    results = [run(each, args) for each in DRILLS if not args.names or each.name in args.names]
    print("\n" + "\n".join(results))
    return 1 if any(result.startswith("FAIL") for result in results) else 0


def run(drill: Drill, args: argparse.Namespace) -> str:
    """Run one drill; return the line that tells how it went."""
    print(f"\n{drill.name}: {drill.summary} (seed {args.seed})", flush=True)
    root = args.keep or Path(tempfile.mkdtemp(prefix="korad-drill-"))
    folder = root / drill.name
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    order = Order(
        folder=folder,
        seed=args.seed,
        short=args.short,
        seconds=args.seconds,
        rounds=args.rounds,
        rate=args.rate,
    )
    checks = Checks()
    started = time.monotonic()
    try:
        asyncio.run(_awaited(drill, order, checks))
        failed = len(checks.failed)
        mark = "FAIL" if failed or not checks.all else "PASS"
        told = f"{len(checks.all)} criteria, {failed} not kept"
    except SkippedError as reason:
        mark, told = "SKIPPED", str(reason)
    except Exception as error:  # noqa: BLE001 - the other drills are still to be run
        traceback.print_exc()
        mark, told = "FAIL", f"broke off: {type(error).__name__}: {error}"
    finally:
        if args.keep is None:
            shutil.rmtree(root, ignore_errors=True)
    return f"{mark:<8} {drill.name:<14} {told} ({time.monotonic() - started:.0f} s)"


async def _awaited(drill: Drill, order: Order, checks: Checks) -> None:
    await drill.run(order, checks)


if __name__ == "__main__":
    sys.exit(main())
