"""The decorator every noun of the domain wears: immutable to the type checker, cheap at run time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, dataclass_transform

T = TypeVar("T")

if TYPE_CHECKING:

    @dataclass_transform(frozen_default=True, kw_only_default=True)
    def value(cls: type[T]) -> type[T]:
        """Make `cls` a frozen, keyword-only record."""
        ...

else:

    def value(cls):
        """Make `cls` a slotted, keyword-only record.

        Frozen for mypy only: building a really frozen dataclass of four fields costs 2.5 us
        against 0.9 us, and a request builds several of them.
        """
        return dataclass(slots=True, kw_only=True)(cls)
