"""Make one message shorter: its texts are split into blocks, and each goes through the steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from korad.domain.value import Fact, value
from korad.optimizer.acceptance import Weighed, pays
from korad.optimizer.base import LEVELS, MARK, Block, Transform
from korad.optimizer.context import Context
from korad.optimizer.messages import ROLES, Message, with_texts
from korad.optimizer.regions import split
from korad.optimizer.transforms.duplicates import Reference

BLOCK_CHARS_MIN = 64
"""Shorter texts have nothing to give."""
MESSAGE = "message"
"""What a failure outside of any transform is counted under."""


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


class Shrinker:
    """The steps of every level, in order."""

    __slots__ = ("_count", "_failures", "_steps")

    def __init__(
        self,
        transforms: Sequence[Transform],
        references: Sequence[Reference],
        count: Callable[[str], int],
        failures: Counter[str],
    ) -> None:
        self._count = count
        self._failures = failures
        self._steps: list[list[_Step]] = [
            [_transform_step(each) for each in transforms if each.level <= level]
            + [_reference_step(each) for each in references if each.level <= level]
            for level in range(len(LEVELS))
        ]

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
        call = context.call_of(message)
        # Somebody may have typed a mark, or quoted one: what holds it gets no others.
        noted = MARK in text
        pieces: list[str] = []
        for region in split(text):
            block = Block(
                text=region.text,
                role=ROLES[message.role],
                level=level,
                fence=region.fence,
                question=context.question,
                call=call,
            )
            now = Weighed(region.text, self._count)
            for step in self._steps[level]:
                if noted and step.notes:
                    continue
                shorter = self._run(step, block, context, now)
                if shorter is not None:
                    applied[step.name] = None
                    block, now = msgspec.structs.replace(block, text=shorter.text), shorter
            pieces.append(block.text)
        return "".join(pieces)

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
