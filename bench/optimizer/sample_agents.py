"""Agents' loops: a booking desk whose tools answer in JSON, and one that mends a program."""

from __future__ import annotations

from random import Random
from typing import Any

import orjson

from bench.optimizer.conversation import Conversation, Facts, Message
from bench.optimizer.sample_code import make_module
from bench.optimizer.sample_words import (
    assistant,
    call,
    code,
    digest,
    name,
    paragraph,
    system,
    tool,
    user,
)

_BOOKING_TOOLS = [
    tool(
        "find_trips",
        "Search the timetable for trips between two towns on a day. " * 3,
        start="The town where the trip begins, as the customer spells it.",
        end="The town where the trip ends, as the customer spells it.",
        day="The day of departure as YYYY-MM-DD.",
    ),
    tool("get_customer", "Return a customer's record.", customer="The customer's number."),
    tool("book", "Book one seat.", trip="The trip's number.", customer="The customer's number."),
]


def booking(random: Random) -> Conversation:
    """Return a loop in which a customer is looked up, trips are searched and one is booked."""
    turns: dict[str, list[str]] = {}
    messages: list[Message] = [
        system(f"You are the desk of a ferry line. {paragraph(random, 40)}"),
        user(f"Hello, this is {name(random)}. I need to travel, several trips."),
    ]
    customer = {
        "customer": code(random),
        "address": {"street": name(random), "number": random.randrange(1, 99)},
        "cards": [{"id": f"card_{digest(random, 8)}", "brand": "visa"} for _ in range(3)],
        "notes": None,
    }
    number = {"customer": customer["customer"]}
    messages += call(random, "get_customer", _compact(number), _loose(customer))
    for _ in range(random.randrange(3, 6)):
        trips = _trips(random, random.randrange(6, 18))
        trip = random.choice(trips)
        asked = {"start": trip["start"], "end": trip["end"], "day": trip["day"]}
        messages += call(random, "find_trips", _compact(asked), _loose(trips))
        turns[str(len(messages))] = [trip["trip"], trip["leaves"]]
        messages.append(assistant(f"{trip['trip']} leaves at {trip['leaves']}. Shall I book it?"))
        messages.append(user("Yes, please."))
        turns[str(len(messages))] = [trip["trip"], str(customer["customer"])]
        order = {"trip": trip["trip"], **number}
        done = {"status": "booked", "order": code(random), **order}
        messages += call(random, "book", _compact(order), _loose(done))
        turns[str(len(messages))] = [done["order"]]
        messages.append(assistant(f"Booked, order {done['order']}. Anything else?"))
        messages.append(user(f"One more, to {name(random)}."))
    messages.append(assistant("I am sorry, there is none."))
    request = {"messages": messages, "tools": _BOOKING_TOOLS}
    must = Facts(turns=turns)
    return Conversation(family="agent", sub="booking", mode="loop", request=request, must=must)


def mending(random: Random) -> Conversation:
    """Return a loop that lists, reads, tests, edits and reads again."""
    path = f"src/{name(random).lower()}.py"
    module = make_module(random, random.randrange(8, 16))
    functions = [line for line in module.splitlines() if line.startswith("def ")]
    wanted = random.choice(functions)
    failing = f"test_{name(random).lower()}"
    turns: dict[str, list[str]] = {}
    messages: list[Message] = [
        system(f"You repair programs with a shell. {paragraph(random, 25)}"),
        user(f"`{failing}` fails since yesterday. Find out why and repair it."),
    ]
    listing = "\n".join(f"./src/{name(random).lower()}.py" for _ in range(60)) + f"\n./{path}"
    messages += _shell(random, "find . -name '*.py'", listing)
    turns[str(len(messages))] = [path]
    messages += _shell(random, f"cat {path}", module)
    turns[str(len(messages))] = [wanted]
    messages += _shell(random, "pytest -v", _test_run(random, failing, path))
    turns[str(len(messages))] = [failing]
    changed = module.replace(wanted, f"{wanted}  # repaired {digest(random, 6)}")
    patch = f"--- a/{path}\n+++ b/{path}\n@@ -1,3 +1,3 @@\n-{wanted}\n+{wanted}  # repaired"
    messages += _shell(random, "git diff", patch)
    messages += _shell(random, f"cat {path}", changed)
    messages += _shell(random, "pytest -v", _test_run(random, None, path))
    messages.append(assistant(f"`{wanted}` was at fault; the tests pass now."))
    request = {"messages": messages}
    must = Facts(turns=turns, needles=[line for line in changed.splitlines() if "repaired" in line])
    return Conversation(family="agent", sub="mending", mode="loop", request=request, must=must)


def _shell(random: Random, command: str, output: str) -> list[Message]:
    return call(random, "shell", _compact({"command": command}), output, said=f"I run {command}.")


def _trips(random: Random, count: int) -> list[dict[str, Any]]:
    start, end, day = name(random), name(random), f"2026-0{random.randrange(1, 9)}-17"
    return [
        {
            "trip": code(random, 3, 4),
            "start": start,
            "end": end,
            "day": day,
            "leaves": f"{random.randrange(5, 22):02}:{random.randrange(60):02}:00",
            "seats": {"deck": random.randrange(30), "cabin": random.randrange(12)},
            "prices": {"deck": random.randrange(20, 90), "cabin": random.randrange(90, 400)},
            "status": "available",
        }
        for _ in range(count)
    ]


def _test_run(random: Random, failing: str | None, path: str) -> str:
    lines = [f"tests/test_all.py::test_{name(random).lower()} PASSED" for _ in range(40)]
    if failing is not None:
        lines.insert(random.randrange(40), f"tests/test_all.py::{failing} FAILED")
        lines += [
            f"____ {failing} ____",
            "Traceback (most recent call last):",
            f'  File "{path}", line {random.randrange(9, 99)}, in {failing}',
            f"AssertionError: {random.randrange(100)} != {random.randrange(100)}",
        ]
    return "\n".join([*lines, f"==== {len(lines)} in {random.random():.2f}s ===="])


def _compact(value: Any) -> str:
    return orjson.dumps(value).decode()


def _loose(value: Any) -> str:
    """Return JSON with a blank after every comma and colon, or indented: as tools print it."""
    if isinstance(value, dict):
        return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    return "[" + ", ".join(_spaced(item) for item in value) + "]"


def _spaced(value: Any) -> str:
    if isinstance(value, dict):
        members = (f"{_compact(key)}: {_spaced(item)}" for key, item in value.items())
        return "{" + ", ".join(members) + "}"
    return _compact(value)


KINDS = {"agent/booking": booking, "agent/mending": mending}
