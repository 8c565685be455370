"""Tell the lines that speak of an error: they outlive every shortening."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from itertools import accumulate, repeat
from string import ascii_lowercase

Sign = tuple[str, re.Pattern[str]]
"""What a lower-case line that speaks of an error holds, and how it stands there."""

# Words that tell wherever no letter goes before or after them.
_PARTS = frozenset(
    b"error errors exception exceptions failure failures traceback tracebacks".split()
)
# Words that tell where no digit or underscore does either.
_WORDS = frozenset(
    b"""
    fail failed failing fails fatal panic panicked panics segfault segfaulted abort aborted aborting
    critical severe emerg emergency killed crash crashed crashes oom oomkilled denied refused
    rejected unreachable timeout unhandled uncaught corrupt corrupted cannot err
    """.split()
)
# Words that tell together with others.
_PHRASES = {
    b"segmentation": "segmentation fault",
    b"dumped": "core dumped",
    b"memory": "out of memory",
    b"timed": "timed out",
    b"found": "not found",
    b"such": "no such",
    b"could": "could not",
    b"couldn": "couldn't",
    b"unable": "unable to",
    b"undefined": "undefined reference",
    b"caused": "caused by",
}
_EXITS = frozenset(b"exit exited".split())
_STATUS = r"(?: with)?(?: (?:code|status))?[ :=]+[1-9]\d*"
_TELLING = _PARTS | _WORDS | _PHRASES.keys() | _EXITS
_NO_LETTERS = bytes(n if chr(n) in ascii_lowercase else ord(" ") for n in range(256))
_LETTERS = re.compile("[a-z]+")
_WITHIN: tuple[Sign, ...] = (
    ("backoff", re.compile("backoff")),
    ("deadlock", re.compile(r"deadlock(?<!\wdeadlock)")),
    ("can't", re.compile(r"can't\b(?<!\wcan't)")),
)
# Each name begins with a letter that the engine can search for; what stands before comes second.
_NAMED_ERROR = re.compile(
    r"(?:E(?<=[A-Za-z]E)(?:rror|xception)|F(?<=[A-Za-z]F)(?:ailure|ault)|T(?<=[A-Za-z]T)imeout)s?"
    r"(?![a-z])"
)
_NAMES = ("Error", "Exception", "Failure", "Fault", "Timeout")
_NO_ERROR = re.compile(
    r"""\b(?:0|no|without|zero)\ (?:error|failure|exception|fail)(?:s|ed)?\b
    | \b(?:error|fail(?:ed|ure)|exception)s?["']?\ ?[=:]\ ?["']?(?:0|none|null|false)\b""",
    re.VERBOSE,
)
_DENIED = ("error", "fail", "exception")


def is_error_line(line: str) -> bool:
    """Tell whether `line` speaks of an error or a failure; warnings are none."""
    if _holds(line, _NAMES) and _NAMED_ERROR.search(line):
        return True
    words = line.lower()
    signs = _signs_in(words)
    return bool(signs) and _speaks(words, signs)


class Lines:
    """Lines that are looked through for several words: which may be in them is told at once."""

    __slots__ = ("_different", "_lines", "_lower", "_text", "_words")

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._text = "\n".join(lines)
        self._lower = self._text.lower()
        self._words = _words_in(self._lower)
        self._different = b" ".join(self._words).decode()
        """The different words; a long text has few."""

    def with_any(self, parts: Sequence[str]) -> set[int]:
        """Return the places of lines that hold one of some lower-case words or parts of them."""
        found: set[int] = set()
        for part in parts:
            if all(letters in self._different for letters in _LETTERS.findall(part)):
                before = self._lower.split(part)[:-1]
                found.update(accumulate(map(str.count, before, repeat("\n"))))
        return found

    def with_errors(self) -> list[bool]:
        """Tell of each line whether it speaks of an error; most are not looked at one by one."""
        told = [False] * len(self._lines)
        names = [name for name in _NAMES if name.lower() in self._different and name in self._text]
        if names:
            for place, line in enumerate(self._lines):
                told[place] = _holds(line, names) and _NAMED_ERROR.search(line) is not None
        signs = [_sign(word) for word in _TELLING & self._words] + list(_WITHIN)
        places = self.with_any([sign for sign, _ in signs])
        lower = self._lower.split("\n") if places else []
        for place in places:
            told[place] = told[place] or _speaks(lower[place], signs)
        return told


def are_error_lines(lines: Sequence[str]) -> list[bool]:
    """Tell of each of `lines` whether it speaks of an error."""
    return Lines(lines).with_errors()


def _words_in(lower: str) -> set[bytes]:
    """Return the different runs of letters in a lower-case text."""
    return set(lower.encode("utf-8", "surrogatepass").translate(_NO_LETTERS).split())


def _signs_in(words: str) -> list[Sign]:
    """Return the signs whose words stand in a lower-case text: no others can be in its lines."""
    signs = [_sign(word) for word in _TELLING & _words_in(words)]
    return signs + [sign for sign in _WITHIN if sign[0] in words]


@cache
def _sign(word: bytes) -> Sign:
    """Return the sign of a telling word: a literal, which the engine searches for quickly."""
    if word in _PARTS:
        told = word.decode()
        return told, re.compile(rf"{told}(?![a-z])(?<![a-z]{told})")
    told = _PHRASES.get(word) or word.decode()
    more = _STATUS if word in _EXITS else ""
    return told, re.compile(rf"{told}(?<!\w{told}){more}\b")


def _speaks(words: str, signs: Sequence[Sign]) -> bool:
    """Tell whether a lower-case line has one of the signs, and not only to deny it."""
    if not _has(words, signs):
        return False
    return not _holds(words, _DENIED) or _has(_NO_ERROR.sub("", words), signs)


def _has(words: str, signs: Sequence[Sign]) -> bool:
    for sign, pattern in signs:  # noqa: SIM110 - any() of a generator takes twice as long
        if sign in words and pattern.search(words):
            return True
    return False


def _holds(text: str, parts: Sequence[str]) -> bool:
    for part in parts:  # noqa: SIM110 - any() of a generator takes twice as long
        if part in text:
            return True
    return False
