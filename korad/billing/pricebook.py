"""The price book: which price a provider's model has today.

Configured prices beat the list. In the list a model is looked for under its provider, then under
the providers it falls back to, each time by the name as given and then by its other spellings:

    anthropic/claude-sonnet-4-5, models/gemini-3-pro      the provider's own prefix goes
    claude-sonnet-4.5, claude-sonnet-4-5                  a dot or a dash between digits
    gpt-5.2-20251211, gpt-5.2-2025-12-11                  a date with or without dashes
    ...-20250929, ...@20250929, ...-2024-07-18, -latest   a snapshot costs what its model costs

A model that is not found has no price: it is never free.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import orjson

from korad.billing.pricelist import ListedPrice, ListedProvider
from korad.domain.money import Price

LOOKUPS_MAX = 4096
"""Look-ups kept, found or not; the oldest goes first."""
NAME_CHARS_MAX = 256
"""No provider or model name is longer; such a name has no price and is not kept."""

UNLISTED = frozenset({"vllm", "ollama"})
"""Local inference: a model named after a vendor does not cost what the vendor asks."""

VENDORS = {
    "google": "gemini",
    "x-ai": "xai",
    "mistralai": "mistral",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
}
"""Vendors in the model names of gateways, where they are called otherwise than here."""

OWN_PREFIXES = {
    "gemini": ("models/", "google/"),
    "xai": ("x-ai/",),
    "mistral": ("mistralai/",),
    "fireworks": ("accounts/fireworks/models/",),
}
"""What else than "<provider>/" may stand before a model's name at its own provider."""

_DATE = re.compile(r"[-@](?:20\d{6}|20\d\d-\d\d-\d\d)\Z")
_COMPACT_DATE = re.compile(r"-(20\d\d)(\d\d)(\d\d)\Z")
_DOT = re.compile(r"(?<=\d)\.(?=\d)")
_DASH = re.compile(r"(?<=\d)-(?=\d(?!\d))")


class PriceBook:
    """Prices of one day by provider and model, names in any case. Look-ups are cached."""

    def __init__(
        self,
        list_date: str,
        providers: Mapping[str, ListedProvider],
        overrides: Mapping[str, Price],
    ) -> None:
        self.date = list_date
        """ISO date of the list."""
        self._providers = providers
        self._overrides = _Overrides(overrides)
        self._lookups: dict[tuple[str, str], ListedPrice | None] = {}

    @classmethod
    def parse(cls, data: bytes, overrides: Mapping[str, Price], *, today: str) -> PriceBook:
        """Read a price list (`korad/data/prices.json`) as it stands on `today`, an ISO date.

        `overrides` is keyed "provider/model"; a trailing "*" matches any rest and the longest
        match wins. Raises ValueError for what is not a price list.
        """
        try:
            content = orjson.loads(data)
            providers = {
                name: ListedProvider(row["models"], row["fallback"], today)
                for name, row in content["providers"].items()
            }
            return cls(content["date"], providers, overrides)
        except (KeyError, TypeError, AttributeError, re.error) as error:
            raise ValueError(f"not a price list: {error!r}") from error

    def find(self, provider: str, model: str, utc_minute: int | None = None) -> Price | None:
        """Return the price of a provider's model, or None if it has none.

        `utc_minute` (0-1439) is the minute of the day, for providers whose prices have hours;
        without it the dearest hour counts.
        """
        key = (provider, model)
        if key in self._lookups:
            listed = self._lookups[key]
        elif len(provider) > NAME_CHARS_MAX or len(model) > NAME_CHARS_MAX:
            return None
        else:
            listed = self._look_up(provider.lower(), model.lower())
            if len(self._lookups) >= LOOKUPS_MAX:
                del self._lookups[next(iter(self._lookups))]
            self._lookups[key] = listed
        if listed is None:
            return None
        return listed.at(utc_minute) if listed.hours else listed.price

    def override(self, provider: str, model: str) -> Price | None:
        """Return the configured price of a name, or None: the list is not consulted."""
        return self._overrides.find(f"{provider}/{model}".lower())

    def models(self, provider: str) -> list[str]:
        """Return the names of a provider's priced models, sorted; [] for an unlisted provider."""
        name = provider.lower()
        listed = self._providers[name].concrete_names() if name in self._providers else set()
        # "gpt-5-1" is only another spelling where "gpt-5.1" is listed too.
        respelled = {model for model in listed if _DASH.sub(".", model) in listed - {model}}
        return sorted((listed - respelled) | self._overrides.exact_models(name))

    def _look_up(self, provider: str, model: str) -> ListedPrice | None:
        override = self._overrides.find(f"{provider}/{model}")
        if override is not None:
            return ListedPrice(price=override)
        if provider in UNLISTED:
            return None
        if provider not in self._providers:
            vendor, _, model = model.partition("/")
            provider = VENDORS.get(vendor, vendor)
        if provider not in self._providers:
            return None
        for name in (provider, *self._providers[provider].fallback):
            index, source = self._match(name, model)
            if index is not None:
                return source.listed(index)
        return None

    def _match(self, provider: str, model: str) -> tuple[int | None, ListedProvider]:
        source = self._providers[provider]
        for spelling in _spellings(provider, model):
            index = source.match(spelling)
            if index is not None:
                return index, source
        return None, source


class _Overrides:
    """Configured prices by "provider/model" pattern, in lower case."""

    def __init__(self, prices: Mapping[str, Price]) -> None:
        lowered = {pattern.lower(): price for pattern, price in prices.items()}
        self._exact = {name: price for name, price in lowered.items() if not name.endswith("*")}
        starts = [(name[:-1], price) for name, price in lowered.items() if name.endswith("*")]
        self._starts = sorted(starts, key=lambda row: len(row[0]), reverse=True)

    def find(self, name: str) -> Price | None:
        """Return the price of the longest pattern that matches, or None."""
        if name in self._exact:
            return self._exact[name]
        return next((price for start, price in self._starts if name.startswith(start)), None)

    def exact_models(self, provider: str) -> set[str]:
        """Return the models of a provider that are named in full."""
        start = f"{provider}/"
        return {name.removeprefix(start) for name in self._exact if name.startswith(start)}


def _spellings(provider: str, model: str) -> Iterator[str]:
    """Yield a lower-case model name and its other spellings, the most exact first."""
    prefixes = (f"{provider}/", *OWN_PREFIXES.get(provider, ()))
    names = [model, *(model.removeprefix(start) for start in prefixes if model.startswith(start))]
    yield from names
    names = [dated for name in names for dated in (name, _COMPACT_DATE.sub(r"-\1-\2-\3", name))]
    names += [_undated(name) for name in names]
    for name in dict.fromkeys(names):
        yield name
        yield _DOT.sub("-", name)
        yield _DASH.sub(".", name)


def _undated(name: str) -> str:
    return _DATE.sub("", name.removesuffix("-latest"))
