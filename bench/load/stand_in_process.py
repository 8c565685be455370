"""The stand-in provider as a child process."""

from __future__ import annotations

import subprocess
import sys
import urllib.parse
import urllib.request
from types import TracebackType
from typing import Self

import msgspec

from bench.load.stand_in_orders import Counters, Orders

_ANSWER_S = 10
_END_S = 5


class StandIn:
    """A running stand-in provider; leave it as a context manager, or call `close`.

    Raises `RuntimeError` if it does not start.
    """

    def __init__(self, orders: Orders | None = None, *, port: int = 0) -> None:
        self._child = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "bench.load.stand_in", f"--port={port}"],
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            self.close()
            raise RuntimeError("the stand-in provider did not start")
        self.port = int(line)
        if orders is not None:  # not as options: everyone may read a command line, and a key
            self.control(orders)

    @property
    def url(self) -> str:
        """The base URL with its `/v1`."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def process_id(self) -> int:
        """For its CPU time."""
        return self._child.pid

    def control(self, orders: Orders | None = None) -> Counters:
        """Give it orders (None: the same as before); return what it counted, and count anew."""
        return control(f"http://127.0.0.1:{self.port}", orders)

    def close(self) -> None:
        """End it."""
        self._child.terminate()
        try:
            self._child.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        if self._child.stdout:
            self._child.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def control(origin: str, orders: Orders | None = None) -> Counters:
    """Give the stand-in at `origin` orders, as `StandIn.control` does."""
    query = urllib.parse.urlencode(msgspec.to_builtins(orders)) if orders else ""
    with urllib.request.urlopen(f"{origin}/control?{query}", timeout=_ANSWER_S) as reply:  # noqa: S310
        return msgspec.json.decode(reply.read(), type=Counters)
