"""What may be set over the admin API, read and shown. Money is USD as text in, exact both ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from korad.adapters.key_errors import InvalidKeyError, check_group_name, check_key_name
from korad.adapters.limit_report import limits_object
from korad.auth import is_model_pattern
from korad.clock import unix_s
from korad.config.kinds import Choice, Kind, Margin, Usd, WholeNumber
from korad.config.scalars import LEVELS
from korad.domain.identity import VirtualKey
from korad.domain.limits import Budget, Group, Reset
from korad.errors import ClientError, invalid_request

NAMES_MAX = 1_000
_COUNT = WholeNumber(least=1, most=2**53)
_RESETS = tuple(reset.value for reset in Reset)

Reader = Callable[[Any, str], Any]


def read_fields(body: object, readers: Mapping[str, tuple[str, Reader]]) -> dict[str, Any]:
    """Return what `body` sets, by the store's names. Raises ClientError naming the field."""
    if not isinstance(body, dict):
        raise invalid_field("the body", "a JSON object")
    changes = {}
    for name, raw in body.items():
        if name not in readers:
            raise ClientError(
                400,
                f"There is no field '{name[:64]}'; there are: {', '.join(sorted(readers))}.",
                kind="invalid_request_error",
                code="unknown_field",
                param=name[:64],
            )
        field, read = readers[name]
        changes[field] = read(raw, name)
    return changes


def invalid_field(name: str, allowed: str) -> ClientError:
    """Return the 400 for a field of the wrong shape."""
    return invalid_request(f"{name} must be {allowed}.", code="invalid_field", param=name)


def _of(kind: Kind, *, optional: bool = True) -> Reader:
    def read(raw: Any, name: str) -> Any:
        if raw is None and optional:
            return None
        try:
            return kind.read(raw)
        except ValueError:
            raise invalid_field(name, f"{kind.allowed}{', or null' * optional}") from None

    return read


def _flag(raw: Any, name: str) -> bool:
    if not isinstance(raw, bool):
        raise invalid_field(name, "true or false")
    return raw


def _text(raw: Any, name: str) -> str:
    if not isinstance(raw, str):
        raise invalid_field(name, "a string")
    return raw


def _name(check: Callable[[str], None]) -> Reader:
    def read(raw: Any, name: str) -> str:
        text = _text(raw, name)
        try:
            check(text)
        except InvalidKeyError as error:
            raise invalid_request(str(error), code="invalid_field", param=name) from None
        return text

    return read


def _optional_text(raw: Any, name: str) -> str | None:
    return None if raw is None else _text(raw, name)


def _names(is_name: Callable[[str], bool]) -> Reader:
    def read(raw: Any, name: str) -> frozenset[str] | None:
        if raw is None:
            return None
        if (
            not isinstance(raw, list)
            or not 0 < len(raw) <= NAMES_MAX
            or not all(isinstance(each, str) and is_name(each) for each in raw)
        ):
            raise invalid_field(name, f"null, or a list of 1 to {NAMES_MAX} names")
        return frozenset(raw)

    return read


def _is_provider(text: str) -> bool:
    return bool(text) and text.isprintable() and not set("/* ") & set(text)


def _expiry(raw: Any, name: str) -> int | None:
    if raw is None:
        return None
    try:
        moment = datetime.fromisoformat(_text(raw, name))
        expires_at_s = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise invalid_field(name, "an RFC 3339 time, or null") from None
    if expires_at_s <= unix_s():
        raise invalid_field(name, "in the future, or null")
    return expires_at_s


def _policy(raw: Any, name: str) -> bool:
    return bool(_of(Choice(words=("open", "closed")), optional=False)(raw, name) == "closed")


def _budgets(raw: Any, name: str) -> tuple[Budget, ...]:
    if not isinstance(raw, list) or not all(isinstance(each, dict) for each in raw):
        raise invalid_field(name, 'a list of {"usd": "50", "reset": "month"}')
    budgets = []
    for each in raw:
        if not {"usd"} <= each.keys() <= {"usd", "nano_usd", "reset"}:
            raise invalid_field(name, 'a list of {"usd": "50", "reset": "month"}')
        usd = _of(Usd(), optional=False)(each["usd"], f"{name}.usd")
        if each.get("nano_usd", usd) != usd:
            raise invalid_field(f"{name}.nano_usd", "what usd says, or left out")
        word = each.get("reset", Reset.NEVER.value)
        reset = _of(Choice(words=_RESETS), optional=False)(word, f"{name}.reset")
        budgets.append(Budget(limit_nano_usd=usd, reset=Reset(reset)))
    if len({budget.reset for budget in budgets}) != len(budgets):
        raise invalid_field(name, "a list with one budget per reset")
    return tuple(budgets)


LIMIT_FIELDS: dict[str, tuple[str, Reader]] = {
    "budgets": ("budgets", _budgets),
    "requests_per_minute": ("requests_per_minute", _of(_COUNT)),
    "tokens_per_minute": ("tokens_per_minute", _of(_COUNT)),
    "concurrency": ("concurrent_max", _of(_COUNT)),
}


def _limits(raw: Any, name: str) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise invalid_field(name, "an object")
    return read_fields(raw, LIMIT_FIELDS)


KEY_FIELDS: dict[str, tuple[str, Reader]] = {
    "name": ("name", _name(check_key_name)),
    "level": ("level", _of(Choice(words=LEVELS))),
    "allowed_models": ("allowed_models", _names(is_model_pattern)),
    "allowed_providers": ("allowed_providers", _names(_is_provider)),
    "margin": ("margin_bp", _of(Margin())),
    "cache": ("cache", _flag),
    "expires_at": ("expires_at_s", _expiry),
    "active": ("active", _flag),
    "team_id": ("team_id", _optional_text),
    "customer_id": ("customer_id", _optional_text),
    "on_limits_unavailable": ("fail_closed", _policy),
    "limits": ("limits", _limits),
}
CUSTOMER_FIELDS: dict[str, tuple[str, Reader]] = {
    "name": ("name", _name(lambda text: check_group_name(text, "customer"))),
    "limits": ("limits", _limits),
}
TEAM_FIELDS: dict[str, tuple[str, Reader]] = {
    "name": ("name", _name(lambda text: check_group_name(text, "team"))),
    "limits": ("limits", _limits),
    "customer_id": ("customer_id", _optional_text),
}


def show_key(key: VirtualKey, hint: str) -> dict[str, Any]:
    """Return a key as the API shows it; its secret is not in it."""
    return {
        "id": key.key_id,
        "name": key.name,
        "hint": hint,
        "level": key.level,
        "allowed_models": _sorted(key.allowed_models),
        "allowed_providers": _sorted(key.allowed_providers),
        "margin": None if key.margin_bp is None else f"{Decimal(key.margin_bp).scaleb(-4):f}",
        "cache": key.cache,
        "expires_at": None if key.expires_at_s is None else _time(key.expires_at_s),
        "active": key.active,
        "team_id": key.team_id,
        "customer_id": key.customer_id,
        "on_limits_unavailable": "closed" if key.fail_closed else "open",
        "limits": limits_object(key.own_limits),
        "created_at": _time(key.created_at_s),
    }


def show_group(group: Group) -> dict[str, Any]:
    """Return a team or customer as the API shows it."""
    return {
        "id": group.group_id,
        "name": group.name,
        **({"customer_id": group.customer_id} if group.kind.value == "team" else {}),
        "limits": limits_object(group.limits),
        "created_at": _time(group.created_at_s),
    }


def _time(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat().replace("+00:00", "Z")


def _sorted(names: frozenset[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)
