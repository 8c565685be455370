"""Count the bytecodes of every function per request, by who called whom.

Counted, not timed: two runs give the same figures, on any machine. A request's figure is the
median over some requests, so that what happens now and then beside them (timers, keys looked at)
is left out.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

_BENCH = str(Path(__file__).parents[1])
_Local = Callable[[FrameType, str, Any], Any]


class Node:
    """A function as called by one chain of callers."""

    __slots__ = ("bytecodes", "calls", "children", "code", "history")

    def __init__(self, code: CodeType | None) -> None:
        self.code = code
        self.children: dict[CodeType, Node] = {}
        self.bytecodes = 0
        self.calls = 0
        self.history: list[tuple[int, int]] = []
        """Bytecodes and calls of each request so far, those before the first call left out."""

    def walk(self) -> Iterator[Node]:
        """Give this node and all below."""
        yield self
        for child in self.children.values():
            yield from child.walk()


class Tracer:
    """Counts the calls of one thread while `tracing`; the ends' own code is left out."""

    def __init__(self) -> None:
        self.root = Node(None)
        self.requests = 0
        self._ends = Node(None)
        """Client, provider and all that they call."""
        self._nodes: dict[FrameType, Node] = {}

    @contextmanager
    def tracing(self) -> Iterator[None]:
        """Count within.

        Without garbage collections: what finalizers do in one belongs to no request, and one may
        come while `end_request` walks the nodes, to which the finalizer's would be added.
        """
        former = sys.gettrace()
        collecting = gc.isenabled()
        gc.disable()
        sys.settrace(self._on_call)
        try:
            yield
        finally:
            sys.settrace(former)
            if collecting:
                gc.enable()
            self._nodes.clear()

    def end_request(self) -> None:
        """Take what was counted since the last time for one request."""
        self.requests += 1
        for node in self.root.walk():
            node.history.append((node.bytecodes, node.calls))
            node.bytecodes = node.calls = 0

    def _on_call(self, frame: FrameType, _event: str, _arg: Any) -> _Local:
        code = frame.f_code
        if code.co_filename.startswith(_BENCH):
            node = self._ends
        else:
            caller = None if frame.f_back is None else self._nodes.get(frame.f_back)
            children = (caller or self.root).children
            node = children.get(code) or children.setdefault(code, Node(code))
        node.calls += 1
        self._nodes[frame] = node
        frame.f_trace = follow = self._follow(node)  # for 3.13, before the next line
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return follow

    def _follow(self, node: Node) -> _Local:
        def on_event(frame: FrameType, event: str, _arg: Any) -> _Local:
            if event == "opcode":
                node.bytecodes += 1
            elif event == "return":
                self._nodes.pop(frame, None)
            return on_event

        return on_event
