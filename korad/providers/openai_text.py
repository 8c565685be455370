"""The generated text in answers of the OpenAI dialect, cut out without decoding the rest."""

from __future__ import annotations

import re

import msgspec

_GENERATED = re.compile(
    # Unrolled: half the instructions of (?:[^"\\]|\\.)*.
    rb'"(?:content|arguments|reasoning|reasoning_content|refusal)"\s*:\s*'
    rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
)


def generated_pieces(json: bytes) -> list[bytes]:
    """Return the JSON strings (without quotes, still escaped) that a model generated."""
    return _GENERATED.findall(json)


def generated_spans(json: bytes) -> list[tuple[int, int]]:
    """Return where `generated_pieces` stand."""
    return [found.span(1) for found in _GENERATED.finditer(json)]


def generated_text(json: bytes) -> str:
    """Return all text that a model generated in an answer."""
    return unescaped(generated_pieces(json))


def unescaped(pieces: list[bytes]) -> str:
    """Return pieces joined, their JSON escapes resolved."""
    try:
        return msgspec.json.decode(b'"%b"' % b"".join(pieces), type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # One piece is not JSON: the others still are.
        return "".join(_unescape(piece) for piece in pieces)


def _unescape(piece: bytes) -> str:
    if b"\\" not in piece:
        return piece.decode("utf-8", "replace")
    try:
        return msgspec.json.decode(b'"' + piece + b'"', type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return piece.decode("utf-8", "replace")
