"""The two tables keyed by models: `[aliases]` and `[prices]`."""

from __future__ import annotations

from collections.abc import Mapping, Set as AbstractSet
from pathlib import Path
from typing import Any

from korad.config.problems import Problems
from korad.domain.money import Price, price_from_usd_per_mtok


def read_aliases(
    table: Mapping[str, Any],
    file: Path | None,
    *,
    providers: AbstractSet[str] | None,
    disabled: Mapping[str, str],
    problems: Problems,
) -> dict[str, str]:
    """Return "provider/model" by bare name.

    A target's provider must be one of `providers` (None: any will do) and none of `disabled`,
    which says what would enable each.
    """
    aliases = {}
    for alias, target in table.items():
        where = f'{file}: [aliases] "{alias}"'
        if not alias.strip() or "/" in alias:
            problems.add(f"{where} must be a bare model name, without a slash")
        provider, _, model = target.partition("/") if isinstance(target, str) else ("", "", "")
        if not provider or not model:
            problems.add(f'{where} must name a model as "provider/model"')
        elif provider in disabled:
            problems.add(
                f"{where} needs the provider {provider}, which is not enabled: {disabled[provider]}"
            )
        elif providers is not None and provider not in providers:
            problems.unknown(f"{where}: the provider", provider, providers)
        else:
            aliases[alias] = target
    return aliases


def read_prices(
    table: Mapping[str, Any],
    file: Path | None,
    *,
    providers: AbstractSet[str] | None,
    problems: Problems,
) -> dict[str, Price]:
    """Return prices by model, given in USD per million tokens.

    A model's provider must be one of `providers` (None: any will do).
    """
    prices = {}
    for model, row in table.items():
        where = f'{file}: [prices."{model}"]'
        if "/" not in model and model != "*":
            problems.add(f'{where} must name a model as "provider/model", "provider/gpt*" or "*"')
            continue
        provider, slash, _ = model.partition("/")
        if slash and providers is not None and provider not in providers:
            problems.unknown(f"{where}: the provider", provider, providers)
            continue
        if not isinstance(row, dict):
            problems.add(f"{where} must be a table of USD per million tokens")
            continue
        try:
            prices[model] = price_from_usd_per_mtok(row)
        except ValueError as error:
            problems.add(f"{where}: {error}")
    return prices
