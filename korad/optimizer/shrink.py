"""Make one message shorter: its texts are split into blocks, and each goes through the steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from korad.domain.value import Fact, value
from korad.optimizer.acceptance import Weighed, pays
from korad.optimizer.base import LEVELS, MARK, MEDIUM, TOOL, Block, Transform
from korad.optimizer.context import Context
from korad.optimizer.messages import ROLES, Message, with_texts
from korad.optimizer.nested.rewriting import rewritten
from korad.optimizer.nested.spelling import any_spelling, may_spell
from korad.optimizer.nested.strings import (
    DEPTH_MAX,
    JsonString,
    long_strings,
    may_hold_strings,
)
from korad.optimizer.regions import split
from korad.optimizer.transforms.duplicates import Reference

BLOCK_CHARS_MIN = 64
"""Shorter texts have nothing to give."""
MESSAGE = "message"
"""What a failure outside of any transform is counted under."""
STRINGS = "JSON strings"
"""What a failure in taking strings apart and putting them together is counted under."""
CALL_CHARS_MAX = 1_500
"""Of a call, where more is said of what a string shows: of more than 2,000 all is not read."""

_ANY_MARK = any_spelling(MARK)


class Form(Fact, frozen=True):
    """How a message goes upstream."""

    raw: bytes | None
    """None: as it came."""
    applied: tuple[str, ...]
    """The names of the transforms that changed it."""


UNCHANGED = Form(raw=None, applied=())

Texts = list[str | None]
"""Of a message's parts; None for a part that is none."""


@value
class _Step:
    name: str
    notes: bool
    exact: bool
    run: Callable[[Block, Context], str]


class _Work(Fact, frozen=True):
    """A text of a message on its way through the steps."""

    block: Block
    """The whole of it; each region gets its own."""
    context: Context
    applied: dict[str, None]
    """Takes the names of the steps that changed something."""
    noted: bool
    """It holds a mark, however spelled, and gets no notes."""


