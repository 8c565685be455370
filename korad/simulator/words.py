"""The simulator's tokens: every word and every mark is one, so that anyone can count along."""

from __future__ import annotations

import re
from collections.abc import Callable

Count = Callable[[str], int]
"""Text to number of tokens."""

IMAGE_TOKENS = 255
"""What an image or a document counts."""

VOCABULARY = (
    *("amber", "anchor", "apple", "arrow", "autumn", "basin", "beacon", "birch", "bridge"),
    *("bronze", "café", "canyon", "cedar", "cinder", "clover", "coral", "crystal", "delta", "dune"),
    *("ember", "falcon", "fern", "fjord", "flint", "garden", "glacier", "granite", "harbor"),
    *("hazel", "hollow", "iris", "island", "jasper", "juniper", "kelp", "lagoon", "lantern"),
    *("linen", "maple", "marble", "meadow", "mistral", "naïve", "nectar", "oak", "opal", "orchid"),
    *("otter", "pebble", "pine", "plume", "prairie", "quartz", "quill", "raven", "reef", "saffron"),
    *("sierra", "slate", "spruce", "tundra", "über", "valley", "velvet", "willow", "wren"),
    *("zephyr", "東京", "Ω", "🚀"),
)
"""One token each; some take several bytes, as real answers do."""

_TOKEN = re.compile(r"\w+|[^\w\s]")
_PIECE = re.compile(r"\s*(?:\w+|[^\w\s])(?:\s+\Z)?|\s+\Z")


def count_words(text: str) -> int:
    """Return how many words and marks `text` has: "Hello, world!" is 4."""
    return len(_TOKEN.findall(text))


def split_tokens(text: str, tokens_per_piece: int = 1) -> list[str]:
    """Return `text` cut into pieces of that many tokens; joined they are `text` again."""
    pieces: list[str] = _PIECE.findall(text)
    if tokens_per_piece <= 1:
        return pieces
    return [
        "".join(pieces[start : start + tokens_per_piece])
        for start in range(0, len(pieces), tokens_per_piece)
    ]
