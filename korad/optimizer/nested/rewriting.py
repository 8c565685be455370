"""Put shorter texts in the place of strings of a JSON text; every byte around them stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from korad.optimizer.nested.spelling import respelled
from korad.optimizer.nested.strings import JsonString


def rewritten(
    text: str, strings: Sequence[JsonString], shorter: Callable[[JsonString], str]
) -> str:
    """Return the text with what `shorter` makes of its strings, or the very text.

    A string whose spelling cannot be kept stays as it was.
    """
    pieces: list[str] = []
    done = 0
    for each in strings:
        new = shorter(each)
        if new == each.text:
            continue
        written = respelled(text[each.start : each.end], each.text, new)
        if written is not None:
            pieces += (text[done : each.start], written)
            done = each.end
    return "".join([*pieces, text[done:]]) if done else text
