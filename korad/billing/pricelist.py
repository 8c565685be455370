"""The format of `korad/data/prices.json`: a provider's models, their name rules and dated rows.

A rule is a string, its first character saying how it compares: "=" equals, "^" starts with,
"$" ends with, "~" contains, "/" finds a regular expression. A list is any of its rules,
{"all": [...]} all of them. The first model whose rule takes a name has it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from korad.domain.money import CLASSES, Price, PriceTier, new_price
from korad.domain.value import value


@value
class ListedPrice:
    """A model's price on one day: outside and inside the hours that have a price of their own."""

    price: Price
    hours: tuple[tuple[int, int, Price], ...] = ()
    """(first minute of the UTC day, minute after the last, price)."""

    def at(self, utc_minute: int | None) -> Price:
        """Return the price at a minute of the day (0-1439); for None that of the dearest hour."""
        if utc_minute is None:
            # What is billed at an unknown hour must not be below cost.
            return max((self.price, *(price for _, _, price in self.hours)), key=_weight)
        for start, end, price in self.hours:
            if _within(utc_minute, start, end):
                return price
        return self.price


class ListedProvider:
    """One provider's models: names with an "=" rule in a dict, all other rules in their order."""

    def __init__(
        self, models: Sequence[Mapping[str, Any]], fallback: Sequence[str], today: str
    ) -> None:
        self.fallback = tuple(fallback)
        """Providers whose prices count for models that are not listed here."""
        self._ids: list[str] = []
        self._rows: list[Mapping[str, Any] | None] = []
        self._equal: dict[str, int] = {}
        self._rules: list[tuple[int, Callable[[str], bool]]] = []
        self._by_id: dict[str, int] = {}
        for index, model in enumerate(models):
            self._ids.append(model["id"])
            self._rows.append(_row_of_day(model["rows"], today))
            self._by_id.setdefault(model["id"].lower(), index)
            for rule in _alternatives(model["match"]):
                if isinstance(rule, str) and rule.startswith("="):
                    self._equal.setdefault(rule[1:], index)
                else:
                    self._rules.append((index, _predicate(rule)))

    def match(self, name: str) -> int | None:
        """Return the index of the first model that takes a lower-case name, else of that id."""
        index = self._match_rules(name)
        return self._by_id.get(name) if index is None else index

    def _match_rules(self, name: str) -> int | None:
        equal = self._equal.get(name)
        for index, takes in self._rules:
            if equal is not None and index > equal:
                break
            if takes(name):
                return index
        return equal

    def listed(self, index: int) -> ListedPrice | None:
        """Return the price of a model, or None if it is listed without one."""
        row = self._rows[index]
        if row is None:
            return None
        hours = tuple((start, end, _price(special)) for start, end, special in row.get("hours", ()))
        return ListedPrice(price=_price(row), hours=hours)

    def concrete_names(self) -> set[str]:
        """Return the names to offer: ids that their own rules take, and names with an "=" rule."""
        ids = {
            model_id
            for index, model_id in enumerate(self._ids)
            if not model_id.endswith("-") and self._offers(model_id.lower(), index)
        }
        spelled = {model_id.lower() for model_id in ids}
        equal = {name for name, index in self._equal.items() if self._offers(name, index)}
        return ids | (equal - spelled)

    def _offers(self, name: str, index: int) -> bool:
        return self._rows[index] is not None and self._match_rules(name) == index


def _row_of_day(rows: Sequence[Mapping[str, Any]], today: str) -> Mapping[str, Any] | None:
    # Rows stand in the order of their dates; one without a price ends the one before it.
    valid = [row for row in rows if row.get("from", "") <= today]
    return valid[-1] if valid and valid[-1]["price"] is not None else None


def _price(row: Mapping[str, Any]) -> Price:
    return new_price(
        _by_class(row["price"]),
        tiers=tuple(
            PriceTier(prompt_tokens_above=above, price=new_price(_by_class(price)))
            for above, price in row.get("tiers", ())
        ),
        service_tiers=tuple(
            (name, _price(served)) for name, served in row.get("service", {}).items()
        ),
    )


def _by_class(pico_usd: Sequence[int | None]) -> dict[str, int]:
    listed = zip(CLASSES, pico_usd, strict=False)
    return {name: price for name, price in listed if price is not None}


def _weight(price: Price) -> int:
    return price.input_pico_usd + price.output_pico_usd


def _within(minute: int, start: int, end: int) -> bool:
    if start <= end:
        return start <= minute < end
    return minute >= start or minute < end


def _alternatives(rule: Any) -> Iterator[Any]:
    if isinstance(rule, list):
        for part in rule:
            yield from _alternatives(part)
    else:
        yield rule


def _predicate(rule: Any) -> Callable[[str], bool]:
    if isinstance(rule, list):
        some = [_predicate(part) for part in rule]
        return lambda name: any(takes(name) for takes in some)
    if isinstance(rule, dict):
        every = [_predicate(part) for part in rule["all"]]
        return lambda name: all(takes(name) for takes in every)
    return _comparison(rule[:1], rule[1:])


def _comparison(how: str, text: str) -> Callable[[str], bool]:
    match how:
        case "=":
            return lambda name: name == text
        case "^":
            return lambda name: name.startswith(text)
        case "$":
            return lambda name: name.endswith(text)
        case "~":
            return lambda name: text in name
        case "/":
            search = re.compile(text).search
            return lambda name: search(name) is not None
    raise ValueError(f"unknown match rule {how + text!r}")
