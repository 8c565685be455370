"""Lines of JSON objects: a log's entries, or records that only stand a line each."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from korad.optimizer.recognition.kind_signs import MOST, NEARLY_ALL, Sample, share

LINES_MIN = 3
_LOOKED_AT = 5
"""Objects at each end of the sample that are read."""
_LEVEL_KEYS = ("level", "lvl", "severity", "loglevel", "log_level", "levelname", "log.level")
_LEVELS = frozenset(
    b"""
    trace debug verbose info information informational notice warn warning error err fatal critical
    crit severe alert emerg emergency panic
    """.split()
)
_NUMBERED_LEVELS = range(10, 61, 10)
_TIME_KEYS = (
    *("ts", "time", "timestamp", "@timestamp", "datetime", "asctime", "date", "t"),
    "__realtime_timestamp",
)
_MESSAGE_KEYS = ("msg", "message", "short_message", "log", "event")


def objects_of(sample: Sample, is_json: Callable[[str], bool]) -> list[str]:
    """Return some of the objects if most of the sample's lines are one each, else none."""
    lines = [line.strip() for line in sample.words]
    objects = [line for line in lines if line[0] == "{" and line[-1] == "}"]
    if len(objects) < max(LINES_MIN, MOST * len(lines)):
        return []
    looked_at = objects[:_LOOKED_AT] + objects[-_LOOKED_AT:]
    return looked_at if share(looked_at, is_json) >= NEARLY_ALL else []


def are_entries(objects: list[str]) -> bool:
    """Tell whether most of some objects have what a log's entry has: a level, or time and words."""
    return share(objects[::2], _is_entry) >= MOST


def _is_entry(line: str) -> bool:
    try:
        members = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False
    keys = {key.lower(): value for key, value in members.items()}
    if any(key in keys and _is_level(bytes(keys[key])) for key in _LEVEL_KEYS):
        return True
    return any(key in keys for key in _TIME_KEYS) and any(key in keys for key in _MESSAGE_KEYS)


def _is_level(value: bytes) -> bool:
    """Tell whether a value is the name or the number of a level, and not of a game or a floor."""
    if value.isdigit():
        return int(value[:4]) in _NUMBERED_LEVELS
    return value[1:-1].lower() in _LEVELS
