"""`--check`: a limit on a figure, for every target or for one; it decides the exit code."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bench.load.result import Check, Client, Figures, TargetResult

FigureOf = Callable[[Figures, str], float | None]
"""Returns a figure by its name, None if it was not measured; raises KeyError for no such name."""

KNEE = "knee_rate"
"""Of a ladder: not one of `Figures`, since no block has one."""

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le, ">=": operator.ge, "==": operator.eq, "<": operator.lt, ">": operator.gt,
}  # fmt: skip
_PATTERN = re.compile(
    r"\s*(?:(?P<target>[^:<>=]+?)\s*:)?\s*(?P<figure>[A-Za-z_]\w*)\s*"
    r"(?P<operator><=|>=|==|<|>)\s*(?P<limit>[-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*"
)


# Asked for a figure's name only.
_NOTHING = Figures(
    seconds=1.0, started=0, ok=0, left=0, errors={}, requests_per_s=0.0, tokens_per_s=0.0,
    chunks=0, goodput=None, histograms={}, timeline=[], resources=None,
    client=Client(processes=0, cpu_share=0.0, lag_p99_ns=0, shed=0, invalid=None),
)  # fmt: skip


class CheckError(Exception):
    """A `--check` that cannot be understood."""


class Limit(NamedTuple):
    """A parsed check."""

    text: str
    target: str | None
    """None: every target."""
    figure: str
    operator: str
    limit: float


def parse_check(text: str, targets: Sequence[str], figure_of: FigureOf) -> Limit:
    """Return the check in `text`: `figure<=x` or `target:figure<=x`.

    Raises CheckError, also for a target or a figure that there is not.
    """
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise CheckError(
            f"--check {text!r}: not FIGURE<=NUMBER or TARGET:FIGURE<=NUMBER; "
            f"operators are {', '.join(_OPERATORS)}"
        )
    target = match["target"]
    if target is not None and target not in targets:
        raise CheckError(f"--check {text!r}: no target {target!r}; there are {', '.join(targets)}")
    try:
        limit = float(match["limit"])
    except ValueError as error:
        raise CheckError(f"--check {text!r}: {match['limit']} is no number") from error
    if match["figure"] != KNEE:
        try:
            figure_of(_NOTHING, match["figure"])
        except KeyError as error:
            raise CheckError(
                f"--check {text!r}: no figure {match['figure']!r}; bench/README.md names them"
            ) from error
    return Limit(text.strip(), target, match["figure"], match["operator"], limit)


def evaluate(
    limits: Sequence[Limit], results: Sequence[TargetResult], figure_of: FigureOf
) -> list[Check]:
    """Return what became of each check, one for each target it is about.

    A figure that was not measured, and any figure of an invalid run, fails.
    """
    return [
        _check(limit, result, figure_of)
        for limit in limits
        for result in results
        if limit.target in (None, result.name)
    ]


def _check(limit: Limit, result: TargetResult, figure_of: FigureOf) -> Check:
    if limit.figure == KNEE:
        # Its rungs were judged one by one: those that the client limited were not kept.
        value, valid = result.knee_rate, True
    else:
        value = figure_of(result.total, limit.figure)
        valid = all(each.client.invalid is None for each in (result.total, *result.blocks))
    passed = value is not None and valid and _OPERATORS[limit.operator](value, limit.limit)
    return Check(text=limit.text, target=result.name, value=value, passed=passed)
