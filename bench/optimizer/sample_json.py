"""JSON from tools: uniform records, ragged ones, a dictionary, and tool definitions."""

from __future__ import annotations

from random import Random
from typing import Any

import orjson

from bench.optimizer.conversation import Conversation, Facts, Message
from bench.optimizer.sample_words import (
    call,
    code,
    digest,
    name,
    sentence,
    single,
    system,
    tool,
    user,
)

_TASK = "You answer questions about data. Quote values exactly."
_ROWS_CHECKED = 12


def orders(random: Random) -> Conversation:
    """Return a list of records with the same members, as a database would give it."""
    records: list[dict[str, Any]] = [
        {
            "order_id": code(random),
            "customer": name(random),
            "total": round(random.uniform(1, 999), 2),
            "paid": random.randrange(5) > 0,
            "shipped_at": random.choice((None, f"2026-03-{random.randrange(1, 29):02}")),
            "zip": f"{random.randrange(10_000):05}",
        }
        for _ in range(random.randrange(40, 130))
    ]
    wanted = random.choice(records)
    question = f"What is the total of order {wanted['order_id']}?"
    pairs = [(str(one["order_id"]), str(one["total"])) for one in records]
    must = Facts(
        needles=[str(wanted["total"])],
        rows=random.sample(pairs, _ROWS_CHECKED),
        leaves=True,
        types=True,
    )
    return single("json/orders", _messages(random, question, records), must)


def ragged(random: Random) -> Conversation:
    """Return nested records whose members differ."""
    records = []
    for _ in range(random.randrange(15, 50)):
        record: dict[str, Any] = {
            "id": random.randrange(10**12, 10**13),
            "owner": {"login": name(random).lower(), "admin": False},
            "labels": [{"name": name(random), "color": digest(random, 6)} for _ in range(3)],
        }
        if not random.randrange(3):
            record["description"] = sentence(random)
        records.append(record)
    wanted = random.choice(records)
    question = f"Who owns {wanted['id']}?"
    pairs = [(str(one["id"]), one["owner"]["login"]) for one in records]
    must = Facts(rows=random.sample(pairs, _ROWS_CHECKED), leaves=True)
    return single("json/ragged", _messages(random, question, records), must)


def pairs(random: Random) -> Conversation:
    """Return one large object, given by the user, and a key of it."""
    values = {digest(random, 32): digest(random, 32) for _ in range(random.randrange(40, 90))}
    key = random.choice(list(values))
    text = orjson.dumps(values, option=orjson.OPT_INDENT_2).decode()
    question = f"What is the value of {key}?"
    messages = [system(_TASK), user(f"```json\n{text}\n```\n\n{question}")]
    return single(
        "json/pairs",
        messages,
        Facts(needles=[values[key]], rows=list(values.items())[:_ROWS_CHECKED], leaves=True),
    )


def odd_one_out(random: Random) -> Conversation:
    """Return measurements, one of which is far from the others."""
    records: list[dict[str, Any]] = [
        {"node": f"node-{at:03}", "load": round(random.gauss(20, 2), 2), "state": "ok"}
        for at in range(random.randrange(60, 160))
    ]
    odd = random.choice(records)
    odd["load"], odd["state"] = round(random.uniform(300, 900), 2), "degraded"
    must = Facts(outliers=[str(odd["load"])], rows=[(odd["node"], str(odd["load"]))], leaves=True)
    messages = _messages(random, "Which node is not like the others?", records)
    return single("json/odd_one_out", messages, must)


def tools(random: Random) -> Conversation:
    """Return a small question with many long tool definitions."""
    definitions = [
        tool(
            f"{name(random).lower()}_{name(random).lower()}",
            " ".join(sentence(random) for _ in range(4)),
            **{name(random).lower(): sentence(random) for _ in range(random.randrange(2, 6))},
        )
        for _ in range(random.randrange(8, 20))
    ]
    conversation = single("tools/many", [user(f"Call {name(random)} for me.")], Facts())
    conversation.request["tools"] = definitions
    return conversation


def _messages(random: Random, question: str, records: list[dict[str, Any]]) -> list[Message]:
    text = orjson.dumps(records, option=random.choice((orjson.OPT_INDENT_2, 0)))
    return [system(_TASK), user(question), *call(random, "query", "{}", text.decode())]


KINDS = {
    "json/orders": orders,
    "json/ragged": ragged,
    "json/pairs": pairs,
    "json/odd_one_out": odd_one_out,
    "tools/many": tools,
}
