"""What the first releases of a supported Python get wrong; Debian 12 has one of them."""

from __future__ import annotations

import importlib
import pkgutil
import re
from re import _parser

import korad

BACKTRACKING = {"BRANCH", "MAX_REPEAT", "MIN_REPEAT", "ASSERT", "ASSERT_NOT"}


def operations(parsed):
    """Yield each operation of a parsed pattern, with what it is about."""
    for operation, argument in parsed:
        yield str(operation), argument
        for part in argument if isinstance(argument, (tuple, list)) else ():
            for each in part if isinstance(part, list) else [part]:
                if isinstance(each, _parser.SubPattern):
                    yield from operations(each)


def goes_wrong(pattern, flags=0):
    """Tell whether a possessive repeat, or an atomic group, holds what may have to backtrack."""
    return any(
        inner in BACKTRACKING
        for operation, argument in operations(_parser.parse(pattern, flags))
        if operation in {"POSSESSIVE_REPEAT", "ATOMIC_GROUP"}
        for inner, _ in operations(argument if operation == "ATOMIC_GROUP" else argument[2])
    )


def test_such_patterns_are_found():
    assert goes_wrong(r"x(?:ab|cd)?+")
    assert goes_wrong(r"(?:(?:[^<]++|<(?!/b))*+)|c")
    assert goes_wrong(rb"(?>ab?c)")
    assert not goes_wrong(r"[^<]*+(?:<(?!/)[^<]*+)*")
    assert not goes_wrong(rb'[^"\\]*+(?:\\.[^"\\]*+)*+')


def test_no_pattern_repeats_possessively_what_may_have_to_backtrack():
    # gh-106052, mended in 3.11.5: web pages came out as their mark-up, or without their text.
    names = [module.name for module in pkgutil.walk_packages(korad.__path__, "korad.")]
    modules = [importlib.import_module(name) for name in names if not name.endswith("__main__")]
    patterns = [
        each for module in modules for each in vars(module).values() if isinstance(each, re.Pattern)
    ]

    assert len(patterns) > 100
    assert [each.pattern for each in patterns if goes_wrong(each.pattern, each.flags)] == []
