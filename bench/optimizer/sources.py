"""Public data sets: where they are, and how they become conversations."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import msgspec
import orjson

from bench.optimizer.conversation import Conversation, Facts, Message, prompt_text
from bench.optimizer.sample_words import call, single, system, user

_RAW = "https://raw.githubusercontent.com"
_MB = 1024 * 1024
_TAU_COMMIT = "7362a1708d720a4d697d042f21fd8637ea144c3b"
_SWE_COMMIT = "fe3773196f79b6abd383e13528c57f2edf6bad2f"
_NQ_COMMIT = "dc5c20a60a52c46cce60d13c659f698c1343596e"
_LOGHUB_COMMIT = "374038faa4ca122dd7ca0730372c0b78f76f8597"
_SWE_RUN = "replay__marshmallow-code__marshmallow-1867__function_calling__install-1"

_DOCUMENTS = 15
_QUESTIONS = 40
_LINES_PER_LOG = 500
_PROBE_CHARS_MIN = 6
_PROBES_PER_TURN = 8


class Source(msgspec.Struct, frozen=True):
    """A file to download."""

    name: str
    """Of the data file it becomes."""
    url: str
    licence: str
    bytes_max: int
    convert: Callable[[bytes], Iterator[Conversation]]
    sha256: str = ""
    """Of the download; "" where it is not known. `bench fetch` prints what it got."""


def tau(raw: bytes) -> Iterator[Conversation]:
    """Yield tau-bench's airline conversations: what the assistant used is looked for."""
    for item in orjson.loads(raw):
        messages = [_clean(message) for message in item["traj"]]
        yield _loop("tau", messages)


def swe(raw: bytes) -> Iterator[Conversation]:
    """Yield an SWE-agent run, each of its actions turned into a tool call."""
    run = orjson.loads(raw)
    history = [one for one in run.get("history", []) if not one.get("is_demo")]
    first = next((one for one in history if one["role"] == "user"), None)
    about = next((one for one in history if one["role"] == "system"), None)
    messages = [
        system(_text(about) or "You repair programs with a shell."),
        user(_text(first) or "Resolve the issue."),
    ]
    random = Random(len(raw))
    for step in run["trajectory"]:
        arguments = orjson.dumps({"command": step["action"]}).decode()
        said = step.get("thought") or ""
        messages += call(random, "shell", arguments, step["observation"] or "", said)
    yield _loop("swe", messages)


def questions(raw: bytes) -> Iterator[Conversation]:
    """Yield questions with the passage that answers them among others of the data set."""
    items = [orjson.loads(line) for line in gzip.decompress(raw).splitlines()]
    random = Random(0)
    for item in random.sample(items, min(_QUESTIONS, len(items))):
        gold = next(one for one in item["ctxs"] if one.get("isgold", True))
        others = [random.choice(items)["ctxs"][0] for _ in range(_DOCUMENTS - 1)]
        documents = [gold, *others]
        random.shuffle(documents)
        text = "\n\n".join(
            f"Document [{at}](Title: {one['title']}) {one['text']}"
            for at, one in enumerate(documents, 1)
        )
        messages = [
            system("Answer from the given documents. Some of them may be irrelevant."),
            user(f"{text}\n\nQuestion: {item['question']}"),
        ]
        yield single("rag/nq", messages, Facts(answers=[item["answers"]]))


def log(style: str) -> Callable[[bytes], Iterator[Conversation]]:
    """Return a converter of a log into questions about it; the rarest line is the outlier."""

    def convert(raw: bytes) -> Iterator[Conversation]:
        lines = raw.decode("utf-8", "replace").splitlines()
        for start in range(0, len(lines) - _LINES_PER_LOG + 1, _LINES_PER_LOG):
            chosen = lines[start : start + _LINES_PER_LOG]
            errors = [line for line in chosen if "error" in line.lower() or "fatal" in line.lower()]
            messages = [
                system("You keep servers running. Quote evidence exactly."),
                user("What failed?"),
                *call(Random(start), "shell", '{"command": "tail app.log"}', "\n".join(chosen)),
            ]
            # The first error of its kind is what a reader of the log must be able to quote.
            must = Facts(needles=[_message_of(line) for line in errors[:1]])
            yield single(f"logs/{style}", messages, must)

    return convert


def _loghub(name: str) -> Source:
    return Source(
        name=f"loghub-{name.lower()}",
        url=f"{_RAW}/logpai/loghub/{_LOGHUB_COMMIT}/{name}/{name}_2k.log",
        licence="free for research and academic work, cite loghub",
        bytes_max=2 * _MB,
        convert=log(name.lower()),
    )


SOURCES = (
    Source(
        name="tau-airline",
        url=f"{_RAW}/sierra-research/tau-bench/{_TAU_COMMIT}/historical_trajectories/gpt-4o-airline.json",
        licence="MIT",
        bytes_max=16 * _MB,
        convert=tau,
    ),
    Source(
        name="swe-agent",
        url=(
            f"{_RAW}/SWE-agent/SWE-agent/{_SWE_COMMIT}/trajectories/demonstrations/"
            f"{_SWE_RUN}/marshmallow-code__marshmallow-1867.traj"
        ),
        licence="MIT",
        bytes_max=4 * _MB,
        convert=swe,
    ),
    Source(
        name="nq-open",
        url=f"{_RAW}/nelson-liu/lost-in-the-middle/{_NQ_COMMIT}/qa_data/nq-open-oracle.jsonl.gz",
        licence="MIT; Natural Questions is CC BY-SA 3.0",
        bytes_max=16 * _MB,
        convert=questions,
    ),
    *map(_loghub, ("Apache", "HDFS", "Hadoop", "Linux", "OpenSSH", "Zookeeper")),
)


def _loop(sub: str, messages: list[Message]) -> Conversation:
    must = Facts(turns=_probes(messages))
    return Conversation(
        family="agent", sub=sub, mode="loop", request={"messages": messages}, must=must
    )


def _probes(messages: list[Message]) -> dict[str, list[str]]:
    """Return, by assistant turn, words it used that until then stood in tool results only."""
    probes: dict[str, list[str]] = {}
    for at, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        results = prompt_text([one for one in messages[:at] if one["role"] == "tool"])
        said = prompt_text([one for one in messages[:at] if one["role"] != "tool"])
        words = {word.strip(".,:;()'\"`*{}[]") for word in prompt_text([message]).split()}
        known = set(results.replace('"', " ").replace(",", " ").split())
        found = sorted(
            word
            for word in words & known
            if len(word) >= _PROBE_CHARS_MIN
            and any(character.isdigit() for character in word)
            and word not in said
        )
        if found:
            probes[str(at)] = found[:_PROBES_PER_TURN]
    return probes


def _clean(message: Message) -> Message:
    """Return a message with the members that the API takes."""
    return {
        name: message[name]
        for name in ("role", "content", "name", "tool_calls", "tool_call_id")
        if name in message and (message[name] is not None or name == "content")
    }


def _text(message: dict[str, Any] | None) -> str:
    return "" if message is None else prompt_text([message])


def _message_of(line: str) -> str:
    """Return a log line without what every line begins with: the half behind its time."""
    return line.strip()[len(line) // 2 :].strip()
