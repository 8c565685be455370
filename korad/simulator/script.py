"""What the simulator is told to do: the answer, its pace, and the fault to commit."""

from __future__ import annotations

import dataclasses
from enum import Enum
from typing import Any

import msgspec

from korad.domain.value import value


class Fault(Enum):
    """One way for an upstream to misbehave; each is committed on every request it is set for."""

    ERROR_STATUS = "error_status"
    """The dialect's own error body under `Script.status`."""
    RESET_BEFORE_HEAD = "reset_before_head"
    RESET_MID_STREAM = "reset_mid_stream"
    STALL_BEFORE_HEAD = "stall_before_head"
    STALL_MID_STREAM = "stall_mid_stream"
    TRUNCATED_JSON = "truncated_json"
    """HTTP is in order, the JSON in it stops half-way."""
    WRONG_CONTENT_LENGTH = "wrong_content_length"
    """Announces more bytes than it sends, then closes."""
    NO_USAGE = "no_usage"
    EARLY_CLOSE = "early_close"
    """A stream ends as HTTP wants it, without `[DONE]` or `message_stop`; a body stops short."""
    CLOSE_WITHOUT_ANSWER = "close_without_answer"
    ERROR_MID_STREAM = "error_mid_stream"
    ERROR_FIRST_EVENT = "error_first_event"
    """200, then an error where the answer should be."""
    GARBAGE = "garbage"
    """Bytes that are not HTTP."""
    SLOW_HEAD = "slow_head"
    REFUSE_KEEPALIVE = "refuse_keepalive"
    STALE_KEEPALIVE = "stale_keepalive"
    """Answers, and closes without a byte when the next request arrives on that connection."""


@value
class Script:
    """How requests are answered from now on. Never change one in place: give the simulator another.

    Times are seconds; 0 is as fast as possible. `after` faults count streamed events.
    """

    # the pace
    latency_s: float = 0.0
    """Before the answer's head."""
    first_token_s: float = 0.0
    """Between a stream's head and its first event."""
    token_interval_s: float = 0.0
    """Between two streamed events."""
    chunk_tokens: int = 1
    """Tokens in one streamed event."""
    # the answer
    text: str | None = None
    """None: made from the seed and the last user message."""
    completion_tokens: int | None = None
    """What usage says, and how long a made-up text is; None: decided by the seed or the text."""
    tool_calls: list[tuple[str, str]] | None = None
    """(name, arguments as JSON text); "" is a call that streams no arguments at all."""
    reasoning: str | None = None
    finish_reason: str | None = None
    """In the dialect's own words ("content_filter", "refusal"); None: as it comes about."""
    # its usage report
    usage: bool = True
    cached_tokens: int = 0
    """The part of the prompt read from the cache."""
    cache_write_tokens: int = 0
    """The part of the prompt written to the cache."""
    cache_write_1h_tokens: int = 0
    """The part of `cache_write_tokens` kept for an hour."""
    # its bytes
    odd_chunks: bool = False
    """Cut a stream anywhere: inside a character, between CR and LF."""
    crlf: bool = False
    pings: bool = False
    """A comment (OpenAI) or a ping event (Anthropic) before events; no fault counts them."""
    rate_limit_headers: bool = True
    # what it insists on
    auth: bool = True
    """Refuse requests without a credential, as the providers do."""
    unknown_fields: bool = True
    """The OpenAI dialect takes members it does not know, as compatible servers do."""
    # its misbehaviour
    fault: Fault | None = None
    fault_after_chunks: int = 3
    status: int = 500
    """Of `Fault.ERROR_STATUS`."""
    retry_after_s: float | None = 1.0
    """Sent with a 429."""


_FIELDS = {field.name for field in dataclasses.fields(Script)}


def script_from_json(body: bytes) -> Script:
    """Return the Script whose fields `body`, a JSON object, names; raise ValueError otherwise."""
    try:
        members = msgspec.json.decode(body or b"{}", type=dict[str, Any])
        _refuse_unknown(set(members) - _FIELDS)
        return msgspec.convert(members, Script)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from None


def with_directives(script: Script, text: str) -> Script:
    """Return `script` changed by "fault=reset_mid_stream;after=3 tokens=100".

    Directives are `name=value`, separated by white space or semicolons. Raises ValueError for
    a name or a value that is none.
    """
    changes: dict[str, Any] = {}
    for word in text.replace(";", " ").split():
        name, _, given = word.partition("=")
        _refuse_unknown({name} - _DIRECTIVES.keys())
        field, read = _DIRECTIVES[name]
        changes[field] = read(given)
    return dataclasses.replace(script, **changes)


def _refuse_unknown(names: set[str]) -> None:
    if names:
        raise ValueError(f"The simulator knows no {', '.join(sorted(names))}.")


def _flag(given: str) -> bool:
    if given not in {"0", "1"}:
        raise ValueError(f"Expected 0 or 1, not {given!r}.")
    return given == "1"


def _milliseconds(given: str) -> float:
    return float(given) / 1000


_DIRECTIVES: dict[str, tuple[str, Any]] = {
    "fault": ("fault", Fault),
    "after": ("fault_after_chunks", int),
    "status": ("status", int),
    "retry_after": ("retry_after_s", float),
    "tokens": ("completion_tokens", int),
    "chunk": ("chunk_tokens", int),
    "latency_ms": ("latency_s", _milliseconds),
    "first_token_ms": ("first_token_s", _milliseconds),
    "interval_ms": ("token_interval_s", _milliseconds),
    "cached": ("cached_tokens", int),
    "finish": ("finish_reason", str),
    "usage": ("usage", _flag),
    "odd": ("odd_chunks", _flag),
    "crlf": ("crlf", _flag),
    "pings": ("pings", _flag),
}
