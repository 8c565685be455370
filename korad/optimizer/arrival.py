"""Find the messages of a request whose body is still arriving.

A message ends where the next one begins: at an object whose first member is its role. Quotes
within texts are escaped, so the bytes of such a beginning stand nowhere else in a usual body. In
an unusual one nothing is found, or something that is no message of it: what is made of that is
never asked for, as forms are looked up by the whole chain of messages.
"""

from __future__ import annotations

import re

from korad.optimizer.messages import read_message

_LIST = re.compile(rb'"messages"\s*:\s*\[\s*(?=\{)')
_ROLE = b'"role"'
TRIES_MAX = 16
"""Places that look like a message's end and are none, after which nothing more is looked for."""


class Arrival:
    """The body as far as it has come."""

    __slots__ = ("_data", "_searched", "_start", "_tries_left")

    def __init__(self) -> None:
        self._data = bytearray()
        self._start = -1
        """Where the message begins whose end has not come yet; -1: the list has not begun."""
        self._searched = 0
        self._tries_left = TRIES_MAX

    def feed(self, data: bytes) -> list[bytes]:
        """Take further bytes and return the messages that they complete, in order."""
        if not self._tries_left:
            return []
        self._data += data
        if self._start < 0 and not self._find_list():
            return []
        messages: list[bytes] = []
        while (end := self._next_start()) >= 0:
            message = bytes(self._data[self._start : end]).rstrip().removesuffix(b",").rstrip()
            if read_message(message) is None:
                # Not where a message ends; it may end at a later one. Whoever writes such bodies
                # on purpose is not waited on: each try reads the message again.
                self._tries_left -= 1
                if not self._tries_left:
                    return messages
                continue
            messages.append(message)
            self._start = end
        return messages

    def _find_list(self) -> bool:
        found = _LIST.search(self._data, self._searched)
        if found is None:
            # The pattern may have begun at the end of what has come.
            self._searched = max(0, len(self._data) - 64)
            return False
        self._start = found.end()
        self._searched = self._start + 1
        return True

    def _next_start(self) -> int:
        """Return where the next message begins, or -1."""
        data = self._data
        while (role := data.find(_ROLE, self._searched)) >= 0:
            self._searched = role + len(_ROLE)
            brace = role - 1
            while brace > self._start and data[brace] in b" \t\r\n":
                brace -= 1
            if brace > self._start and data[brace : brace + 1] == b"{":
                return brace
        self._searched = max(self._searched, len(data) - len(_ROLE))
        return -1
