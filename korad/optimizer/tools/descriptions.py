"""Shorten what a request's tools say of their parameters, and nothing of what they accept.

At high a parameter's description keeps its first sentence and every later one that changes how a
call is written: allowed values, formats, units, defaults, duties. What the schema says itself (the
same values in `enum`, the same `default`, true and false of a boolean) is not said twice, and a
description that only repeats the names goes. At extreme it goes in any case, unless the name alone
tells too little or the description spells out a format. The function's own name and description
stay, and so does everything that constrains a call.

The bytes that stay are the caller's own: values are carried over as they were written.
"""

from __future__ import annotations

import msgspec
import orjson

from korad.optimizer.base import EXTREME, HIGH
from korad.optimizer.tools.parameter_text import in_brief, needed_sentences, only_repeats, stems_of

_Members = dict[str, msgspec.Raw]

_as_members = msgspec.json.Decoder(_Members).decode
_as_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_as_text = msgspec.json.Decoder(str).decode
_as_value = msgspec.json.Decoder(msgspec.Raw).decode

_DEEPEST = 40
"""Schemas nested deeper stay as they are: nobody writes them, and recursion has an end."""

_BY_NAME = frozenset({"properties", "$defs", "definitions", "patternProperties"})
"""Keywords whose members are named by the caller: a property may be called "title"."""
_NESTED = frozenset(
    {"items", "prefixItems", "additionalProperties", "anyOf", "oneOf", "allOf", "not", "contains"}
)
_DECORATION = frozenset({"title", "examples", "example", "$schema"})

_BLANKS = b" \t\r\n"


def shorten(tools: bytes, level: int) -> bytes | None:
    """Return a request's `tools` (or `functions`) member with shorter parameter descriptions.

    `tools` is the member's JSON; `level` an index into `LEVELS`. None: nothing was shortened.
    Raises `msgspec.DecodeError` if `tools` is no array of valid JSON.
    """
    if level < HIGH:
        return None
    old = _as_items(tools)
    shortener = _Shortener(level, plain=_is_plain(tools))
    new = [shortener.tool(item) for item in old]
    if _all_same(new, old):
        return None
    return b"[" + b",".join(map(bytes, new)) + b"]"


class _Shortener:
    """Shortens tools, one after another."""

    __slots__ = ("_level", "_plain", "_stems")

    def __init__(self, level: int, *, plain: bool) -> None:
        self._level = level
        self._plain = plain
        self._stems: frozenset[str] = frozenset()

    def tool(self, raw: msgspec.Raw) -> msgspec.Raw:
        """Shorten one tool: a function in OpenAI's wrapper, a legacy one, or Anthropic's form."""
        members = self._members(raw)
        if members is None:
            return raw
        if "function" in members:
            return _with(raw, members, {"function": self.tool(members["function"])})
        key = "parameters" if "parameters" in members else "input_schema"
        if key not in members:
            return raw
        self._stems = stems_of(_text(members.get("name")) or "")
        return _with(raw, members, {key: self.schema(members[key], "", 0)})

    def schema(self, raw: msgspec.Raw, name: str, depth: int) -> msgspec.Raw:
        """Shorten a schema and those in it; `name` is the parameter's, "" if it has none."""
        members = self._members(raw)
        if members is None or depth > _DEEPEST:
            return raw
        changed: dict[str, msgspec.Raw | None] = {}
        for key, old in members.items():
            if key in _BY_NAME:
                changed[key] = self._named(old, depth)
            elif key in _NESTED:
                changed[key] = self._nested(old, name, depth)
            elif key in _DECORATION and self._is_idle(key, name, members):
                changed[key] = None
        text = _text(members.get("description"))
        if text is not None:
            short = self._description(text, name, members)
            if short != text:
                changed["description"] = _as_value(orjson.dumps(short)) if short else None
        return _with(raw, members, changed)

    def _is_idle(self, key: str, name: str, members: _Members) -> bool:
        """Tell whether a schema says enough without a title, an example or a `$schema`."""
        if self._level >= EXTREME or key == "$schema" or "description" in members:
            return True
        title = _text(members["title"]) if key == "title" else None
        return title is not None and (not name or only_repeats(title, stems_of(name) | self._stems))

    def _named(self, raw: msgspec.Raw, depth: int) -> msgspec.Raw:
        """Shorten each schema of a map from names to schemas."""
        members = self._members(raw)
        if members is None:
            return raw
        # A property called like a keyword is left alone: who walks by key would misread it.
        return _with(
            raw,
            members,
            {
                name: self.schema(old, name, depth + 1)
                for name, old in members.items()
                if name not in _BY_NAME
            },
        )

    def _nested(self, raw: msgspec.Raw, name: str, depth: int) -> msgspec.Raw:
        """Shorten a schema, or each schema of a list of them; anything else stays."""
        if bytes(raw).lstrip(_BLANKS)[:1] != b"[":
            return self.schema(raw, name, depth + 1)
        old = _as_items(raw)
        new = [self.schema(item, name, depth + 1) for item in old]
        return raw if _all_same(new, old) else _as_value(b"[" + b",".join(map(bytes, new)) + b"]")

    def _members(self, raw: msgspec.Raw) -> _Members | None:
        """Return an object's members, each as written.

        None for anything else, and for an object that would not come back as it was written: one
        with a key twice, or with escapes in a key.
        """
        written = bytes(raw)
        if written.lstrip(_BLANKS)[:1] != b"{":
            return None
        members = _as_members(raw)
        if self._plain:
            return members
        same = _written(members).translate(None, _BLANKS) == written.translate(None, _BLANKS)
        return members if same else None

    def _description(self, text: str, name: str, members: _Members) -> str:
        """Return what a parameter's description keeps; "" if it can go."""
        if self._level >= EXTREME:
            return in_brief(text, name, members)
        short = needed_sentences(text, members)
        return "" if name and only_repeats(short, stems_of(name) | self._stems) else short


def _text(raw: msgspec.Raw | None) -> str | None:
    """Return the string a member holds; None for anything else, and for half a surrogate pair."""
    if raw is None or bytes(raw)[:1] != b'"':
        return None
    try:
        return _as_text(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _is_plain(tools: bytes) -> bool:
    """Tell whether decoding and encoding gives the same again: no key twice, no escaped key."""
    try:
        again = orjson.dumps(orjson.loads(tools))
    except orjson.JSONDecodeError:
        return False
    return again.translate(None, _BLANKS) == tools.translate(None, _BLANKS)


def _written(members: _Members) -> bytes:
    """Write an object."""
    pairs = [orjson.dumps(key) + b":" + bytes(raw) for key, raw in members.items()]
    return b"{" + b",".join(pairs) + b"}"


def _with(
    raw: msgspec.Raw, members: _Members, changed: dict[str, msgspec.Raw | None]
) -> msgspec.Raw:
    """Return the object with some members changed (None: gone); `raw` itself if none was."""
    if all(after is members[key] for key, after in changed.items()):
        return raw
    kept = {key: changed.get(key, old) for key, old in members.items()}
    return _as_value(_written({key: new for key, new in kept.items() if new is not None}))


def _all_same(new: list[msgspec.Raw], old: list[msgspec.Raw]) -> bool:
    """Tell whether nothing in a list was changed."""
    return all(after is before for after, before in zip(new, old, strict=True))
