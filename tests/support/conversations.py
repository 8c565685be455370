"""Conversations of the kinds that agents and users send, built from a seeded source of chance."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import orjson

Json = dict[str, Any]

WORDS = (
    *("request", "server", "order", "user", "cache", "failed", "retry", "customer", "invoice"),
    *("the", "of", "and", "is", "not", "with", "timeout", "naïve", "Größe", "東京", "🚀", "path"),
)
NAMES = ("id", "name", "price", "created_at", "tags", "status", "owner", "größe", "note", "active")
QUESTIONS = (
    "Which of them failed, and why?",
    "Mend the bug.",
    "Sum up what you see.",
    "Is the indentation of the file right?",
    "Give me the HTML source.",
    "How often did order 17 time out?",
    "",
)


def prose(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(WORDS, k=words)).capitalize() + "."


def a_value(chance: random.Random, depth: int = 0) -> Any:
    kinds: list[Callable[[], Any]] = [
        lambda: chance.randint(-5, 10**6),
        lambda: round(chance.random() * 100, 2),
        lambda: chance.choice((None, True, False, "", "a\tb\n", '"quoted"', "\\", "x" * 200)),
        lambda: prose(chance, 6),
    ]
    if depth < 2:
        kinds += [
            lambda: [a_value(chance, depth + 1) for _ in range(chance.randint(0, 4))],
            lambda: {n: a_value(chance, depth + 1) for n in chance.sample(NAMES, 3)},
        ]
    return chance.choice(kinds)()


def a_json(chance: random.Random) -> str:
    names = chance.sample(NAMES, chance.randint(1, 6))
    rows: Any = [{name: a_value(chance, 1) for name in names} for _ in range(chance.randint(1, 40))]
    if chance.random() < 0.5:
        rows = {"items": rows, "total": a_value(chance), "page": a_value(chance)}
    option = chance.choice((0, orjson.OPT_INDENT_2))
    text = orjson.dumps(rows, option=option).decode()
    if chance.random() < 0.3:
        text = text.replace(": 1", ": 1.10").replace('"name"', '"n\\u0061me"')
    return text


def json_lines(chance: random.Random) -> str:
    rows = [{"id": n, "note": prose(chance, 4)} for n in range(chance.randint(2, 40))]
    return "\n".join(orjson.dumps(row).decode() for row in rows)


def a_log(chance: random.Random) -> str:
    lines = []
    for number in range(chance.randint(5, 150)):
        level = chance.choice(("INFO", "INFO", "INFO", "DEBUG", "WARN", "ERROR"))
        stamp = f"2026-03-{number % 28 + 1:02}T10:{number % 60:02}:07.{number:03}Z"
        shapes = (
            f"{stamp} {level} pool-{number % 4} GET /orders/{number} took {number * 7 % 90} ms",
            f"{stamp} {level} cache hit for key user:{chance.randint(1, 10**6)}",
            f"{stamp} {level} {prose(chance, 7)}",
            f"\x1b[32m{stamp}\x1b[0m {level} done  ",
        )
        lines.append(chance.choice(shapes[: chance.choice((1, 2, 4))]))
    return chance.choice(("\n", "\r\n")).join(lines)


def a_trace(chance: random.Random) -> str:
    frames = [
        f'  File "/srv/app/module_{n % 3}.py", line {n}, in step_{n}\n    run(step={n})'
        for n in range(chance.randint(3, 40))
    ]
    return "Traceback (most recent call last):\n" + "\n".join(frames) + "\nKeyError: 'order'"


def some_code(chance: random.Random) -> str:
    lines = ["import os", "", ""]
    for number in range(chance.randint(2, 40)):
        lines += [
            f"def step_{number}(value, other={number}):",
            f'    """{prose(chance, 5)}"""',
            f"    if value > {number}:",
            f"        return other * {chance.randint(1, 99)}  # {prose(chance, 3)}",
            "    return None",
            "",
            "",
        ]
    return "\n".join(lines)


def a_diff(chance: random.Random) -> str:
    body = [f" unchanged line {n}" for n in range(chance.randint(3, 30))]
    body.insert(len(body) // 2, "-old line\n+new line")
    count = len(body) + 1
    return f"--- a/x.py\n+++ b/x.py\n@@ -1,{count} +1,{count} @@\n" + "\n".join(body)


def a_page(chance: random.Random) -> str:
    rows = "".join(
        f'<li class="item i-{n}"><a href="/p/{n}?a=1&amp;b=2">{prose(chance, 4)}</a></li>\n'
        for n in range(chance.randint(3, 40))
    )
    return (
        "<!DOCTYPE html><html><head><title>T</title><style>.a{color:red}</style>"
        f"<script>var x = 1;</script></head><body><h1>Title</h1><ul>{rows}</ul>"
        f"<p>{prose(chance, 40)}</p></body></html>"
    )


def a_table(chance: random.Random) -> str:
    rows = [f"{n},{prose(chance, 2)},{n * 1.5}" for n in range(chance.randint(5, 60))]
    return "id,name,price\n" + "\n".join(rows)


def a_listing(chance: random.Random) -> str:
    rows = [
        f"-rw-r--r-- 1 root root {n * 37:>6} Mar {n % 28 + 1:>2} 10:0{n % 10} file_{n}.py"
        for n in range(chance.randint(5, 80))
    ]
    return f"total {len(rows)}\n" + "\n".join(rows)


def documents(chance: random.Random) -> str:
    return "\n\n".join(
        f"## Document {n}\n\n{prose(chance, chance.randint(20, 120))}"
        for n in range(chance.randint(2, 12))
    )


def a_download(chance: random.Random) -> str:
    steps = "\r".join(f"Downloading {n}% [{'#' * (n // 10)}]" for n in range(0, 101, 10))
    return f"$ fetch\n{steps}\n\n\n\n{prose(chance, 30)}   \n\t\ndone\t\n" * chance.randint(1, 4)


PIECES: tuple[Callable[[random.Random], str], ...] = (
    a_json,
    json_lines,
    a_log,
    a_trace,
    some_code,
    a_diff,
    a_page,
    a_table,
    a_listing,
    documents,
    a_download,
    lambda chance: prose(chance, 300),
    lambda chance: prose(chance, 3),
    lambda _: "",
    lambda chance: chance.choice(("{" * 300, "\n" * 300, "[korad: " * 40, "`" * 99, "a" * 3_000)),
)
FENCES = ("", "json", "log", "py", "diff", "html", "text", "console")


class Builder:
    """Builds one conversation; the same seed builds the same one."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._texts: list[str] = []
        self._calls = 0

    def conversation(self) -> list[Json]:
        """Return messages: system prompts, questions, pastes, calls, results, answers."""
        chance = self._chance
        messages: list[Json] = []
        for _ in range(chance.choice((0, 1, 1, 2))):
            role = chance.choice(("system", "developer"))
            messages.append({"role": role, "content": self._text()})
        for _ in range(chance.randint(1, 4)):
            messages += self._turn()
        return messages

    def _turn(self) -> list[Json]:
        chance = self._chance
        messages: list[Json] = [{"role": "user", "content": self._asked()}]
        for _ in range(chance.randint(0, 3)):
            calls = [self._call() for _ in range(chance.choice((1, 1, 2)))]
            content = chance.choice((None, "Let me see.", ""))
            messages.append({"role": "assistant", "content": content, "tool_calls": calls})
            messages += [
                {"role": "tool", "tool_call_id": call["id"], "content": self._content()}
                for call in calls
            ]
        messages.append({"role": "assistant", "content": self._text(), "name": "helper"})
        if chance.random() < 0.1:
            messages.append({"role": "system", "content": self._text()})
        return messages

    def _call(self) -> Json:
        self._calls += 1
        name = self._chance.choice(("bash", "read_file", "search", "fetch"))
        arguments = self._chance.choice(('{"path": "a.py"}', '{"q":"order 17"}', "{}"))
        function = {"name": name, "arguments": arguments}
        return {"id": f"call_{self._calls}", "type": "function", "function": function}

    def _text(self) -> str:
        """Return a new text or, now and then, one that was there before, whole or in part."""
        chance = self._chance
        if self._texts and chance.random() < 0.3:
            old = chance.choice(self._texts)
            start = chance.randrange(len(old) + 1) if chance.random() < 0.5 else 0
            return f"{prose(chance, 3)}\n{old[start:]}" if chance.random() < 0.5 else old
        text = chance.choice(PIECES)(chance)
        self._texts.append(text)
        return text

    def _asked(self) -> Any:
        chance = self._chance
        question = chance.choice(QUESTIONS)
        kind = chance.randrange(5)
        if kind == 0:
            return question
        if kind == 1:
            return f"{question}\n\n```{chance.choice(FENCES)}\n{self._text()}\n```\n"
        if kind == 2:
            return f"{self._text()}\n\n{question}"
        if kind == 3:
            return self._text()
        return [{"type": "text", "text": question}, *self._parts()]

    def _content(self) -> Any:
        return self._parts() if self._chance.random() < 0.2 else self._text()

    def _parts(self) -> list[Json]:
        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
        texts: list[Json] = [{"type": "text", "text": self._text()} for _ in range(2)]
        return [texts[0], image, texts[1]] if self._chance.random() < 0.5 else texts
