"""Long base64, long hex and minified code give way to a note of how long they were.

A model cannot read them, and they cost a token for every two characters. Whatever may be used
again as it stands (tokens, keys, signatures, cursors, addresses) stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from korad.optimizer.base import HIGH, MARK, TOOL, Block, Transform, note
from korad.optimizer.recognition.kinds import Kind, cares_for_form, kind_of

_SHORTEST_BASE64_CHARS = 200
_SHORTEST_HEX_CHARS = 400
_LONGEST_LINE_CHARS = 2_000
_HEAD_CHARS, _TAIL_CHARS = 200, 100
_STEP_CHARS = 100
"""Every run of 200 characters holds a whole stretch of 100 that begins at a multiple of 100."""
_SHORTEST_WRAPPED_LINE_CHARS = 60
_MOST_LINE_ENDS = 2
"""In 100 characters of lines of at least 60."""
_ASKED_CHARS = 2_000
_LABEL_CHARS = 40
_ADDRESS_CHARS = 300
_SAMPLE_CHARS = 400

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
_LETTERS = r"[A-Za-z0-9+/\-_]"
_STRETCH = re.compile(rf"(?:{_LETTERS}++|\r?\n)*={{0,2}}")
_RUN = re.compile(rf"{_LETTERS}++={{0,2}}")
_MARKED = bytes(chr(code) in f"{_ALPHABET}=\r\n" for code in range(256))
_MARKS = b"\1" * _STEP_CHARS
"""What a stretch reads as: bytes are searched for it at 5 GB/s."""
_HEX = re.compile(r"(?:0[xX])?(?:[0-9a-f]++|[0-9A-F]++)")
_ASKED = re.compile(
    r"token|secret|key|base.?64|decod|encod|image|picture|photo|screenshot|hash|sign|digest"
    r"|checksum|certificate|\bpem\b|jwt|blob|\bhex|binary|bytes|minif|bundle|data.?ur[il]|cookie"
    r"|credential|cipher|crypt|xxd|\bod\b|attachment",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"token|jwt|key|sig|hash|digest|etag|session|cursor|page|secret|auth|bearer|cookie|nonce|csrf"
    r"|xsrf|sha\d|md5|passw|credential|state|continu|checkpoint|integrity|fingerprint|sequence"
    r"|protein|genome|dna",
    re.IGNORECASE,
)
_UPPER, _LOWER = _ALPHABET[:26].encode(), _ALPHABET[26:52].encode()
_DIGITS = b"0123456789"
_CODE = ("function", "=>", "return", "var ")


def _share(letters: bytes, run: str) -> float:
    """Return the share of `letters` at the ends of an ASCII run."""
    sample = (run[:_SAMPLE_CHARS] + run[-_SAMPLE_CHARS:]).encode()
    return 1 - len(sample.translate(None, letters)) / len(sample)


def _is_base64(run: str) -> bool:
    """Tell whether a run has the mixture of encoded bytes, which words, paths and DNA lack."""
    mixed = _share(_UPPER, run) > 0.15 and _share(_LOWER, run) > 0.15  # noqa: PLR2004 - random base64: 0.41
    return mixed and _share(_DIGITS, run) > 0.04  # noqa: PLR2004 - random base64: 0.16


def _is_hex(run: str) -> bool:
    """Tell whether a run is bytes in hex; lines of hex are a list of hashes."""
    return 0.3 < _share(_DIGITS, run) < 0.95 and _HEX.fullmatch(run) is not None  # noqa: PLR2004 - random: 0.63


def _is_wrapped(run: str) -> bool:
    """Tell whether a run over several lines is one text, wrapped at one width."""
    lines = run.split()
    width = len(lines[0])
    return (
        width >= _SHORTEST_WRAPPED_LINE_CHARS
        and not _HEX.fullmatch(lines[0])  # those are hashes
        and len(lines[-1]) <= width
        and all(len(line) == width for line in lines[:-1])
    )


def _stretches(text: str) -> Iterator[tuple[int, int]]:
    """Yield the bounds of what holds only the letters of base64 and line ends, if long enough."""
    at = 0
    match = _STRETCH.match
    marked = text.encode("latin-1", "replace").translate(_MARKED)
    while (run := marked.find(_MARKS, at)) >= 0:
        at = max(at, run - run % _STEP_CHARS)
        if text.count("\n", at, at + _STEP_CHARS) > _MOST_LINE_ENDS:
            at += _STEP_CHARS
            continue
        found = match(text, at, at + _STEP_CHARS)
        if found is None or found.end() < at + _STEP_CHARS:
            at += _STEP_CHARS
            continue
        before = text[max(0, at - _STEP_CHARS) : at]
        start = at - len(before) + len(before.rstrip(_ALPHABET + "\r\n"))
        whole = match(text, at)
        stop = whole.end() if whole else at
        if stop - start >= _SHORTEST_BASE64_CHARS:
            yield start, stop
        at = stop - stop % _STEP_CHARS + _STEP_CHARS


def _body(text: str, start: int, stop: int) -> tuple[int, int]:
    """Return the bounds of a stretch without the dashed lines around a PEM body and line ends."""
    header = text.find("--\n", start, stop)
    start = header + 3 if header >= 0 else start
    footer = text.find("\n--", start, stop)
    stop = footer if footer >= 0 else stop
    run = text[start:stop]
    return start + len(run) - len(run.lstrip("\r\n")), start + len(run.rstrip("\r\n"))


def _runs(text: str) -> Iterator[tuple[int, int]]:
    """Yield the bounds of long runs: wrapped texts whole, else line by line."""
    for start, stop in _stretches(text):
        first, last = _body(text, start, stop)
        if "\n" in text[first:last] and _is_wrapped(text[first:last]):
            yield first, last
            continue
        for found in _RUN.finditer(text, start, stop):
            if found.end() - found.start() >= _SHORTEST_BASE64_CHARS:
                yield found.span()


def _may_be_used(text: str, start: int, stop: int) -> bool:
    """Tell whether a run is a value that is passed on: labelled so, in an address, a JWT."""
    before = text[max(0, start - _ADDRESS_CHARS) : start]
    if _LABEL.search(before[-_LABEL_CHARS:]):
        return True
    if before.endswith(".") or text[stop : stop + 1] == "." or text.startswith("eyJ", start):
        return True
    word = (before.rsplit(None, 1) or [""])[-1].rpartition('"')[2].rpartition("'")[2]
    return "://" in word or "?" in word or "&" in word


def _blobs(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield bounds and name of each run to leave out."""
    for start, stop in _runs(text):
        run = text[start:stop]
        if _is_hex(run):
            kind = "hex" if len(run) >= _SHORTEST_HEX_CHARS else ""
        else:
            kind = "base64" if _is_base64(run) else ""
        if kind and not _may_be_used(text, start, stop):
            yield start, stop, kind


