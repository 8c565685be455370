"""A profile as text."""

from __future__ import annotations

from collections.abc import Mapping

from bench.profiling.profile import Function, Profile

_NAME_CHARS = 58


def table(title: str, profile: Profile, times_us: Mapping[Function, float], *, rows: int) -> str:
    """Return the functions with the most bytecodes, per `title`, and those of korad's rooms."""
    total = profile.bytecodes
    calls = sum(each.calls for each in profile.functions.values())
    lines = [
        f"{title}: {total:,.0f} bytecodes, {calls:,.0f} Python calls",
        f"{'':{_NAME_CHARS}} {'bytecodes':>10} {'share':>6} {'sum':>5} {'calls':>7} {'us':>7}",
    ]
    so_far = 0.0
    ranked = sorted(profile.functions.items(), key=lambda each: -each[1].bytecodes)
    for function, figures in ranked[:rows]:
        so_far += figures.bytecodes
        us = times_us.get(function)
        lines.append(
            f"{str(function)[-_NAME_CHARS:]:{_NAME_CHARS}} {figures.bytecodes:>10,.1f} "
            f"{figures.bytecodes / total:>6.1%} {so_far / total:>5.0%} {figures.calls:>7.2f} "
            f"{'' if us is None else f'{us:.2f}':>7}"
        )
    if len(ranked) > rows:
        left = total - so_far
        lines.append(
            f"{f'... and {len(ranked) - rows} more':{_NAME_CHARS}} {left:>10,.1f} "
            f"{left / total:>6.1%}"
        )
    return "\n".join(lines) + "\n"


def rooms(profile: Profile) -> str:
    """Return the share of each file, the largest first."""
    total = profile.bytecodes
    files: dict[str, float] = {}
    for function, figures in profile.functions.items():
        files[function.file] = files.get(function.file, 0.0) + figures.bytecodes
    ranked = sorted(files.items(), key=lambda each: -each[1])
    told = [f"{file} {bytecodes:,.0f} ({bytecodes / total:.0%})" for file, bytecodes in ranked[:12]]
    return "by file: " + ", ".join(told) + "\n"
