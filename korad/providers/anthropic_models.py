"""What each Claude model accepts: the capability table behind the translation.

The API changes from model to model (sampling parameters, thinking, prefill, forced tools), not
only from version to version, so the differences are data: `korad/data/anthropic_models.toml`.
"""

from __future__ import annotations

import tomllib
from typing import Any, Literal

import msgspec

Thinking = Literal["none", "budget", "adaptive"]
ThinkingOff = Literal["omit", "disabled", "between_tools", "never"]
ForcedTools = Literal["always", "without_thinking", "never"]


class Capabilities(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one model accepts; the head of the data file explains each field."""

    sampling: bool
    temperature_with_top_p: bool
    thinking: Thinking
    thinking_off: ThinkingOff
    efforts: tuple[str, ...]
    structured_outputs: bool
    prefill: bool
    system_turns: bool
    forced_tools: ForcedTools
    cache_min_tokens: int
    default_max_tokens: int
    max_output_tokens: int
    token_multiplier: float


class CapabilityTable:
    """All rows by prefix. Parsed once, then only read."""

    __slots__ = ("_default", "_rows")

    def __init__(self, default: Capabilities, rows: dict[str, Capabilities]) -> None:
        self._default = default
        # Longest first, so that the first hit is the most specific.
        self._rows = sorted(rows.items(), key=lambda row: len(row[0]), reverse=True)

    @classmethod
    def parse(cls, text: str) -> CapabilityTable:
        """Return the table in TOML `text`. Raises for a row that is not complete."""
        document = tomllib.loads(text)
        default = document.get("default", {})
        rows: dict[str, Capabilities] = {}
        for row in document.get("model", ()):
            capabilities = _capabilities({**default, **row})
            for prefix in row["prefixes"]:
                if prefix in rows:
                    raise ValueError(f"prefix {prefix!r} stands in two rows")
                rows[prefix] = capabilities
        return cls(_capabilities(default), rows)

    def find(self, model: str) -> Capabilities:
        """Return the row of `model`, the default row for a name that no prefix fits.

        Clouds decorate the name ("us.anthropic.claude-opus-4-6-v1:0"): what stands before
        "claude" is skipped.
        """
        name = model[max(model.find("claude"), 0) :].replace(".", "-")
        for prefix, capabilities in self._rows:
            if name.startswith(prefix):
                return capabilities
        return self._default


def _capabilities(row: dict[str, Any]) -> Capabilities:
    fields = {name: value for name, value in row.items() if name != "prefixes"}
    return msgspec.convert(fields, Capabilities)
