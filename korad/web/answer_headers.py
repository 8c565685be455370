"""Which headers of a provider's answer the client gets to see."""

from __future__ import annotations

from korad.domain.value import value

_NAMES_MAX = 1_024

_ANTHROPIC = b"anthropic-ratelimit-"
_KEPT = frozenset((b"retry-after", b"retry-after-ms", b"openai-processing-ms"))
_READ = {
    b"x-request-id": "id",
    b"request-id": "id",
    b"content-type": "type",
    b"content-encoding": "encoding",
}


@value
class AnswerFacts:
    """What korad takes from the head of an upstream answer."""

    lines: bytes
    """Header lines to pass on."""
    request_id: str | None
    event_stream: bool
    encoded: bool


# Providers send the same dozen names on every answer: what a name means is looked up by the
# bytes it came in. Bounded, because an upstream chooses the names.
_meanings: dict[bytes, bytes | str | None] = {}


def passed_on(headers: list[tuple[bytes, bytes]]) -> AnswerFacts:
    """Return rate-limit headers as lines, and the few other facts korad reads."""
    lines = b""
    request_id: str | None = None
    event_stream = encoded = False
    for name, text in headers:
        try:
            meaning = _meanings[name]
        except KeyError:
            meaning = _note_meaning(name)
        if meaning is None:
            continue
        if isinstance(meaning, bytes):
            lines += meaning + text + b"\r\n"
        elif meaning == "id":
            request_id = text.decode("latin-1")[:200]
        elif meaning == "type":
            event_stream = text[:17].lower() == b"text/event-stream"
        else:
            encoded = text.strip().lower() not in (b"", b"identity")
    return AnswerFacts(
        lines=lines, request_id=request_id, event_stream=event_stream, encoded=encoded
    )


def _note_meaning(name: bytes) -> bytes | str | None:
    lower = name.lower()
    meaning: bytes | str | None = _READ.get(lower)
    if lower.startswith(b"x-ratelimit-") or lower in _KEPT:
        meaning = lower + b": "
    elif lower.startswith(_ANTHROPIC):
        meaning = _openai_rate_limit_name(lower)
    if len(_meanings) >= _NAMES_MAX:
        _meanings.clear()
    _meanings[name] = meaning
    return meaning


def _openai_rate_limit_name(name: bytes) -> bytes | None:
    """Return "x-ratelimit-limit-requests: " for "anthropic-ratelimit-requests-limit"."""
    what, _, figure = name[len(_ANTHROPIC) :].rpartition(b"-")
    if what not in (b"requests", b"tokens") or figure not in (b"limit", b"remaining", b"reset"):
        return None
    return b"x-ratelimit-%b-%b: " % (figure, what)
