"""Wake an event loop at a nanosecond of the monotonic clock.

uvloop's timers know whole milliseconds, which is what an open loop must not be late by. The
kernel's timerfd is exact, costs one call to set, and needs no spinning.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Callable

_CLOCK_MONOTONIC = 1
_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC
_ABSOLUTE = 1
_NS = 1_000_000_000

_libc = ctypes.CDLL(None, use_errno=True)


class Alarm:
    """One timer; Linux only, `OSError` elsewhere.

    It is level-triggered: `callback` has to call `set` or `clear`, else it is called again.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        if not hasattr(_libc, "timerfd_create"):
            raise OSError("the load harness needs Linux: there is no timerfd here")
        self._loop = loop
        self._descriptor: int = _libc.timerfd_create(_CLOCK_MONOTONIC, _FLAGS)
        if self._descriptor < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        self._settime = _libc.timerfd_settime
        self._spec = (ctypes.c_long * 4)()  # interval (none) and time, each seconds and nanoseconds
        loop.add_reader(self._descriptor, callback)

    def set(self, at_ns: int) -> None:
        """Call back at that moment, or at once if it has passed; replaces what was set."""
        self._spec[2], self._spec[3] = divmod(max(1, at_ns), _NS)
        self._settime(self._descriptor, _ABSOLUTE, self._spec, None)

    def clear(self) -> None:
        """Do not call back until it is set again."""
        self._spec[2] = self._spec[3] = 0
        self._settime(self._descriptor, _ABSOLUTE, self._spec, None)

    def close(self) -> None:
        """Give the timer back."""
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