def _long_lines(text: str) -> Iterator[tuple[int, int]]:
    """Yield the bounds of lines of more than 2,000 characters."""
    at, end = 0, len(text)
    while at + _LONGEST_LINE_CHARS < end:
        last = text.rfind("\n", at, at + _LONGEST_LINE_CHARS + 1)
        if last >= 0:
            at = last + 1
            continue
        stop = text.find("\n", at)
        stop = end if stop < 0 else stop
        yield at, stop
        at = stop + 1


def _is_minified(line: str) -> bool:
    """Tell whether a long line is JavaScript or CSS without its line ends."""
    few = len(line) // 200
    if line.lstrip()[:1] in "{[<" or line.count('":') > few * 2 or "</" in line:
        return False
    if min(line.count("{"), line.count("}")) <= few or line.count(";") + line.count(",") <= few:
        return False
    return line.count(":") > few or any(word in line for word in _CODE)


def _cuts(text: str) -> list[tuple[int, int, str]]:
    cuts = list(_blobs(text))
    for start, stop in _long_lines(text):
        head, tail = start + _HEAD_CHARS, stop - _TAIL_CHARS
        if _is_minified(text[start:stop]):
            cuts = [cut for cut in cuts if cut[1] <= head or cut[0] >= tail]
            cuts.append((head, tail, "minified code"))
    return sorted(cuts)


def elide(block: Block) -> str:
    """Return the text with a note in the place of each blob."""
    text = block.text
    if len(text) < _SHORTEST_BASE64_CHARS or (block.role != TOOL and block.fence is None):
        return text
    cuts = _cuts(text)
    if not cuts or MARK in text:
        return text
    question = block.question
    asked = f"{question[:_ASKED_CHARS]} {question[-_ASKED_CHARS:]} {block.call[:_ASKED_CHARS]}"
    if _ASKED.search(asked) or cares_for_form(question):
        return text
    if kind_of(text, block.fence, block.call) is Kind.DIFF:
        return text
    pieces, done = [], 0
    for start, stop, kind in cuts:
        if start < done:
            continue
        pieces += [text[done:start], note(f"{stop - start:,} characters of {kind} left out")]
        done = stop
    return "".join([*pieces, text[done:]])


BLOBS = Transform(name="Blob elision", level=HIGH, apply=elide, notes=True)
