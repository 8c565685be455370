"""Compact JSON taken apart into members and elements, each as it was written.

A batch is decoded in one go, as the list of its values: that is several times as fast as one call
a value. Values travel joined by line feeds, which compact JSON never holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, compress

import msgspec

from korad.domain.value import value

Members = dict[str, msgspec.Raw]
Shape = tuple[str, ...]
"""An object's keys in their order."""

_AFTER_STRING = ("", ",", ":", "]", "}")

_decode_object = msgspec.json.Decoder(Members).decode
_decode_objects = msgspec.json.Decoder(list[Members]).decode
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_arrays = msgspec.json.Decoder(list[list[msgspec.Raw]]).decode


SEPARATOR = b",\n"
"""Between values that are decoded together: JSON, and in no value."""


@value
class Objects:
    """Objects taken apart, in their order."""

    members: list[Members]
    shapes: list[Shape | None]
    """None: taking the object apart is not exact, and it must stay as it is."""
    counts: dict[Shape, int]
    """How many objects have each shape, less those without keys or with None."""
    values: bytes
    """The values of all members of all objects, a line each."""
    text: bytes = b""
    """The objects as written, with `SEPARATOR` between them, if all have one shape."""

    def where(self, chosen: Sequence[bool]) -> Objects:
        """Return the objects that are chosen."""
        members, shapes = list(compress(self.members, chosen)), list(compress(self.shapes, chosen))
        return Objects(
            members=members, shapes=shapes, counts=_counted(shapes), values=_values(members)
        )

    @property
    def is_flat(self) -> bool:
        """Whether all objects evidently have one shape and no objects within."""
        if not self.text:
            return False
        if self.text.count(b"{") == len(self.members):
            return True
        # Strings may hold braces, but no line feeds.
        lines = b"\n" + self.values
        return b"\n{" not in lines and b"\n[" not in lines

    def lists(self) -> list[bytes] | None:
        """Return each of flat objects as the list of its values; None: that needs a closer look.

        Taking the keys out of the text is cheaper than putting the values together. It
        is right if no key reads like the end of a string.
        """
        shape = self.shapes[0]
        if not shape or any(key[:1] in _AFTER_STRING for key in shape):
            return None
        head, *others = (b'"%b":' % key.encode() for key in shape)
        text = self.text[1 + len(head) : -1].replace(b"},\n{" + head, b"]\n[")
        for other in others:
            text = text.replace(b"," + other, b",")
        return (b"[%b]" % text).split(b"\n")


def elements(array: bytes) -> list[bytes]:
    """Return the elements of a JSON array as written; DecodeError if it is none."""
    return split(_decode_array(array))


def arrays(text: bytes) -> list[list[msgspec.Raw]]:
    """Return the elements of each of the arrays; `SEPARATOR` stands between these."""
    return _decode_arrays(b"[%b]" % text)


def members(compact: bytes) -> tuple[list[str], list[bytes]] | None:
    """Return an object's keys and values as written, or None if that would not be exact.

    It is not when a key occurs twice or is written with an escape; both make the members shorter
    than the object.
    """
    found = _decode_object(compact)
    if len(compact) != overhead(tuple(found)) + sum(map(len, found.values())):
        return None
    return list(found), split(found.values())


def objects(text: bytes) -> Objects:
    """Take compact objects apart; `SEPARATOR` stands between them."""
    found = _decode_objects(b"[%b]" % text)
    shapes = list(map(tuple, found))
    values = _values(found)
    # Less the line feeds: of them there is one fewer than values.
    size = len(values) - max(0, sum(map(len, shapes)) - 1)
    size += len(SEPARATOR) * (len(found) - 1)
    is_one = shapes.count(shapes[0]) == len(shapes)
    counts = {shapes[0]: len(shapes)} if is_one else Counter(shapes)
    rest = {shape: overhead(shape) for shape in counts}
    if len(text) == size + sum([count * rest[shape] for shape, count in counts.items()]):
        counts.pop((), None)
        return Objects(
            members=found,
            shapes=list(shapes),
            counts=counts,
            values=values,
            text=text if is_one else b"",
        )
    exact = [
        shape if len(item) == rest[shape] + sum(map(len, part.values())) else None
        for item, shape, part in zip(text.split(SEPARATOR), shapes, found, strict=True)
    ]
    return Objects(members=found, shapes=exact, counts=_counted(exact), values=values)


def _values(found: Iterable[Members]) -> bytes:
    return b"\n".join(chain.from_iterable(map(dict.values, found)))


def _counted(shapes: Iterable[Shape | None]) -> Counter[Shape]:
    return Counter(shape for shape in shapes if shape)


def split(raws: Iterable[msgspec.Raw]) -> list[bytes]:
    """Return the values as bytes; all at once is faster than one by one."""
    joined = b"\n".join(raws)
    return joined.split(b"\n") if joined else []


def without_nulls(values: bytes) -> bytes:
    """Return values, a line each, with an empty one in the place of every null."""
    lines = b"\n%b\n" % values
    # Of nulls in a row the first round finds every other one.
    for _ in range(2):
        lines = lines.replace(b"\nnull\n", b"\n\n")
    return lines[1:-1]


def overhead(shape: Shape) -> int:
    """Return the bytes of a compact object with these keys that are not its values'."""
    return len("".join(shape).encode()) + 4 * len(shape) + (1 if shape else 2)
