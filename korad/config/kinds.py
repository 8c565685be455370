"""What a setting may be, and how it is read from TOML or from text."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from math import nan
from typing import Protocol

from korad.config.settings import BASIS_POINTS
from korad.domain.money import NANO_USD_PER_USD
from korad.domain.secret import Secret
from korad.domain.value import value

MARGIN_MAX = 100
SECONDS_MAX = 86_400
USD_MAX = 1_000_000
_NANO_DECIMALS = 9
_ONE_BASIS_POINT = Decimal("0.0001")


class Kind(Protocol):
    """What a setting may be. Both readers raise ValueError for anything else."""

    @property
    def allowed(self) -> str:
        """Say in words what is allowed, after "must be"."""
        ...

    def read(self, raw: object) -> object:
        """Return the setting's value from what TOML made of it."""
        ...

    def read_text(self, text: str) -> object:
        """Return the setting's value from a variable or a command line option."""
        ...


@value
class Text:
    """A string that is not empty."""

    allowed: str = "a string that is not empty"

    def read(self, raw: object) -> str:
        """Return `raw` without surrounding blanks."""
        if not isinstance(raw, str) or not raw.strip():
            raise ValueError(self.allowed)
        return raw.strip()

    def read_text(self, text: str) -> str:
        """Return `text` without surrounding blanks."""
        return self.read(text)


@value
class WholeNumber:
    """An integer between two bounds, both allowed."""

    least: int
    most: int

    @property
    def allowed(self) -> str:
        """Say in words what is allowed."""
        return f"a whole number from {self.least} to {self.most}"

    def read(self, raw: object) -> int:
        """Return `raw`; a TOML boolean is no number."""
        number = raw if isinstance(raw, int) and not isinstance(raw, bool) else None
        if number is None or not self.least <= number <= self.most:
            raise ValueError(self.allowed)
        return number

    def read_text(self, text: str) -> int:
        """Return the number written in `text`."""
        return self.read(int(text))


@value
class Seconds:
    """A duration in seconds, fractions allowed."""

    zero_allowed: bool = False

    @property
    def allowed(self) -> str:
        """Say in words what is allowed."""
        least = "from 0" if self.zero_allowed else "above 0 and"
        return f"a number of seconds, {least} up to {SECONDS_MAX}"

    def read(self, raw: object) -> float:
        """Return `raw` as a float."""
        number = isinstance(raw, int | float | Decimal) and not isinstance(raw, bool)
        # NaN fails every comparison of floats, but raises in those of Decimal.
        seconds = _as_float(raw) if number else nan
        if not 0 <= seconds <= SECONDS_MAX or (seconds == 0 and not self.zero_allowed):
            raise ValueError(self.allowed)
        return seconds

    def read_text(self, text: str) -> float:
        """Return the number written in `text`."""
        return self.read(float(text))


@value
class Flag:
    """Yes or no."""

    allowed: str = "true or false"

    def read(self, raw: object) -> bool:
        """Return `raw` if it is a TOML boolean."""
        if not isinstance(raw, bool):
            raise ValueError(self.allowed)  # noqa: TRY004 - one error for every wrong value
        return raw

    def read_text(self, text: str) -> bool:
        """Return what `text` says in any of the usual spellings."""
        word = text.strip().lower()
        if word in {"true", "yes", "on", "1"}:
            return True
        if word in {"false", "no", "off", "0"}:
            return False
        raise ValueError(self.allowed)


@value
class Choice:
    """One of a few words, in any case."""

    words: tuple[str, ...]

    @property
    def allowed(self) -> str:
        """Say in words what is allowed."""
        return f"one of {', '.join(self.words)}"

    def read(self, raw: object) -> str:
        """Return the word in lower case."""
        if not isinstance(raw, str) or raw.strip().lower() not in self.words:
            raise ValueError(self.allowed)
        return raw.strip().lower()

    def read_text(self, text: str) -> str:
        """Return the word in lower case."""
        return self.read(text)


@value
class Margin:
    """Billed divided by cost; read as decimal digits, so that 1.1 is 11000 basis points."""

    allowed: str = f"a number from 0 to {MARGIN_MAX} with at most four decimals, such as 1.5"

    def read(self, raw: object) -> int:
        """Return basis points."""
        # str() of a boolean is no number, and that of the others is the number as it was written.
        try:
            margin = Decimal(str(raw))
        except InvalidOperation:
            raise ValueError(self.allowed) from None
        if not margin.is_finite() or not 0 <= margin <= MARGIN_MAX:
            raise ValueError(self.allowed)
        if margin != margin.quantize(_ONE_BASIS_POINT):
            raise ValueError(self.allowed)
        return int(margin * BASIS_POINTS)

    def read_text(self, text: str) -> int:
        """Return basis points."""
        return self.read(text.strip())


@value
class OptionalText:
    """A string; empty is None, as not set."""

    allowed: str

    def read(self, raw: object) -> str | None:
        """Return `raw` without surrounding blanks."""
        if not isinstance(raw, str):
            raise ValueError(self.allowed)  # noqa: TRY004 - one error for every wrong value
        return raw.strip() or None

    def read_text(self, text: str) -> str | None:
        """Return `text` without surrounding blanks."""
        return self.read(text)


@value
class SecretText:
    """A string that may hold a password, so that nothing prints it; empty is None, as not set."""

    allowed: str

    def read(self, raw: object) -> Secret | None:
        """Return `raw`, wrapped."""
        text = OptionalText(allowed=self.allowed).read(raw)
        return None if text is None else Secret(text)

    def read_text(self, text: str) -> Secret | None:
        """Return `text`, wrapped."""
        return self.read(text)


@value
class Usd:
    """An amount of money; read as decimal digits."""

    allowed: str = f"an amount in USD from 0 to {USD_MAX} with at most nine decimals"

    def read(self, raw: object) -> int:
        """Return nano-USD."""
        try:
            usd = Decimal(str(raw))
        except InvalidOperation:
            raise ValueError(self.allowed) from None
        if not usd.is_finite() or not 0 <= usd <= USD_MAX or usd.adjusted() < -_NANO_DECIMALS:
            raise ValueError(self.allowed)
        nano_usd = usd * NANO_USD_PER_USD
        # The context rounds what has more digits than it: compared backwards, that shows.
        if Decimal(int(nano_usd)).scaleb(-_NANO_DECIMALS) != usd:
            raise ValueError(self.allowed)
        return int(nano_usd)

    def read_text(self, text: str) -> int:
        """Return nano-USD; a leading "$" is fine."""
        return self.read(text.strip().removeprefix("$"))


def _as_float(raw: object) -> float:
    try:
        return float(str(raw))
    except OverflowError:
        return nan
