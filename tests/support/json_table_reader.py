"""Reads tables of JSON back, by nothing but the words of their note."""

from __future__ import annotations

import json  # noqa: TID251 - finds where a value ends, whatever its numbers and keys
from collections.abc import Callable
from typing import Any

from korad.optimizer.base import MARK

_end_of_value = json.JSONDecoder().raw_decode
Plan = tuple[str, Any] | None


class Reader:
    """Rebuilds the compact JSON text from a text with tables, by the words of its note."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.nulls = False

    def everything(self) -> str:
        if not self.text.startswith(f"{MARK} (keys) come first, then "):
            return self.document()
        words = self.line().removeprefix(f"{MARK} (keys) come first, then ")
        self.nulls = "; empty = null" in words
        if words.startswith("objects as lists"):
            return self.document()
        self.take("(")
        plan = self.plan()
        self.take(")")
        return "\n".join(
            self.take("\n", "") + self.place(plan) for _ in range(int(words.split()[0]))
        )

    def document(self) -> str:
        if self.peek() == "(":
            self.take("(")
            plan = self.plan()
            self.take(")")
            return self.place(plan)
        if self.peek() == "{":
            return self.listed("}", lambda: f"{self.raw()}{self.take(':')}{self.document()}")
        if self.peek() == "[":
            return self.listed("]", self.document)
        return self.raw()

    def cells(self, columns: list[tuple[str, Plan]]) -> str:
        members = []
        for key, plan in columns:
            if self.peek() in (",", "]"):
                members += [f"{key}:null"] if self.nulls else []
            else:
                members.append(f"{key}:{self.place(plan)}")
            if self.peek() == ",":
                self.take(",")
        return "{" + ",".join(members) + "}"

    def place(self, plan: Plan) -> str:
        kind, inner = plan or ("", None)
        if kind == "record" and self.peek() == "[":
            self.take("[")
            return self.cells(inner) + self.take("]", "")
        if kind == "array" and self.peek() == "[":
            return self.listed("]", lambda: self.place(inner))
        if kind == "map" and self.peek() == "{":
            return self.listed("}", lambda: f"{self.raw()}{self.take(':')}{self.place(inner)}")
        return self.raw()

    def columns(self, close: str) -> list[tuple[str, Plan]]:
        columns = []
        while self.peek() != close:
            key = self.raw()
            plan = None
            if self.peek() == ":":
                self.take(":")
                plan = self.plan()
            columns.append((key, plan))
            if self.peek() == ",":
                self.take(",")
        self.take(close)
        return columns

    def plan(self) -> Plan:
        if self.peek() == "{":
            self.take('{"*":')
            inner = self.plan()
            self.take("}")
            return "map", inner
        self.take("[")
        if self.peek() == '"':
            return "record", self.columns("]")
        inner = self.plan()
        self.take("]")
        return "array", inner

    def listed(self, close: str, item: Callable[[], str]) -> str:
        opening, items = self.take(self.peek()), []
        while self.peek() != close:
            items.append(item())
            if self.peek() == ",":
                self.take(",")
            if self.peek() == "\n":
                self.take("\n")
        return opening + ",".join(items) + self.take(close)

    def raw(self) -> str:
        start = self.at
        self.at = _end_of_value(self.text, start)[1]
        return self.text[start : self.at]

    def take(self, expected: str, result: str | None = None) -> str:
        assert self.text.startswith(expected, self.at), (expected, self.text[self.at :][:40])
        self.at += len(expected)
        return expected if result is None else result

    def line(self) -> str:
        start, stop = self.at, self.text.find("\n", self.at)
        self.at = stop + 1 if stop >= 0 else len(self.text)
        return self.text[start : stop if stop >= 0 else None]

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]


def read(text: str) -> str:
    """Return the compact JSON behind a text with tables."""
    reader = Reader(text)
    document = reader.everything()
    assert reader.at == len(text)
    return document
