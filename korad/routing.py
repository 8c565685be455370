"""Which provider serves a model name: "provider/model", an alias, or a gateway's own name."""

from __future__ import annotations

from collections.abc import Mapping

from korad.domain.upstream import Provider
from korad.domain.value import value
from korad.errors import ClientError, invalid_request


@value
class Route:
    """Where a model name leads."""

    provider: Provider
    upstream_model: str
    """The name the provider is asked for."""
    vendor: str
    """Who makes the model, by the name asked for: a gateway's row serves many vendors."""
    model: str
    """The rest of the name asked for, after the vendor's slash."""


MODEL_CHARS_MAX = 256
"""Longest model name: it is remembered, logged and kept with every record."""


class Router:
    """A pure table: provider rows and aliases in, routes out."""

    __slots__ = ("_aliases", "_gateway", "_providers")

    def __init__(self, providers: Mapping[str, Provider], aliases: Mapping[str, str]) -> None:
        self._providers = providers
        self._aliases = aliases
        self._gateway = next((row for row in providers.values() if row.gateway), None)

    def resolve(self, name: str) -> Route:
        """Return the route of `name`. Raises ClientError (400, invalid_model)."""
        if len(name) > MODEL_CHARS_MAX:
            raise _invalid_model(f"Invalid model name '{_shown(name)}': it is too long.")
        full_name = name if "/" in name else self._aliases.get(name, name)
        vendor, slash, model = full_name.partition("/")
        if not slash or not vendor or not model:
            raise _invalid_model(
                f"Invalid model name '{_shown(name)}': expected 'provider/model' or an alias."
            )
        row = self._providers.get(vendor)
        if row is not None:
            return Route(provider=row, upstream_model=model, vendor=vendor, model=model)
        if self._gateway is not None:
            return Route(
                provider=self._gateway, upstream_model=full_name, vendor=vendor, model=model
            )
        raise _invalid_model(f"Invalid model name: no provider '{_shown(vendor)}' is configured.")


def _invalid_model(message: str) -> ClientError:
    return invalid_request(message, code="invalid_model", param="model")


def _shown(name: str) -> str:
    """Return a name as an error may quote it: short, printable."""
    return "".join(c if c.isprintable() else "?" for c in name[:100])
