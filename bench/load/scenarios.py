"""Scenario files: TOML in, a checked `Scenario` out, or an error that names file and key.

The built-in ones are the files of `bench/scenarios`, found by their name without `.toml`.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from bench.load.plan import LEVELS, Arrivals, Ladder, Prompts, Scenario, Stage

FOLDER = Path(__file__).parents[1] / "scenarios"
ARRIVALS: tuple[Arrivals, ...] = get_args(Arrivals)
BODY_BYTES_MIN = 100
"""A request of less would have no text in it."""


class ScenarioError(Exception):
    """A scenario cannot be found, read or run."""


def built_in() -> list[Scenario]:
    """Return the scenarios of `bench/scenarios`, by name. Raises ScenarioError."""
    return [read_scenario(path) for path in sorted(FOLDER.glob("*.toml"))]


def find_scenario(name: str) -> tuple[Scenario, Path]:
    """Return a scenario and the folder its data sets are relative to.

    `name` is a built-in scenario's name or the path of a TOML file. Raises ScenarioError.
    """
    path = Path(name)
    if path.suffix != ".toml":
        path = FOLDER / f"{name}.toml"
        if not path.is_file() or path.parent != FOLDER:
            known = ", ".join(sorted(each.stem for each in FOLDER.glob("*.toml")))
            raise ScenarioError(f"no scenario {name!r}: there are {known}, or name a .toml file")
    return read_scenario(path), path.parent


def read_scenario(path: Path) -> Scenario:
    """Return the scenario of a file, named after it. Raises ScenarioError with file and key."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ScenarioError(f"{path}: {error}") from error
    if "name" in values:
        raise ScenarioError(f"{path}: name: unknown key: a scenario is named after its file")
    for problem in _unknown_keys(values, Scenario, ""):
        raise ScenarioError(f"{path}: {problem}")
    try:
        scenario = msgspec.convert({"name": path.stem, **values}, Scenario)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        raise ScenarioError(f"{path}: {where.strip('.`') or 'file'}: {what}") from error
    return _checked(scenario, str(path))


def with_options(
    scenario: Scenario,
    *,
    rate: float | None = None,
    arrivals: Arrivals | None = None,
    duration_s: float | None = None,
    warmup_s: float | None = None,
    prompts: Prompts | None = None,
) -> Scenario:
    """Return the scenario with what the command line says otherwise. Raises ScenarioError.

    rate: of the fastest stage, the others in proportion; of a ladder: of its first rung; closed
    loop: refused. duration_s: of all stages together, in proportion; of a ladder: of each rung.
    """
    numbers = {"--rate": rate, "--duration": duration_s, "--warmup": warmup_s}
    words = [f"{name} {value:g}" for name, value in numbers.items() if value is not None]
    words += [f"--arrivals {arrivals}"] if arrivals is not None else []
    words += ["--data"] if prompts is not None else []
    # The summary tells of the file's load, so it has to tell what is otherwise now.
    otherwise = f" (changed: {', '.join(words)})" if words else ""
    changed = msgspec.structs.replace(scenario, summary=scenario.summary + otherwise)
    if arrivals is not None:
        changed = msgspec.structs.replace(changed, arrivals=arrivals)
    if warmup_s is not None:
        changed = msgspec.structs.replace(changed, warmup_s=warmup_s)
    if prompts is not None:
        changed = msgspec.structs.replace(changed, prompts=prompts)
    if rate is not None and changed.arrivals == "closed":
        raise ScenarioError("--rate: a closed loop has none; its clients.connections set the load")
    if changed.ladder is not None:
        return _checked(_with_ladder(changed, changed.ladder, rate, duration_s), "command line")
    # A stage of nothing would divide by zero below, and is refused anyway.
    _checked(changed, "command line")
    top = max(stage.rate for stage in changed.stages)
    faster = 1.0 if rate is None else rate / top
    longer = 1.0 if duration_s is None else duration_s / changed.seconds
    stages = tuple(
        Stage(seconds=stage.seconds * longer, rate=stage.rate * faster) for stage in changed.stages
    )
    return _checked(msgspec.structs.replace(changed, stages=stages), "command line")


def _with_ladder(
    scenario: Scenario, ladder: Ladder, rate: float | None, duration_s: float | None
) -> Scenario:
    changed = msgspec.structs.replace(
        ladder,
        start=ladder.start if rate is None else rate,
        seconds=ladder.seconds if duration_s is None else duration_s,
    )
    return msgspec.structs.replace(scenario, ladder=changed)


# ── what a file may hold ─────────────────────────────────────────────────────────────────────────


def _unknown_keys(values: dict[str, Any], kind: type[msgspec.Struct], at: str) -> Iterator[str]:
    fields = get_type_hints(kind)
    for key, value in values.items():
        where = f"{at}.{key}" if at else key
        if key not in fields:
            known = ", ".join(name for name in fields if name != "name" or at)
            yield f"{where}: unknown key; known are {known}"
            continue
        below = _struct_in(fields[key])
        if below is None:
            continue
        for index, each in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(each, dict):
                place = f"{where}[{index}]" if isinstance(value, list) else where
                yield from _unknown_keys(each, below, place)


