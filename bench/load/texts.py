"""Prompt texts that a seed gives: talk, and what agents read: lists, logs, code and pages.

The stuff agents read is that of the optimizer's sample, so savings levels have something to do.
"""

from __future__ import annotations

import math
from random import Random
from typing import Any

import orjson

from bench.optimizer.sample import KINDS
from bench.optimizer.sample_words import call, code, name, paragraph, sentence, system, user

Message = dict[str, Any]
READING = (
    "json/orders", "json/ragged", "logs/access", "logs/java", "code/diff", "html/article",
)  # fmt: skip
TALK_BYTES_MAX = 1_500
"""A shorter prompt is talk alone; a longer one is half talk, half things to read."""
_REST_BYTES = 60
"""What model, stream and the like add to a body."""
_TASK = "Answer in a few words."


def body_lengths(random: Random, mean_bytes: int, sd_bytes: int, count: int) -> list[int]:
    """Return lengths by a log-normal law with this mean and standard deviation, in bytes."""
    if not sd_bytes:
        return [mean_bytes] * count
    variance = math.log(1 + (sd_bytes / mean_bytes) ** 2)
    middle = math.log(mean_bytes) - variance / 2
    return [round(random.lognormvariate(middle, math.sqrt(variance))) for _ in range(count)]


def one_shot(random: Random, body_bytes: int) -> bytes:
    """Return the messages of a single question as JSON, for a body of `body_bytes`.

    Less than about 150 bytes cannot be kept to: a question has to be in it.
    """
    wanted = body_bytes - _REST_BYTES
    messages = [system(_TASK), user("")]
    room = wanted - len(orjson.dumps(messages))
    text = _text(random, max(room, 1))
    # Escapes make JSON longer than the text: cut what is over, then fill up to the byte.
    while (over := len(orjson.dumps(text)) - 2 - max(room, 1)) > 0:
        text = text[: -max(over // 2, 1)]
    messages[1]["content"] = text + "." * (room - len(orjson.dumps(text)) + 2)
    return orjson.dumps(messages)


def agent_turns(random: Random, mean_bytes: int, sd_bytes: int, turns: int) -> list[list[Message]]:
    """Return what each turn of an agent's conversation adds.

    The first adds the task, each later one the model's tool call and the tool's result; a turn
    adds about `mean_bytes` with the given standard deviation.
    """
    lengths = body_lengths(random, mean_bytes, sd_bytes, turns)
    opening = f"You work on orders, logs and code with tools. {paragraph(random, 3)}"
    asked = f"I am {name(random)}. Look into {code(random)}: {sentence(random)}"
    room = max(lengths[0] - len(opening) - len(asked), 0)
    parts: list[list[Message]] = [[system(opening), user(asked + " " + _talk(random, room))]]
    for length in lengths[1:]:
        kind = random.choice(READING)
        arguments = orjson.dumps({"what": code(random)}).decode()
        said = f"I look at {kind.partition('/')[2]}." if random.random() < 0.5 else ""  # noqa: PLR2004
        result = _reading(random, kind, max(length - 200, 1))
        parts.append(call(random, f"read_{kind.partition('/')[0]}", arguments, result, said=said))
    return parts


def _text(random: Random, characters: int) -> str:
    if characters <= TALK_BYTES_MAX:
        return _talk(random, characters)
    parts = [sentence(random)]
    length = len(parts[0])
    while length < characters:
        parts.append(_talk(random, 700))
        parts.append(_reading(random, random.choice(READING), 8_000))
        length += len(parts[-1]) + len(parts[-2]) + 4
    return "\n\n".join(parts)[:characters]


def _talk(random: Random, characters: int) -> str:
    text = ""
    while len(text) < characters:
        text += paragraph(random, 3) + " "
    return text[:characters]


def _reading(random: Random, kind: str, characters: int) -> str:
    """Return at most `characters` of what a tool would give, at least a part of it."""
    text = ""
    while len(text) < characters:
        messages = KINDS[kind](random).messages
        longest = max((_content(message) for message in messages), key=len)
        text += longest + "\n"
    return text[:characters]


def _content(message: Message) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else ""
