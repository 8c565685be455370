"""From file, environment and command line to `Settings`, with every problem told at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from korad.config.credentials import referenced_variable, resolve_credential
from korad.config.demo import demo_settings
from korad.config.known_providers import KNOWN_BY_NAME, base_url_variable, key_variable
from korad.config.model_tables import read_aliases, read_prices
from korad.config.problems import Problems, suggestion
from korad.config.provider_rows import ProviderReader
from korad.config.scalar_reader import ScalarReader
from korad.config.scalars import SCALARS
from korad.config.settings import (
    AdminSettings,
    BillingSettings,
    CacheSettings,
    KeysSettings,
    LedgerSettings,
    LimitsSettings,
    OptimizerSettings,
    RedisSettings,
    ServerSettings,
    Settings,
)
from korad.config.sources import default_state_dir, expand_folder, find_config_file, read_document
from korad.domain.secret import Secret

RESERVED_VARIABLES = frozenset({"KORAD_CONFIG"})
"""Variables with korad's prefix that are no settings."""

_RECORDS: dict[str, Callable[..., Any]] = {
    "server": ServerSettings,
    "billing": BillingSettings,
    "optimizer": OptimizerSettings,
    "cache": CacheSettings,
    "redis": RedisSettings,
    "limits": LimitsSettings,
    "keys": KeysSettings,
    "ledger": LedgerSettings,
    "admin": AdminSettings,
}
"""Sections with plain settings only, and what they are read into."""
_TABLES = (*_RECORDS, "providers", "aliases", "prices")

# Until the simulator listens there is nowhere to go; RFC 6761 has this name resolve never.
_NOWHERE = "http://simulator.invalid/v1"


def load_settings(
    path: Path | None,
    environ: Mapping[str, str],
    *,
    overrides: Mapping[str, object] | None = None,
) -> Settings:
    """Return the settings: command line over environment over file over default.

    `path` is the file to read; None looks for $KORAD_CONFIG, ./korad.toml and korad.toml in the
    state folder, in this order. `overrides` holds what the command line said by dotted name, such
    as "server.port"; None values are ignored. Raises ConfigError with every problem found.
    """
    problems = Problems()
    given = {name: raw for name, raw in (overrides or {}).items() if raw is not None}
    file, named_by = find_config_file(path, environ, _early_state_dir(given, environ))
    document = {} if file is None else read_document(file, named_by, problems)
    tables = _tables(document, file, problems)
    scalars = ScalarReader(given, environ, file=file, problems=problems).read_all(document, tables)
    rows = ProviderReader(environ, file=file, problems=problems).read_all(tables["providers"])
    token = _admin_token(scalars.sections["admin"], environ, file, problems)
    _check_variables(environ, tables["providers"], scalars.sections, problems)
    demo = scalars.top.get("demo", _nothing_configured(tables["providers"], environ))
    gateway = any(row.gateway for row in rows.enabled.values())
    # A row that is named but broken has been told of already.
    known = None if gateway else KNOWN_BY_NAME.keys() | tables["providers"].keys()
    aliases = read_aliases(
        tables["aliases"],
        file,
        providers=known,
        disabled={} if gateway or demo else rows.disabled,
        problems=problems,
    )
    prices = read_prices(tables["prices"], file, providers=known, problems=problems)
    problems.raise_any()
    settings = Settings(
        state_dir=scalars.top.get("state_dir") or default_state_dir(environ),
        config_file=file,
        **{name: record(**scalars.sections[name]) for name, record in _RECORDS.items()},
        admin_token=token,
        providers=rows.enabled,
        aliases=aliases,
        prices=prices,
        demo=demo,
        credential_sources=rows.credential_sources,
        disabled=rows.disabled,
    )
    return demo_settings(settings, _NOWHERE, _NOWHERE) if demo else settings


def _admin_token(
    admin: Mapping[str, Any], environ: Mapping[str, str], file: Path | None, problems: Problems
) -> Secret | None:
    """Return the token of the admin API, and note where it is missing."""
    if admin.get("listen") is None:
        return None
    reference = admin.get("token")
    base = file.parent if file is not None else Path()
    secret = None
    try:
        if reference is not None:
            secret = resolve_credential(reference, environ, base).secret
    except ValueError as error:
        problems.add(f"admin.token {error}")
        return None
    if secret is None:
        problems.add("admin.listen needs a token: set admin.token, and what it names, to one")
    return secret


def _early_state_dir(given: Mapping[str, object], environ: Mapping[str, str]) -> Path:
    """Return the state folder as far as it is known before a file was read."""
    named = str(given.get("state_dir") or environ.get("KORAD_STATE_DIR") or "").strip()
    return expand_folder(named, environ, Path()) if named else default_state_dir(environ)


def _tables(
    document: Mapping[str, Any], file: Path | None, problems: Problems
) -> dict[str, dict[str, Any]]:
    """Return every table of the file, {} where it has none, and note what is no setting."""
    top = [scalar.key for scalar in SCALARS if not scalar.section]
    tables: dict[str, dict[str, Any]] = {name: {} for name in _TABLES}
    for name, content in document.items():
        if name in top:
            continue
        if name not in _TABLES:
            problems.unknown(f"{file}: the setting or section", name, [*_TABLES, *top])
        elif not isinstance(content, dict):
            problems.add(f"{file}: {name} must be a table, written [{name}]")
        else:
            tables[name] = content
    return tables


def _check_variables(
    environ: Mapping[str, str],
    provider_tables: Mapping[str, Any],
    sections: Mapping[str, Mapping[str, Any]],
    problems: Problems,
) -> None:
    """Note every variable with korad's prefix that means nothing: most are misspelt."""
    known = {variable for scalar in SCALARS for variable in scalar.variables} | RESERVED_VARIABLES
    # A credential may be kept under any name, so the file decides about these.
    referenced = {
        referenced_variable(table.get("api_key"))
        for table in provider_tables.values()
        if isinstance(table, dict)
    }
    referenced |= {
        referenced_variable(sections["keys"].get("pepper")),
        referenced_variable(sections["admin"].get("token")),
    }
    for variable in sorted(environ):
        if variable.startswith("KORAD_") and variable not in known | referenced:
            problems.add(
                f"the environment variable {variable} is not known; {suggestion(variable, known)}"
            )


def _nothing_configured(provider_tables: Mapping[str, Any], environ: Mapping[str, str]) -> bool:
    variables = [
        variable(name) for name in KNOWN_BY_NAME for variable in (key_variable, base_url_variable)
    ]
    return not provider_tables and not any(environ.get(name, "").strip() for name in variables)
