"""From `[providers.NAME]` tables, known rows and variables to the rows that are enabled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from korad.config.base_url import ALLOWED as BASE_URL_ALLOWED, parse_base_url
from korad.config.credentials import Credential, referenced_variable, resolve_credential
from korad.config.known_providers import (
    KNOWN_BY_NAME,
    KNOWN_PROVIDERS,
    KnownProvider,
    base_url_variable,
    key_variable,
)
from korad.config.problems import Problems, suggestion
from korad.config.provider_keys import PROVIDER_KEYS, read_headers
from korad.domain.upstream import AuthScheme, Dialect, OnDisconnect, Provider, Timeouts
from korad.domain.value import value

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_DEFAULT_AUTH = {Dialect.OPENAI: AuthScheme.BEARER, Dialect.ANTHROPIC: AuthScheme.X_API_KEY}


@value
class ProviderRows:
    """What `ProviderReader.read_all` found."""

    enabled: dict[str, Provider]
    credential_sources: dict[str, str]
    disabled: dict[str, str]


class ProviderReader:
    """Read provider rows of one file and one environment; problems go to `problems`."""

    def __init__(
        self, environ: Mapping[str, str], *, file: Path | None, problems: Problems
    ) -> None:
        self._environ = environ
        self._base = file.parent if file is not None else Path()
        self._file = str(file)
        self._problems = problems
        self._rows = ProviderRows(enabled={}, credential_sources={}, disabled={})

    def read_all(self, tables: Mapping[str, Any]) -> ProviderRows:
        """Return the rows of the file's `tables` (name to table) and every known row."""
        for known in KNOWN_PROVIDERS:
            self._read_row(known, tables.get(known.name))
        for name, table in tables.items():
            if name in KNOWN_BY_NAME:
                continue
            row = self._new_row(name, table)
            if row is not None:
                self._read_row(row, table)
        gateways = [name for name, row in self._rows.enabled.items() if row.gateway]
        if len(gateways) > 1:
            self._problems.add(
                f"{self._file}: only one provider can be the gateway, not {' and '.join(gateways)}"
            )
        return self._rows

    def _new_row(self, name: str, table: Any) -> KnownProvider | None:
        where = self._where(name)
        if not _NAME.fullmatch(name):
            self._problems.add(
                f"{where}: a provider's name is up to 64 of a-z, 0-9, dot, dash and underscore, "
                "and starts with a letter or digit"
            )
            return None
        if isinstance(table, dict) and not {"dialect", "base_url"} <= table.keys():
            self._problems.add(
                f"{where} is not a provider korad knows, so it needs dialect and base_url; "
                f"{suggestion(name, KNOWN_BY_NAME)}"
            )
            return None
        return KnownProvider(name=name, base_url=None)

    def _read_row(self, known: KnownProvider, table: Any) -> None:
        name = known.name
        if table is not None and not isinstance(table, dict):
            self._problems.add(f"{self._where(name)} must be a table")
            return
        values = self._values(name, table or {})
        if values is None:
            return
        dialect = Dialect(values.get("dialect", known.dialect.value))
        credential = self._credential(name, values)
        own_url = self._environ.get(base_url_variable(name), "").strip() or values.get("base_url")
        auth = self._auth(known, values, dialect, credential)
        if credential is None or auth is None:
            return
        base_url = own_url or known.base_url
        open_to_all = auth is AuthScheme.NONE and (table is not None or not known.local)
        if credential.secret is None and own_url is None and not open_to_all:
            self._rows.disabled[name] = _remedy(known, values, named=table is not None)
        elif base_url is not None:
            self._enable(known, values, dialect, auth, credential, base_url)
        elif table is None:
            # Other programs take the same key: one alone is no reason to refuse to start.
            self._rows.disabled[name] = f"set {base_url_variable(name)}"
        else:
            self._problems.add(
                f"{self._where(name)} needs base_url or the environment variable "
                f'{base_url_variable(name)}, such as "{known.example_base_url}"'
            )

    def _enable(
        self,
        known: KnownProvider,
        values: Mapping[str, Any],
        dialect: Dialect,
        auth: AuthScheme,
        credential: Credential,
        base_url: str,
    ) -> None:
        name = known.name
        try:
            origin, base_path = parse_base_url(base_url, dialect)
        except ValueError:
            variable = base_url_variable(name)
            from_variable = self._environ.get(variable, "").strip() == base_url
            where = variable if from_variable else f"{self._where(name)} base_url"
            self._problems.add(f"{where} must be {BASE_URL_ALLOWED}")
            return
        secret = None if auth is AuthScheme.NONE else credential.secret
        self._rows.enabled[name] = Provider(
            name=name,
            dialect=dialect,
            origin=origin,
            base_path=base_path,
            # Without a credential there is nothing to send, whatever the scheme.
            auth=auth if secret is not None else AuthScheme.NONE,
            credential=secret,
            timeouts=_timeouts(values),
            free=values.get("free", known.local),
            headers=values.get("headers", ()),
            on_disconnect=OnDisconnect(values.get("on_disconnect", OnDisconnect.CANCEL)),
            **{
                key: values[key]
                for key in ("connections_max", "gateway", "query", "drain_timeout_s", "drains_max")
                if key in values
            },
        )
        self._rows.credential_sources[name] = "none" if secret is None else credential.source

    def _values(self, name: str, table: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the table's checked values, or None when one of them is wrong."""
        values: dict[str, Any] = {}
        sound = True
        for key, raw in table.items():
            kind = PROVIDER_KEYS.get(key)
            if kind is None and key != "headers":
                self._problems.unknown(self._where(name), key, [*PROVIDER_KEYS, "headers"])
                sound = False
                continue
            try:
                values[key] = read_headers(raw) if kind is None else kind.read(raw)
            except ValueError as error:
                self._problems.add(f"{self._where(name)} {key} must be {error}")
                sound = False
        return values if sound else None

    def _credential(self, name: str, values: Mapping[str, Any]) -> Credential | None:
        reference = values.get("api_key")
        try:
            if reference is None:
                return resolve_credential(f"env:{key_variable(name)}", self._environ, self._base)
            return resolve_credential(reference, self._environ, self._base)
        except ValueError as error:
            where = "" if reference is None else f"{self._where(name)} api_key "
            self._problems.add(f"{where}{error}")
            return None

    def _auth(
        self,
        known: KnownProvider,
        values: Mapping[str, Any],
        dialect: Dialect,
        credential: Credential | None,
    ) -> AuthScheme | None:
        """Return the scheme, or None when the table contradicts itself."""
        if "auth" in values:
            auth = AuthScheme(values["auth"])
            if auth is AuthScheme.NONE and "api_key" in values:
                self._problems.add(
                    f'{self._where(known.name)} has an api_key, but auth = "none" would not send it'
                )
                return None
            return auth
        has_credential = credential is not None and credential.secret is not None
        unexpected_key = known.auth is AuthScheme.NONE and has_credential
        if unexpected_key or dialect is not known.dialect:
            return _DEFAULT_AUTH[dialect]
        return known.auth

    def _where(self, name: str) -> str:
        return f"{self._file}: [providers.{name}]"


def _timeouts(values: Mapping[str, Any]) -> Timeouts:
    given = {
        field: values[f"{stem}_timeout_s"]
        for stem, field in (
            ("connect", "connect_s"),
            ("first_byte", "first_byte_s"),
            ("idle", "idle_s"),
        )
        if f"{stem}_timeout_s" in values
    }
    return Timeouts(**given)


def _remedy(known: KnownProvider, values: Mapping[str, Any], *, named: bool) -> str:
    if known.local and not named:
        return f"name it in the file or set {base_url_variable(known.name)}"
    variable = referenced_variable(values.get("api_key")) or key_variable(known.name)
    if known.base_url is None:
        return f"set {variable} and {base_url_variable(known.name)}"
    return f"set {variable}"
