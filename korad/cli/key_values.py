"""What `korad keys` reads from its options, and how it shows a key."""

from __future__ import annotations

import argparse
import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from shlex import quote
from typing import Any, Final

import orjson

from korad.adapters.key_errors import CUSTOMER_ID_PREFIX, TEAM_ID_PREFIX
from korad.adapters.limit_report import limits_object
from korad.auth import authorize, is_model_pattern
from korad.cli.limit_values import chain_object, limits_text
from korad.cli.output import lines, table
from korad.config.kinds import Choice, Margin
from korad.config.scalars import LEVELS
from korad.domain.identity import VirtualKey
from korad.errors import ClientError

_AGE: Final = re.compile(r"([1-9][0-9]{0,5})([mhdw])")
_AGE_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_EXAMPLE_MODELS: Final = (
    *("anthropic/claude-sonnet-4-5-20250929", "openai/gpt-4o-mini", "openai/gpt-4o"),
    *("gemini/gemini-2.5-flash", "groq/llama-3.1-8b-instant", "deepseek/deepseek-chat"),
    *("xai/grok-3", "openrouter/openai/gpt-4o-mini"),
)
_NO_EXAMPLE: Final = "PROVIDER/MODEL"
_KINDS: Final = {TEAM_ID_PREFIX: "team", CUSTOMER_ID_PREFIX: "customer"}
_BASIS_POINTS_PER_HUNDREDTH: Final = 100


