"""From what was traced to a profile: figures of functions, and a tree of them."""

from __future__ import annotations

from pathlib import Path
from types import CodeType
from typing import NamedTuple

import korad
from bench.micro.statistics import median
from bench.profiling.tracer import Node, Tracer

_HOUSE = Path(korad.__file__).parent
_THIRD_PARTY = "site-packages/"


class Function(NamedTuple):
    """Whose figures."""

    file: str
    """From korad's folder, a package's or the standard library's on."""
    name: str

    def __str__(self) -> str:
        return f"{self.file}:{self.name}"


class Figures(NamedTuple):
    """Of one function, per request: its own, not what it calls."""

    bytecodes: float
    calls: float


class Branch(NamedTuple):
    """A function under its caller; bytecodes with all it calls."""

    function: Function
    bytecodes: float
    branches: list[Branch]


class Profile(NamedTuple):
    """Per request."""

    functions: dict[Function, Figures]
    tree: list[Branch]
    """What the event loop called."""

    @property
    def bytecodes(self) -> float:
        """All of them."""
        return sum(each.bytecodes for each in self.functions.values())


def profile_of(tracer: Tracer) -> Profile:
    """Return the medians over the traced requests."""
    functions: dict[Function, Figures] = {}
    for node in tracer.root.walk():
        if node.code is None:
            continue
        found = _typical(node, tracer.requests)
        function = function_of(node.code)
        before = functions.get(function, Figures(0.0, 0.0))
        if found.calls:
            functions[function] = Figures(
                before.bytecodes + found.bytecodes, before.calls + found.calls
            )
    return Profile(functions, _branches(tracer.root, tracer.requests))


def per_chunk(longer: Profile, shorter: Profile, chunks: int) -> Profile:
    """Return what each of the `chunks` costs that one stream has more than another."""
    functions = {}
    for function, figures in longer.functions.items():
        less = shorter.functions.get(function, Figures(0.0, 0.0))
        bytecodes, calls = figures.bytecodes - less.bytecodes, figures.calls - less.calls
        if bytecodes or calls:
            functions[function] = Figures(bytecodes / chunks, calls / chunks)
    return Profile(functions, [])


def function_of(code: CodeType) -> Function:
    """Return the function that a code object belongs to."""
    path = code.co_filename
    if path.startswith(str(_HOUSE)):
        file = path[len(str(_HOUSE)) + 1 :]
    elif _THIRD_PARTY in path:
        file = path.rpartition(_THIRD_PARTY)[2]
    else:
        file = "/".join(Path(path).parts[-2:])
    return Function(file, code.co_qualname)


def _branches(node: Node, requests: int) -> list[Branch]:
    made = []
    for code, child in node.children.items():
        below = _branches(child, requests)
        total = _typical(child, requests).bytecodes + sum(each.bytecodes for each in below)
        if total:
            made.append(Branch(function_of(code), total, below))
    return sorted(made, key=lambda each: -each.bytecodes)


def _typical(node: Node, requests: int) -> Figures:
    unseen = [(0, 0)] * (requests - len(node.history))
    whole = unseen + node.history
    return Figures(median([each for each, _ in whole]), median([each for _, each in whole]))
