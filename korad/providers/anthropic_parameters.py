"""The top-level parameters that are neither messages nor tools, and which of them go nowhere."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from korad.errors import unsupported_parameter
from korad.providers.anthropic_models import Capabilities
from korad.providers.anthropic_shapes import (
    Json,
    array_at,
    invalid_type,
    invalid_value,
    number_at,
)

USER_ID_CHARS_MAX = 256

_SHAPING = (
    "temperature",
    "top_p",
    "top_k",
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "seed",
    "verbosity",
)
"""Parameters that a client is told of when they do not reach the model as it set them."""

_SCALES = {"temperature": 2, "top_p": 1}
"""Where OpenAI's scales end; they begin at 0."""

_EMAIL_WITHIN_OR_PHONE = re.compile(r"[^@\s]@[^@\s]+\.[^@\s]|^\+?[\d\s().-]{7,}$")

_REFUSED_IF: dict[str, Callable[[Any], bool]] = {
    "audio": lambda _: True,
    "function_call": lambda _: True,
    "functions": bool,
    "logprobs": bool,
    "modalities": lambda value: value != ["text"],
    "moderation": lambda _: True,
    "n": lambda value: value != 1,
    "top_logprobs": bool,
    "web_search_options": lambda _: True,
}

REFUSED = tuple(_REFUSED_IF)
"""Parameters answered with 400 `unsupported_parameter` where they ask for something: dropping
them would change what the answer means. Harmless values (`n: 1`, `logprobs: false`) pass."""

IGNORED = (
    "frequency_penalty",
    "logit_bias",
    "metadata",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "seed",
    "service_tier",
    "store",
    "stream_options",
    "verbosity",
)
"""Parameters without a counterpart, dropped as every unknown one is."""


def refuse_unsupported(members: Json) -> None:
    """Raise ClientError (400) for the first member that Anthropic cannot honour."""
    for name, asks in _REFUSED_IF.items():
        setting = members.get(name)
        if setting is not None and asks(setting):
            raise unsupported_parameter(f"'{name}' is not supported by this provider.", name)


def max_tokens_of(members: Json, capabilities: Capabilities) -> int:
    """Return the limit the client set, else the model's default: the API must be told one."""
    for name in ("max_completion_tokens", "max_tokens"):
        limit = members.get(name)
        if limit is None:
            continue
        if isinstance(limit, bool) or not isinstance(limit, int):
            raise invalid_type(name, "an integer")
        if limit < 1:
            raise invalid_value(f"'{name}' must be at least 1.", name)
        return limit
    return capabilities.default_max_tokens


def sampling_of(members: Json, capabilities: Capabilities, *, thinking: bool) -> Json:
    """Return the sampling parameters the model accepts; they do not go with thinking.

    Raises ClientError (400) for what is not on OpenAI's scale, whatever the model.
    """
    asked = {
        name: number_at(members[name], name)
        for name in ("temperature", "top_p", "top_k")
        if members.get(name) is not None
    }
    for name, highest in _SCALES.items():
        if not 0 <= asked.get(name, 0) <= highest:
            raise invalid_value(f"'{name}' must be between 0 and {highest}.", name)
    if thinking or not capabilities.sampling:
        return {}
    if "temperature" in asked:
        # OpenAI's scale ends at 2, Anthropic's at 1.
        asked["temperature"] = min(asked["temperature"], 1)
        if not capabilities.temperature_with_top_p:
            asked.pop("top_p", None)
    return asked


def adjusted_parameters(asked: Mapping[str, msgspec.Raw], body: bytes) -> tuple[str, ...]:
    """Return the members of a request that shape the answer and are not in `body` as asked."""
    names = [name for name in _SHAPING if name in asked and bytes(asked[name]) != b"null"]
    if not names:
        return ()
    sent = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    return tuple(
        name
        for name in names
        if name not in sent or msgspec.json.decode(asked[name]) != msgspec.json.decode(sent[name])
    )


def stop_sequences_of(members: Json) -> list[str]:
    """Return `stop` as a list without the blank sequences, which the API refuses."""
    stop = members.get("stop")
    if stop is None:
        return []
    sequences = [stop] if isinstance(stop, str) else array_at(stop, "stop")
    if not all(isinstance(sequence, str) for sequence in sequences):
        raise invalid_type("stop", "a string or an array of strings")
    return [sequence for sequence in sequences if sequence and not sequence.isspace()]


def user_id_of(members: Json) -> str | None:
    """Return an opaque id of the end user; what could name a person is hashed, as asked for."""
    for name in ("safety_identifier", "user"):
        user = members.get(name)
        if user is None or user == "":
            continue
        if not isinstance(user, str):
            raise invalid_type(name, "a string")
        if len(user) > USER_ID_CHARS_MAX or _EMAIL_WITHIN_OR_PHONE.search(user.strip()):
            return hashlib.sha256(user.encode()).hexdigest()
        return user
    return None