class Shrinker:
    """The steps of every level, in order."""

    __slots__ = ("_count", "_failures", "_references", "_steps", "_transforms")

    def __init__(
        self,
        transforms: Sequence[Transform],
        references: Sequence[Reference],
        count: Callable[[str], int],
        failures: Counter[str],
    ) -> None:
        self._count = count
        self._failures = failures
        levels = range(len(LEVELS))
        self._transforms = [
            [_transform_step(each) for each in transforms if each.level <= level]
            for level in levels
        ]
        self._references = [
            [_reference_step(each) for each in references if each.level <= level]
            for level in levels
        ]
        self._steps = list(map(list[_Step].__add__, self._transforms, self._references))

    def form_of(
        self, raw: bytes, message: Message, level: int, context: Context
    ) -> tuple[Form, Texts]:
        """Return the form of a message, and the texts it then has; never raises.

        `context` knows all before it, and the question that it asks itself.
        """
        texts = message.texts()
        if context.keeps_form:
            return UNCHANGED, texts
        applied: dict[str, None] = {}
        try:
            shorter = [
                text
                if text is None or len(text) < BLOCK_CHARS_MIN
                else self._shorter(text, message, level, context, applied)
                for text in texts
            ]
            if not applied:
                return UNCHANGED, texts
            form = Form(raw=with_texts(raw, message, shorter), applied=tuple(applied))
        except Exception:  # noqa: BLE001 - counted; the message goes on as it came
            self._failures[MESSAGE] += 1
            return UNCHANGED, texts
        return form, shorter

    def _shorter(
        self, text: str, message: Message, level: int, context: Context, applied: dict[str, None]
    ) -> str:
        call, role = context.call_of(message), ROLES[message.role]
        may_nest = level >= MEDIUM and role == TOOL and may_hold_strings(text)
        strings = self._strings_of(text) if may_nest else []
        work = _Work(
            block=Block(text=text, role=role, level=level, question=context.question, call=call),
            context=context,
            applied=applied,
            # Somebody may have typed a mark, or quoted one: what holds it gets no others.
            noted=MARK in text or may_spell(text, _ANY_MARK),
        )
        if strings:
            return self._with_strings(text, strings, work)
        return self._stepped(text, self._steps[level], work)

    def _with_strings(self, text: str, strings: Sequence[JsonString], work: _Work) -> str:
        """Return the JSON text after all steps over its long strings and over the whole."""
        level = work.block.level
        own, steps = replace(work, applied={}), self._steps[level]
        inside = self._nested(text, strings, self._transforms[level], own)
        shorter = self._stepped(inside, steps, own)
        if MARK in inside and not work.noted:
            # Notes inside keep the whole from getting some, which may be worth more.
            other = replace(work, applied={})
            plain = self._stepped(text, steps, other)
            if self._weight(plain) < self._weight(shorter):
                shorter, own = plain, other
        if may_hold_strings(shorter):
            # What stands inside points back where the whole could not: that is shorter still.
            strings = self._strings_of(shorter)
            shorter = self._nested(shorter, strings, self._references[level], own)
        work.applied.update(own.applied)
        return shorter

    def _weight(self, text: str) -> int:
        return Weighed(text, self._count).sampled

    def _stepped(self, text: str, steps: Sequence[_Step], work: _Work) -> str:
        """Return the text after all steps over each of its regions."""
        context, noted = work.context, work.noted
        pieces: list[str] = []
        for region in split(text):
            block = replace(work.block, text=region.text, fence=region.fence)
            now = Weighed(region.text, self._count)
            for step in steps:
                if noted and step.notes:
                    continue
                shorter = self._run(step, block, context, now)
                if shorter is not None:
                    work.applied[step.name] = None
                    block, now = replace(block, text=shorter.text), shorter
            pieces.append(block.text)
        return "".join(pieces)

    def _strings_of(self, text: str) -> list[JsonString]:
        """Return the strings that may shrink: none that hides a mark by the way it is spelled."""
        try:
            return [each for each in long_strings(text) if MARK not in each.text or MARK in text]
        except Exception:  # noqa: BLE001 - counted; the text is dealt with as a whole
            self._failures[STRINGS] += 1
            return []

    def _nested(
        self,
        text: str,
        strings: Sequence[JsonString],
        steps: Sequence[_Step],
        work: _Work,
        depth: int = 1,
    ) -> str:
        """Return the JSON text after all steps over each of its long strings, if that pays."""
        inner = replace(work, applied={})
        try:
            new = rewritten(text, strings, lambda each: self._string(each, steps, inner, depth))
        except Exception:  # noqa: BLE001 - counted; the text stays as it was
            self._failures[STRINGS] += 1
            return text
        old = Weighed(text, self._count)
        if new is text or not pays(old, Weighed(new, self._count), exact=False):
            return text
        work.applied.update(inner.applied)
        return new

    def _string(self, string: JsonString, steps: Sequence[_Step], work: _Work, depth: int) -> str:
        """Return a string's text after all steps, as if a tool had returned it by itself."""
        text, inner = string.text, work
        if string.place:
            call = f"{work.block.call[:CALL_CHARS_MAX]}{string.place}"
            inner = replace(work, block=replace(work.block, call=call))
        if depth < DEPTH_MAX and may_hold_strings(text):
            text = self._nested(text, self._strings_of(text), steps, inner, depth + 1)
        return self._stepped(text, steps, inner)

    def _run(self, step: _Step, block: Block, context: Context, now: Weighed) -> Weighed | None:
        """Return the block's new text, or None: the old one, `now`, stays."""
        try:
            text = step.run(block, context)
        except Exception:  # noqa: BLE001 - counted; the block stays as it was
            self._failures[step.name] += 1
            return None
        if text is block.text:
            return None
        new = Weighed(text, self._count)
        return new if pays(now, new, exact=step.exact) else None


def _transform_step(transform: Transform) -> _Step:
    return _Step(
        name=transform.name,
        notes=transform.notes,
        exact=transform.exact,
        run=lambda block, _: transform.apply(block),
    )


def _reference_step(reference: Reference) -> _Step:
    return _Step(
        name=reference.name,
        notes=True,
        exact=False,
        run=lambda block, context: reference.refer(block, context.seen),
    )