def read_level(text: str) -> str | None:
    """Return the savings level, None for "none". Raises argparse.ArgumentTypeError."""
    if text.lower() == "none":
        return None
    levels = Choice(words=LEVELS)
    try:
        return levels.read_text(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not {levels.allowed}, none") from None


def read_margin(text: str) -> int | None:
    """Return the margin in basis points, None for "none". Raises argparse.ArgumentTypeError."""
    if text.lower() == "none":
        return None
    margin = Margin()
    try:
        return margin.read_text(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not {margin.allowed}, or none") from None


def read_switch(text: str) -> bool:
    """Return whether `text` says on. Raises argparse.ArgumentTypeError."""
    if text.lower() not in {"on", "off"}:
        raise argparse.ArgumentTypeError(f"'{text}' is neither on nor off")
    return text.lower() == "on"


def read_policy(text: str) -> bool:
    """Return whether `text` says closed. Raises argparse.ArgumentTypeError."""
    if text.lower() not in {"open", "closed"}:
        raise argparse.ArgumentTypeError(f"'{text}' is neither open nor closed")
    return text.lower() == "closed"


def read_provider(text: str) -> str:
    """Return a provider's name, or "any". Raises argparse.ArgumentTypeError."""
    if not text or "/" in text or "*" in text or not text.isprintable() or " " in text:
        raise argparse.ArgumentTypeError(f"'{text}' is not the name of a provider, such as openai")
    return text


def read_model(text: str) -> str:
    """Return a model pattern, or "any". Raises argparse.ArgumentTypeError."""
    if not is_model_pattern(text):
        raise argparse.ArgumentTypeError(
            f"'{text}' is not a model such as openai/gpt-4o, gpt-4o, openai/gpt-4* or openai/*"
        )
    return text


def read_expiry(text: str, now_s: int) -> int | None:
    """Return the Unix time that `text` means, None for "never". Raises ArgumentTypeError.

    "30d" counts from now; a date means its beginning; a time without a zone is UTC.
    """
    if text.lower() == "never":
        return None
    try:
        moment = _moment(text, datetime.fromtimestamp(now_s, UTC))
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"'{text}' is none of 30d (or m, h, w), 2027-01-31, 2027-01-31T12:00:00Z, never"
        ) from None
    expires_at_s = int(moment.timestamp())
    if expires_at_s <= now_s:
        raise argparse.ArgumentTypeError(f"'{text}' is in the past")
    return expires_at_s


def allowed(names: list[str]) -> frozenset[str] | None:
    """Return the names as a key holds them: None, which allows all, when "any" is among them."""
    return None if "any" in names else frozenset(names)


def state_of(key: VirtualKey, now_s: int) -> str:
    """Return "active", "revoked" or "expired"."""
    if not key.active:
        return "revoked"
    expired = key.expires_at_s is not None and now_s >= key.expires_at_s
    return "expired" if expired else "active"


def as_object(key: VirtualKey, hint: str, now_s: int) -> dict[str, Any]:
    """Return what `--json` prints of a key; times are Unix seconds, margins basis points."""
    return {
        "id": key.key_id,
        "name": key.name,
        "state": state_of(key, now_s),
        "hint": hint,
        "level": key.level,
        "allowed_providers": _sorted(key.allowed_providers),
        "allowed_models": _sorted(key.allowed_models),
        "margin_bp": key.margin_bp,
        "cache": key.cache,
        "team_id": key.team_id,
        "customer_id": key.customer_id,
        "limits": limits_object(key.own_limits),
        "effective_limits": chain_object(key.limits),
        "on_limits_unavailable": _policy(key),
        "expires_at": key.expires_at_s,
        "created_at": key.created_at_s,
    }


def as_lines(key: VirtualKey, hint: str, now_s: int, spent: Sequence[tuple[str, str]] = ()) -> str:
    """Return the facts of a key for a person, one a line; `spent` are those of its budgets."""
    facts = (
        ("id", key.key_id),
        ("name", key.name),
        ("key", f"...{hint}"),
        ("state", state_of(key, now_s)),
        ("savings level", key.level or "default"),
        ("margin", _margin(key.margin_bp)),
        ("response cache", _switch(key.cache)),
        ("providers", _names(key.allowed_providers)),
        ("models", _names(key.allowed_models)),
        ("team", key.team_id or "none"),
        ("customer", key.customer_id or "none"),
        ("limits", limits_text(key.own_limits)),
        *[
            (f"of its {_KINDS[each.entity[:3]]}", limits_text(each.limits))
            for each in key.limits
            if each.entity != key.key_id
        ],
        *spent,
        ("if unavailable", _policy(key)),
        ("expires", time_text(key.expires_at_s)),
        ("created", time_text(key.created_at_s)),
    )
    return lines(facts)


def as_table(keys: list[tuple[VirtualKey, str]], now_s: int) -> str:
    """Return keys with their hints as a table, one a line, under a head."""
    rows = [("ID", "NAME", "KEY", "STATE", "LEVEL", "MARGIN", "CACHE", "EXPIRES", "LIMITS")]
    rows += [
        (
            key.key_id,
            key.name,
            f"...{hint}",
            state_of(key, now_s),
            key.level or "default",
            _margin(key.margin_bp),
            _switch(key.cache),
            time_text(key.expires_at_s),
            limits_text(key.own_limits),
        )
        for key, hint in keys
    ]
    return table(rows)


def curl_line(
    key: VirtualKey, secret: str, host: str, port: int, providers: Collection[str] = ()
) -> str:
    """Return a command that tries the key, with a model that it may use at one of `providers`.

    No `providers`: at any.
    """
    named = [each for each in _sorted(key.allowed_models) or [] if "/" in each and "*" not in each]
    usable = (each for each in (*named, *_EXAMPLE_MODELS) if _may_use(key, each, providers))
    model = next(usable, _NO_EXAMPLE)
    # A server bound to every address is reached by name; an IPv6 address needs its brackets.
    name = "localhost" if host in {"0.0.0.0", "::", ""} else host  # noqa: S104 - compared only
    name = f"[{name}]" if ":" in name else name
    body = {"model": model, "messages": [{"role": "user", "content": "Hello!"}]}
    return (
        f"curl http://{name}:{port}/v1/chat/completions -H 'Content-Type: application/json' "
        f"-H 'x-bf-vk: {secret}' -d {quote(orjson.dumps(body).decode())}"
    )


def _may_use(key: VirtualKey, name: str, providers: Collection[str]) -> bool:
    provider, _, model = name.partition("/")
    try:
        authorize(key, provider, model)
    except ClientError:
        return False
    return not providers or provider in providers


def _policy(key: VirtualKey) -> str:
    return "closed" if key.fail_closed else "open"


def _moment(text: str, now: datetime) -> datetime:
    age = _AGE.fullmatch(text.lower())
    if age is not None:
        return now + timedelta(**{_AGE_UNITS[age[2]]: int(age[1])})
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _sorted(names: frozenset[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)


def _names(names: frozenset[str] | None) -> str:
    return "any" if names is None else ", ".join(sorted(names)) or "none"


def _margin(margin_bp: int | None) -> str:
    if margin_bp is None:
        return "default"
    decimals = 4 if margin_bp % _BASIS_POINTS_PER_HUNDREDTH else 2
    return f"{margin_bp / 10_000:.{decimals}f}x"


def _switch(is_on: bool) -> str:  # noqa: FBT001 - the value shown
    return "on" if is_on else "off"


def time_text(moment_s: int | None) -> str:
    """Return a Unix time for people, in UTC; "never" for None."""
    if moment_s is None:
        return "never"
    return datetime.fromtimestamp(moment_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
