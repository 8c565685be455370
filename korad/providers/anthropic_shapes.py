"""Read members of a decoded request and refuse wrong shapes with the place they are at."""

from __future__ import annotations

from typing import Any

from korad.errors import ClientError, invalid_request

Json = dict[str, Any]


def invalid_type(param: str, expected: str) -> ClientError:
    """Return the 400 for a member of the wrong type."""
    return invalid_request(f"'{param}' must be {expected}.", code="invalid_type", param=param)


def invalid_value(message: str, param: str) -> ClientError:
    """Return the 400 for a member of the right type that means nothing."""
    return invalid_request(message, code="invalid_value", param=param)


def object_at(value: object, param: str) -> Json:
    """Return `value`, which must be an object."""
    if not isinstance(value, dict):
        raise invalid_type(param, "an object")
    return value


def array_at(value: object, param: str) -> list[Any]:
    """Return `value`, which must be an array."""
    if not isinstance(value, list):
        raise invalid_type(param, "an array")
    return value


def string_at(value: object, param: str) -> str:
    """Return `value`, which must be a string that is not empty."""
    if not isinstance(value, str) or not value:
        raise invalid_type(param, "a string that is not empty")
    return value


def number_at(value: object, param: str) -> int | float:
    """Return `value`, which must be a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid_type(param, "a number")
    return value


def cache_control_of(holder: Json, param: str) -> Json:
    """Return the `cache_control` member of `holder` as a dict to merge, {} when there is none."""
    marker = holder.get("cache_control")
    if marker is None:
        return {}
    return {"cache_control": object_at(marker, f"{param}.cache_control")}
