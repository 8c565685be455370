"""What is written for a form field, a date or an abbreviation: from its attributes alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from korad.optimizer.html.marks import BULLET, LINE, TARGET, words_of

_SAID: Final = ("name", "value", "min", "max", "pattern", "accept")
_CALLED: Final = (("placeholder", "placeholder"), ("aria-label", "label"))
_STATES: Final = ("checked", "selected", "required", "disabled", "readonly", "multiple")


def field(kind: str, of: dict[str, str]) -> str:
    """Describe a form field: what it is called, what it holds and what it accepts."""
    said = [f"{name}={of[name]}" for name in _SAID if of.get(name)]
    # "Search" in a field called search says nothing more.
    told = {"", of.get("name", "").lower()}
    for name, called in _CALLED:
        words = of.get(name, "")
        if words.lower() not in told:
            said.append(f"{called}={words}")
            told.add(words.lower())
    return " ".join([kind, *said, *(state for state in _STATES if state in of)])


def labels(of: dict[str, str], said: str, *, alone: bool) -> str:
    """Return what a tag's label and title say beyond the words that follow.

    `alone`: no words stand in the tag.
    """
    label = of.get("aria-label", "")
    shown = f" {label} " if label and (alone or of.get("role") == "img") else ""
    title = words_of(of.get("title", ""))
    return f"{shown} ({title}) " if title and title not in said and title != label else shown


def _input(of: dict[str, str], _text: str) -> str:
    kind = of.get("type", "").lower()
    if kind == "hidden" and not of.get("name"):
        return ""  # it is never sent
    if kind == "text" or not kind.replace("-", "").isalpha():
        kind = "input"
    alt = f" {of['alt']}" if of.get("alt") else ""
    return f" [{field(kind, of)}{alt}] "


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
    return f"{LINE}[form {method} {TARGET}{action}]{LINE}" if action else LINE


def _time(of: dict[str, str], text: str) -> str:
    date = of.get("datetime", "")
    return f"({date}) " if date and date not in text else ""


def _abbreviation(of: dict[str, str], text: str) -> str:
    meant = of.get("title", "")
    return f"({meant}) " if meant and meant not in text else ""


def _gauge(of: dict[str, str], text: str) -> str:
    value, most = of.get("value", ""), of.get("max", "1")
    return f"{value}/{most} " if value and not text else ""


FIELDS: Final[dict[str, Callable[[dict[str, str], str], str]]] = {
    "input": _input,
    "select": _select,
    "option": _option,
    "optgroup": _option_group,
    "button": _button,
    "form": _form,
    "time": _time,
    "abbr": _abbreviation,
    "meter": _gauge,
    "progress": _gauge,
    "acronym": _abbreviation,
}
"""By tag: given its attributes and the text that follows, the text that stands for it."""
