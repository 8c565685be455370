"""Leave out context of unified diffs, as if they had been made with one line of context.

Headers and all added and removed lines stay as they are. A hunk that loses lines gets the line
numbers that `diff -U1` writes for it, so that what is left is a unified diff again: it can be read,
and even applied, though a tool that insists on three lines of context may refuse it. A question
that asks to apply, patch or edit keeps the whole context for that reason. Hunks of lock files and
of generated files are counted instead of shown.
"""

from __future__ import annotations

import re

from korad.optimizer.base import HIGH, Block, Transform, note
from korad.optimizer.recognition.asked import asked_in
from korad.optimizer.recognition.kinds import Kind, kind_of

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@(.*)", re.DOTALL)
_NEEDS_CONTEXT = re.compile(
    r"@@|\b(?:appl(?:y|ies|ied|ying)|patch\w*|edit\w*|merg\w*|conflict\w*|rebas\w*|cherry|context"
    r"|unchanged|surrounding)\b",
    re.IGNORECASE,
)
_GENERATED = re.compile(
    r"(?:^|/)(?:package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lock"
    r"|poetry\.lock|Pipfile\.lock|pdm\.lock|uv\.lock|Cargo\.lock|go\.sum|composer\.lock"
    r"|Gemfile\.lock|flake\.lock|mix\.lock|packages\.lock\.json|gradle\.lockfile)$"
    r"|\.min\.(?:js|css)$|\.(?:map|snap)$"
)
_ABOUT_GENERATED = re.compile(
    r"lock|dependenc|version|package|snapshot|\bsnaps?\b|vulnerab|upgrad|bump|checksum|integrity"
    r"|generated|minified|source ?map",
    re.IGNORECASE,
)
_LEFT_ALONE = frozenset({Kind.SOURCE, Kind.JSON, Kind.HTML, Kind.MARKDOWN})
_GAP_MIN = 3
"""Within a hunk a gap costs a hunk header, which is as long as a line or two."""


def trim(block: Block) -> str:
    """Return a text's unified diffs with one line of context around each change."""
    text = block.text
    if "@@ -" not in text or _NEEDS_CONTEXT.search(block.question):
        return text
    lines = text.split("\n")
    if not _is_wanted(block):
        return text
    trimmed = _Trimmer(lines, block).trimmed()
    return trimmed if 0 < len(trimmed) < len(text) else text


def _is_wanted(block: Block) -> bool:
    """Tell whether a text is a diff, or a tool's output that has diffs in it."""
    if block.fence in {"diff", "patch"}:
        return True
    kind = kind_of(block.text, block.fence, block.call)
    return kind is Kind.DIFF or (block.role == "tool" and kind not in _LEFT_ALONE)


class _Trimmer:
    """Writes the lines of a text anew, hunk after hunk."""

    __slots__ = ("_asked", "_counts_generated", "_lines", "_out")

    def __init__(self, lines: list[str], block: Block) -> None:
        self._lines = lines
        self._asked = asked_in(block.text, block.question, block.call)
        self._counts_generated = not _ABOUT_GENERATED.search(block.question)
        self._out: list[str] = []

    def trimmed(self) -> str:
        """Return the new text; "" if nothing was left out."""
        lines, out = self._lines, self._out
        generated = False
        added = removed = n = 0
        while n < len(lines):
            line = lines[n]
            header = _HUNK.match(line) if line.startswith("@@ -") else None
            end = _hunk_end(lines, n + 1, header) if header is not None else 0
            if header is None or not end:
                self._count(added, removed)
                added = removed = 0
                if line.startswith(("+++ ", "--- ", "diff --git ")):
                    generated = self._is_generated(line) if line[0] != "-" else generated
                out.append(line)
                n += 1
                continue
            body = lines[n + 1 : end]
            if generated and not self._is_asked_for(body):
                added += sum(line.startswith("+") for line in body)
                removed += sum(line.startswith("-") for line in body)
            else:
                self._count(added, removed)
                added = removed = 0
                self._hunk(line, header, body)
            n = end
        self._count(added, removed)
        return "\n".join(out) if len(out) < len(lines) else ""

    def _is_generated(self, header: str) -> bool:
        """Tell whether a file's header names a lock file or the like."""
        path = header.split("\t", maxsplit=1)[0].rstrip()
        return self._counts_generated and _GENERATED.search(path) is not None

    def _is_asked_for(self, lines: list[str]) -> bool:
        """Tell whether a line holds what is asked for."""
        return self._asked is not None and any(map(self._asked.is_in, lines))

    def _count(self, added: int, removed: int) -> None:
        """Write how many lines of a generated file were left out."""
        if added or removed:
            self._out.append(note(f"+{added}/-{removed} lines of a generated file left out"))

    def _hunk(self, line: str, header: re.Match[str], body: list[str]) -> None:
        """Write a hunk, or what is left of it in several."""
        spans = self._spans(body)
        if spans == [(0, len(body))] or not spans:
            self._out += [line, *body]
            return
        old, new, at = int(header[1]), int(header[3]), 0
        for start, end in spans:
            skipped = start - at
            old, new = old + skipped, new + skipped
            part = body[start:end]
            marks = [row[:1] for row in part]
            added, removed, tails = marks.count("+"), marks.count("-"), marks.count("\\")
            kept = len(part) - added - removed - tails
            heading = header[5] if start == spans[0][0] else ""
            self._out.append(
                f"@@ -{_range(old, kept + removed)} +{_range(new, kept + added)} @@{heading}"
            )
            self._out += part
            old, new, at = old + kept + removed, new + kept + added, end

    def _spans(self, body: list[str]) -> list[tuple[int, int]]:
        """Return the parts of a hunk that stay, as pairs of start and end."""
        needed = [n for n, line in enumerate(body) if line[:1] in {"+", "-", "\\"}]
        if self._asked is not None:
            needed = sorted({*needed, *(n for n, s in enumerate(body) if self._asked.is_in(s))})
        spans: list[tuple[int, int]] = []
        for n in needed:
            start, end = max(0, n - 1), min(len(body), n + 2)
            if spans and start - spans[-1][1] < _GAP_MIN:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((start, end))
        return spans


def _range(start: int, count: int) -> str:
    """Write a range of lines as a hunk header does."""
    return f"{start}" if count == 1 else f"{start},{count}"


def _hunk_end(lines: list[str], start: int, header: re.Match[str]) -> int:
    """Return where the hunk that begins at `start` ends; 0 if its lines are not as many as it says.

    A context line that is empty has lost its blank on the way, and counts.
    """
    old = int(header[2]) if header[2] else 1
    new = int(header[4]) if header[4] else 1
    n = start
    while old > 0 or new > 0:
        if n >= len(lines):
            return 0
        mark = lines[n][:1]
        if mark in {"", " ", "\r"}:
            old, new = old - 1, new - 1
        elif mark == "+":
            new -= 1
        elif mark == "-":
            old -= 1
        elif mark != "\\":
            return 0
        n += 1
    if old or new:
        return 0
    return n + 1 if n < len(lines) and lines[n].startswith("\\ ") else n


DIFF_CONTEXT = Transform(name="Diff context", level=HIGH, apply=trim, notes=True)