def _struct_in(hint: Any) -> type[msgspec.Struct] | None:
    """Return the Struct in `Struct`, `Struct | None` or `tuple[Struct, ...]`, if there is one."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint
    if get_origin(hint) is dict:
        return None
    found = (_struct_in(argument) for argument in get_args(hint))
    return next((each for each in found if each is not None), None)


# ── what makes a scenario that can be run ────────────────────────────────────────────────────────

Rule = tuple[str, Callable[[float], bool], str]


def _at_least(low: float) -> tuple[Callable[[float], bool], str]:
    return lambda value: low <= value < math.inf, f"must be at least {low:g}"


def _above(low: float) -> tuple[Callable[[float], bool], str]:
    return lambda value: low < value < math.inf, f"must be more than {low:g}"


_SHARE = (lambda value: 0 <= value <= 1, "must be a share from 0 to 1")
_RULES: list[Rule] = [
    ("warmup_s", *_at_least(0)),
    ("prompts.mean_bytes", *_at_least(BODY_BYTES_MIN)),
    ("prompts.sd_bytes", *_at_least(0)),
    ("prompts.distinct", *_at_least(1)),
    ("prompts.turns", *_at_least(1)),
    ("prompts.think_s", *_at_least(0)),
    ("answers.max_tokens", *_at_least(1)),
    ("answers.chunks", *_at_least(1)),
    ("answers.chunk_bytes", *_at_least(1)),
    ("answers.interval_s", *_at_least(0)),
    ("answers.first_chunk_s", *_at_least(0)),
    ("answers.latency_s", *_at_least(0)),
    ("answers.body_bytes", *_at_least(1)),
    ("clients.stream", *_SHARE),
    ("clients.aborts", *_SHARE),
    ("clients.slow", *_SHARE),
    ("clients.slow_bytes_per_s", *_at_least(1)),
    ("clients.connections", *_at_least(1)),
    ("slo.ttft_ms", *_above(0)),
    ("slo.itl_ms", *_above(0)),
    ("slo.e2e_ms", *_above(0)),
    ("ladder.start", *_above(0)),
    ("ladder.factor", *_above(1)),
    ("ladder.rungs", *_at_least(1)),
    ("ladder.seconds", *_above(0)),
    ("ladder.goodput_min", *_SHARE),
]


def _checked(scenario: Scenario, source: str) -> Scenario:
    for problem in _problems(scenario):
        raise ScenarioError(f"{source}: {problem}")
    return scenario


def _problems(scenario: Scenario) -> Iterator[str]:
    for path, is_good, words in _RULES:
        value = _value_at(scenario, path)
        if value is not None and not is_good(value):
            yield f"{path}: {words}, not {value:g}"
    yield from _stage_problems(scenario)
    yield from _level_problems(scenario)
    if scenario.prompts.kind == "synthetic":
        if scenario.prompts.path is not None:
            yield "prompts.path: synthetic prompts have no file"
    elif not scenario.prompts.path:
        yield f"prompts.path: prompts of kind {scenario.prompts.kind} need a file"
    slo = scenario.slo
    if scenario.ladder is not None and slo.ttft_ms is slo.itl_ms is slo.e2e_ms is None:
        yield "slo: a ladder ends where goodput falls, so it needs a limit"
    if scenario.ladder is not None and scenario.arrivals == "closed":
        yield "ladder: a closed loop has no rates that could rise"


def _stage_problems(scenario: Scenario) -> Iterator[str]:
    if not scenario.stages:
        yield "stages: there must be one at least"
    for index, stage in enumerate(scenario.stages):
        if not 0 < stage.seconds < math.inf:
            yield f"stages[{index}].seconds: must be more than 0, not {stage.seconds:g}"
        if not 0 <= stage.rate < math.inf:
            yield f"stages[{index}].rate: must be at least 0, not {stage.rate:g}"
    if scenario.stages and all(stage.rate == 0 for stage in scenario.stages):
        yield "stages: one at least must have a rate above 0"


def _level_problems(scenario: Scenario) -> Iterator[str]:
    for level, weight in scenario.levels.items():
        if level not in LEVELS:
            yield f"levels.{level}: no such level; there are {', '.join(LEVELS)}"
        elif not 0 <= weight < math.inf:
            yield f"levels.{level}: must be at least 0, not {weight:g}"
    if scenario.levels and sum(scenario.levels.values()) == 0:
        yield "levels: one at least must have a weight above 0"


def _value_at(scenario: Scenario, path: str) -> float | None:
    value: Any = scenario
    for name in path.split("."):
        if value is not None:
            value = getattr(value, name)
    found: float | None = value
    return found
