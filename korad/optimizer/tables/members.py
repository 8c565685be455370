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
    counts: Counter[Shape]
    """How many objects have each shape, less those without keys or with None."""
    text: bytes = b""
    """The objects as written, with `SEPARATOR` between them, if all have one shape."""

    def where(self, chosen: Sequence[bool]) -> Objects:
        """Return the objects that are chosen."""
        shapes = list(compress(self.shapes, chosen))
        return Objects(
            members=list(compress(self.members, chosen)), shapes=shapes, counts=_counted(shapes)
        )

    def values(self) -> bytes:
        """Return the values of all members of all objects, a line each."""
        return b"\n".join(chain.from_iterable(map(dict.values, self.members)))

    def lists(self) -> list[bytes] | None:
        """Return each object as the list of its values; None: that needs a closer look.

        Taking the keys out of the text is cheaper than putting the values together. It
        is right if no value has keys of its own, and if no key reads like the end of a string.
        """
        shape = self.shapes[0] if self.text else None
        if not shape or self.text.count(b"{") != len(self.members):
            return None
        if any(key[:1] in _AFTER_STRING for key in shape):
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
    size = len(text) - len(SEPARATOR) * (len(found) - 1)
    values = sum(map(len, chain.from_iterable(map(dict.values, found))))
    is_one = shapes.count(shapes[0]) == len(shapes)
    counts = Counter({shapes[0]: len(shapes)}) if is_one else Counter(shapes)
    rest = {shape: overhead(shape) for shape in counts}
    if size == values + sum(count * rest[shape] for shape, count in counts.items()):
        del counts[()]
        return Objects(
            members=found, shapes=list(shapes), counts=counts, text=text if is_one else b""
        )
    exact = [
        shape if len(item) == rest[shape] + sum(map(len, part.values())) else None
        for item, shape, part in zip(text.split(SEPARATOR), shapes, found, strict=True)
    ]
    return Objects(members=found, shapes=exact, counts=_counted(exact))


def _counted(shapes: Iterable[Shape | None]) -> Counter[Shape]:
    return Counter(shape for shape in shapes if shape)


def split(raws: Iterable[msgspec.Raw]) -> list[bytes]:
    """Return the values as bytes; all at once is faster than one by one."""
    joined = b"\n".join(raws)
    return joined.split(b"\n") if joined else []


def overhead(shape: Shape) -> int:
    """Return the bytes of a compact object with these keys that are not its values'."""
    return len("".join(shape).encode()) + 4 * len(shape) + (1 if shape else 2)
