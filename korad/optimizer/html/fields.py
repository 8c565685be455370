"""What is written for a form field, a date or an abbreviation: from its attributes alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from korad.optimizer.html.marks import BULLET, LINE, words_of

_SAID: Final = ("type", "name", "value", "placeholder", "min", "max", "pattern", "accept")
_PLAIN: Final = frozenset({"", "text"})
_STATES: Final = ("checked", "selected", "required", "disabled", "readonly", "multiple")


def field(kind: str, of: dict[str, str]) -> str:
    """Describe a form field: what it is called, what it holds and what it accepts."""
    said = [f"{name}={of[name]}" for name in _SAID if of.get(name, "") not in _PLAIN]
    if of.get("aria-label"):
        said.append(f"label={of['aria-label']}")
    return " ".join([kind, *said, *(state for state in _STATES if state in of)])


def labels(of: dict[str, str], said: str, *, empty: bool) -> str:
    """Return what a tag's label and title say beyond the words that follow.

    `empty`: nothing stands in the tag.
    """
    label = of.get("aria-label", "")
    shown = f" {label} " if label and (empty or of.get("role") == "img") else ""
    title = words_of(of.get("title", ""))
    return f"{shown} ({title}) " if title and title not in said and title != label else shown


def _input(of: dict[str, str], _text: str) -> str:
    if of.get("type", "").lower() == "hidden" and not of.get("name"):
        return ""  # it is never sent
    alt = f" {of['alt']}" if of.get("alt") else ""
    return f" [{field('input', of)}{alt}] "


def _select(of: dict[str, str], _text: str) -> str:
    return f"{LINE}[{field('select', of)}:"


def _option(of: dict[str, str], text: str) -> str:
    chosen = "*" if "selected" in of else ""
    value = of.get("value", "")
    return f" | {chosen}{value}=" if value and value != text else f" | {chosen}"


def _option_group(of: dict[str, str], _text: str) -> str:
    return f" | {of.get('label', '')}:"


def _button(of: dict[str, str], text: str) -> str:
    label = "" if text else of.get("aria-label") or of.get("title") or ""
    said = "".join(f" {name}={of[name]}" for name in ("name", "value") if of.get(name))
    return f" {BULLET}[button{said}: {label}"


def _form(of: dict[str, str], _text: str) -> str:
    action = of.get("action", "")
    method = of.get("method", "get").upper()
    return f"{LINE}[form {method} {action}]{LINE}" if action else LINE


def _time(of: dict[str, str], text: str) -> str:
    date = of.get("datetime", "")
    return f"({date}) " if date and date not in text else ""


def _abbreviation(of: dict[str, str], text: str) -> str:
    meant = of.get("title", "")
    return f"({meant}) " if meant and meant not in text else ""


FIELDS: Final[dict[str, Callable[[dict[str, str], str], str]]] = {
    "input": _input,
    "select": _select,
    "option": _option,
    "optgroup": _option_group,
    "button": _button,
    "form": _form,
    "time": _time,
    "abbr": _abbreviation,
    "acronym": _abbreviation,
}
"""By tag: given its attributes and the text that follows, the text that stands for it."""
