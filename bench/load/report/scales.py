"""From values to places: linear and logarithmic scales with round ticks, labels kept apart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

LOG_FROM = 25.0
"""How many times the least value the greatest must be for a logarithmic scale."""
RATIOS_LOG_FROM = 4.0
"""The same for ticks of ratios, whose scale is always logarithmic."""
STEPS = (1.0, 2.0, 5.0, 10.0)


class Scale(NamedTuple):
    """Values from `low` to `high` at the pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]
    log: bool = False

    def at(self, value: float) -> float:
        """Return the value's place; what lies outside goes to the nearer end."""
        value = min(max(value, self.low), self.high)
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def linear(high: float, start: float, end: float, *, most: int = 5) -> Scale:
    """Return a scale from 0 to a round number at or above `high`, with `most` steps or fewer."""
    high = high if high > 0 else 1.0
    rough = high / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in STEPS if s * power >= rough * (1 - 1e-9))
    count = math.ceil(high / step - 1e-9)
    return Scale(0.0, count * step, start, end, tuple(step * n for n in range(count + 1)))


def logarithmic(low: float, high: float, start: float, end: float, *, most: int = 8) -> Scale:
    """Return a scale with some room beyond `low` > 0 and `high`, and round ticks within it."""
    room = max((high / low) ** 0.05, 1.02)
    first, last = low / room, high * room
    powers = range(math.floor(math.log10(first)), math.ceil(math.log10(last)) + 1)
    fine = [s * 10.0**power for power in powers for s in STEPS[:3]]
    coarse = [10.0**power for power in powers]
    for ticks in (fine, coarse, coarse[::2], coarse[::3]):
        inside = [t for t in ticks if first <= t <= last]
        if len(inside) <= most:
            break
    return Scale(first, last, start, end, tuple(inside), log=True)


def fitting(values: Iterable[float], start: float, end: float, *, most: int = 6) -> Scale:
    """Return a logarithmic scale where values differ by powers, a linear one from 0 elsewhere."""
    known = [value for value in values if value > 0] or [1.0]
    if max(known) / min(known) >= LOG_FROM:
        return logarithmic(min(known), max(known), start, end, most=most + 2)
    return linear(max(known), start, end, most=most)


def ratios(low: float, high: float, start: float, end: float, *, most: int = 7) -> Scale:
    """Return a logarithmic scale about 1 for ratios, close ticks where they are close to it."""
    low, high = min(low, 1.0), max(high, 1.0)
    if high / low > RATIOS_LOG_FROM:
        return logarithmic(low, high, start, end, most=most)
    wide = max(high - 1, 1 - low, 0.02)
    step = linear(wide, 0, 1, most=max(most // 2, 2)).ticks[1]
    first = 1 - step * math.ceil((1 - low) / step + 0.05)
    while first <= 0:
        first += step / 2
    last = 1 + step * math.ceil((high - 1) / step + 0.05)
    count = round((last - first) / step)
    ticks = tuple(round(first + step * n, 9) for n in range(count + 1))
    return Scale(first, last, start, end, ticks, log=True)


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return places near the wanted ones, `gap` apart and within low..high if they can be."""
    order = sorted(range(len(wanted)), key=lambda n: wanted[n])
    places = [min(max(wanted[n], low), high) for n in order]
    for n in range(1, len(places)):
        places[n] = max(places[n], places[n - 1] + gap)
    if places and places[-1] > high:
        places[-1] = high
        for n in range(len(places) - 2, -1, -1):
            places[n] = min(places[n], places[n + 1] - gap)
    found = [0.0] * len(places)
    for place, n in zip(places, order, strict=True):
        found[n] = place
    return found
