"""Tell which strings of a JSON text stay: somebody passes them on, compares or verifies them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from korad.optimizer.nested.places import KEY_CHARS, key_of

_PASSED_ON = re.compile(
    r"(?i:token|jwt|signature|digest|etag|cursor|secret|cookie|nonce|csrf|xsrf|passw|credential"
    r"|checksum|fingerprint|encrypted|argument|continuation|schema|thinking|reasoning)"
    r"|(?:^|[_\W]|(?<=[a-z])(?=[A-Z]))"
    r"(?i:ids?|keys?|sig|hash|auth|state|code|args|params|parameters|input|session|script)$"
)
_SIGNATURE = re.compile(r"(?i:signatures?)$|(?:^|[_\W]|(?<=[a-z])(?=[A-Z]))(?i:sig)$")
"""It vouches for all that stands in the object with it."""
_SIGNATURE_WORDS = ("ignature", "IGNATURE", 'sig"', 'Sig"', 'SIG"')
"""One of them is in every text with such a name."""
_COLON = re.compile(r"[ \t\r\n]*:")
_OPENS = re.compile(r"[ \t\r\n]*:[ \t\r\n]*[\[{](?![^\[\]{}]*[\]}])")
"""What has no strings is of no interest."""
_NO_BRACKETS = re.compile(r"[^\[\]{}]+")
_EMPTY = re.compile(r"\[\]|\{\}")


def passed_on(text: str, parts: Sequence[str], chosen: Collection[int]) -> set[int]:
    """Return which of the chosen strings are keys, or stand under such a name or by a signature.

    The parts of a JSON text stand between its quotation marks: every other one is a string.
    """
    kept = {n for n in chosen if _COLON.match(parts[n + 1]) or _PASSED_ON.search(key_of(parts, n))}
    if len(kept) == len(chosen):
        return kept
    # Names, and what stands between strings, are mostly the same again and again.
    between = set(parts[::2])
    opening = {part for part in between if _OPENS.match(part)}
    if not opening and not any(word in text for word in _SIGNATURE_WORDS):
        return kept
    colons = {part for part in between if _COLON.match(part)}
    ends = [n for n in range(2, len(parts), 2) if parts[n] in colons]
    names = {parts[n - 1] for n in ends}
    stay = {name for name in names if _PASSED_ON.search(name[-KEY_CHARS:])}
    vouch = {name for name in stay if _SIGNATURE.search(name[-KEY_CHARS:])}
    named = {n for n in ends if parts[n - 1] in stay and parts[n] in opening}
    signed = {n for n in ends if parts[n - 1] in vouch}
    return kept | _within(parts, chosen, named, signed) if named or signed else kept


def _within(
    parts: Sequence[str], chosen: Collection[int], named: set[int], signed: set[int]
) -> set[int]:
    """Return which of the chosen strings stand in what opens at `named` or is open at `signed`."""
    brackets = {part: _EMPTY.sub("", _NO_BRACKETS.sub("", part)) for part in set(parts[::2])}
    turns = [n for n in range(0, len(parts), 2) if brackets[parts[n]]]
    kept: set[int] = set()
    # For each bracket that is open: whether all in it stays, and the chosen ones found in it.
    stays, inside = [False], [list[int]()]
    for n in sorted({*turns, *signed, *chosen}):
        if n % 2:
            inside[-1].append(n)
            continue
        stays[-1] |= n in signed
        opens_named = n in named
        for bracket in brackets[parts[n]]:
            if bracket in "[{":
                stays.append(opens_named)
                inside.append([])
            else:
                strings = inside.pop()
                (kept.update if stays.pop() else inside[-1].extend)(strings)
            opens_named = False
    return kept
