"""Replace what stands earlier in the prompt word for word by a note that says where.

It is the one transform that looks at earlier messages, and only at those: a conversation that goes
on never changes what was sent before. The reader of a note finds the lines by the first and the
last of them; a note is written only if the first one is quoted unmistakably.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from korad.domain.value import value
from korad.optimizer.base import MARK, MEDIUM, USER, Block, note
from korad.optimizer.recognition.kinds import Kind, kind_of
from korad.optimizer.seen import CHARS_MIN, Run, Seen, quoted

_PASTED = (Kind.JSON, Kind.HTML, Kind.DIFF, Kind.SOURCE, Kind.TABLE)
"""What nobody writes as an instruction; numbered rules may look like a log or a listing."""
_TO = '" to "'
_FENCES = ("```", "~~~")


@value
class Reference:
    """A reduction that needs to know the texts before the block; it runs last."""

    name: str
    """How `X-Korad-Strategy` calls it."""
    level: int
    """The lowest level that runs it."""
    refer: Callable[[Block, Seen], str]
    """Return the block's new text, or its own text object when there is nothing to gain."""


def refer(block: Block, seen: Seen) -> str:
    """Return the text with notes in place of what `seen` holds already.

    What a user wrote outside of a fence changes only where it is recognised as data: repeated
    instructions stay.
    """
    text = block.text
    if len(text) < CHARS_MIN or seen.chars < CHARS_MIN:
        return text
    where = seen.whole(text)
    if where is not None and _is_data(block, (text,)):
        return note(f"same text as {where} above")
    if MARK in text:
        return text
    lines = text.split("\n")
    out: list[str] = []
    done = 0
    for run in _runs(lines, seen):
        if not _is_data(block, lines[run.start : run.end]):
            continue
        out += lines[done : run.start]
        out.append(_note_for(lines, run, seen))
        done = run.end
    return "\n".join(out + lines[done:]) if done else text


def _runs(lines: list[str], seen: Seen) -> list[Run]:
    """Return the runs worth a note, in order."""
    runs: list[Run] = []
    floor = after = 0
    for n, place in seen.hits(lines):
        if n < after:
            continue
        run = seen.run_at(lines, floor, n, place)
        after = run.end
        if _is_long(lines, run):
            floor = run.end
            quotable = _quotable(lines, run, seen)
            if _is_long(lines, quotable):
                runs.append(quotable)
    return runs


def _is_long(lines: list[str], run: Run) -> bool:
    """Return whether a note about `run` is worth its tokens: blanks count for nothing."""
    chars = 0
    for n in range(run.start, run.end):
        chars += len(lines[n].strip())
        if chars >= CHARS_MIN:
            return True
    return False


def _quotable(lines: list[str], run: Run, seen: Seen) -> Run:
    """Return `run` from the first line on whose quotation leads the reader to the right place."""
    firsts = seen.firsts(run.place)
    start, end, place = run.start, run.end, run.place
    while start < end:
        quotation = quoted(lines[start])
        if firsts.get(quotation) == place and _is_legible(quotation):
            break
        start += 1
        place += 1
    while start < end and not _is_legible(quoted(lines[end - 1])):
        end -= 1
    return Run(start=start, end=end, place=place)


def _is_legible(quotation: str) -> bool:
    """Return whether it shows, reads in one way only, and opens or closes no fence."""
    shown = quotation.replace("\t", "")
    return (
        shown != ""
        and shown.isprintable()
        and _TO not in quotation
        and not quotation.startswith(_FENCES)
    )


def _is_data(block: Block, lines: Sequence[str]) -> bool:
    """Return whether `lines` of the block are data: a tool's output, fenced or recognised."""
    if block.role != USER or block.fence is not None:
        return True
    return kind_of("\n".join(lines)) in _PASTED


def _note_for(lines: list[str], run: Run, seen: Seen) -> str:
    """Return the note that stands for `run`."""
    where, first = seen.where(run.place), quoted(lines[run.start])
    count = run.end - run.start
    if count == 1:
        return note(f'same line as in {where} above, "{first}"')
    last = quoted(lines[run.end - 1])
    return note(f'same {count} lines as in {where} above, from "{first}{_TO}{last}"')


DUPLICATES = Reference(name="Duplicate reference", level=MEDIUM, refer=refer)
