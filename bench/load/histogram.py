"""A log-linear histogram of nanoseconds in HdrHistogram's layout: constant cost, 3 digits.

Values up to an hour are told apart to one part in a thousand, from the single nanosecond on. The
encoded form is HdrHistogram's V2, compressed, in base64, so that other tools read and merge it.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from math import ceil

from bench.load import result

HIGHEST_NS = 3_600_000_000_000
_DIGITS = 3
_HALF_BITS = 10
_LINEAR = 1 << (_HALF_BITS + 1)  # below it each value has a counter of its own
_HALF = 1 << _HALF_BITS
_BUCKETS = HIGHEST_NS.bit_length() - _HALF_BITS
_COUNTERS = _BUCKETS * _HALF + _HALF
_EMPTY = array("q", bytes(8 * _COUNTERS))

_V2 = 0x1C849303 | 0x10
_V2_COMPRESSED = 0x1C849304 | 0x10
_HEAD = struct.Struct(">iiiiqqd")
_ENVELOPE = struct.Struct(">ii")
_LEB_BYTES_MAX = 9


class HistogramError(ValueError):
    """The text is no compressed V2 histogram of this precision."""


class Histogram:
    """Counts of nanosecond values, with their exact maximum."""

    __slots__ = ("counts", "max_ns")

    def __init__(self) -> None:
        self.counts = _EMPTY[:]
        self.max_ns = 0

    def record(self, value_ns: int) -> None:
        """Count one value; below 0 it counts as 0, above an hour as an hour."""
        self.counts[index_of(value_ns)] += 1
        self.max_ns = max(self.max_ns, min(value_ns, HIGHEST_NS))

    def record_all(self, values_ns: array[int]) -> None:
        """Count many values: sorted, those of one counter stand together."""
        ordered = array("q", sorted(values_ns))
        begin, size = 0, len(ordered)
        while begin < size:
            index = index_of(ordered[begin])
            end = bisect_right(ordered, highest_ns(index), begin) if index < _LAST else size
            self.counts[index] += end - begin
            begin = end
        if size:
            self.max_ns = max(self.max_ns, min(ordered[-1], HIGHEST_NS))

    @property
    def count(self) -> int:
        """How many values were recorded."""
        return sum(self.counts)

    @property
    def mean_ns(self) -> float:
        """The mean, as exact as the counters are; empty: 0."""
        total = sum(
            count * (_lowest_of(index) + highest_ns(index))
            for index, count in enumerate(self.counts)
            if count
        )
        return total / 2 / max(1, self.count)

    def merge(self, other: Histogram) -> None:
        """Add all that another one holds."""
        mine = self.counts
        for index, count in enumerate(other.counts):
            if count:
                mine[index] += count
        self.max_ns = max(self.max_ns, other.max_ns)

    def quantiles(self, shares: Iterable[float]) -> list[int]:
        """Return the value that each share (0 to 1) of the values does not exceed; empty: 0."""
        sums = list(accumulate(self.counts))
        count = sums[-1]
        if not count:
            return [0 for _ in shares]
        return [
            min(highest_ns(bisect_left(sums, max(1, ceil(share * count)))), self.max_ns)
            for share in shares
        ]

    def result(self) -> result.Histogram:
        """Return what `result.json` tells of it."""
        p50, p90, p99, p999 = self.quantiles((0.5, 0.9, 0.99, 0.999))
        return result.Histogram(
            percentiles=result.Percentiles(
                count=self.count,
                mean_ns=self.mean_ns,
                p50_ns=p50,
                p90_ns=p90,
                p99_ns=p99,
                p999_ns=p999,
                max_ns=self.max_ns,
            ),
            hdr=self.encode(),
        )

    def encode(self) -> str:
        """Return it as HdrHistogram V2, compressed, base64."""
        payload = _pack(self.counts)
        head = _HEAD.pack(_V2, len(payload), 0, _DIGITS, 1, HIGHEST_NS, 1.0)
        packed = zlib.compress(head + payload)
        return base64.b64encode(_ENVELOPE.pack(_V2_COMPRESSED, len(packed)) + packed).decode()

    @classmethod
    def decode(cls, text: str) -> Histogram:
        """Read it back; the maximum is then as exact as the counters are.

        Raises `HistogramError` for anything that `encode` does not write.
        """
        made = cls()
        for index, count in _unpack(_payload(text)):
            if index >= _COUNTERS:
                raise HistogramError("more counters than an hour needs")
            made.counts[index] = count
            made.max_ns = highest_ns(index)
        made.max_ns = min(made.max_ns, HIGHEST_NS)
        return made


def exact_quantile(ordered: Sequence[int], share: float) -> int:
    """Return the value of a sorted sequence that `share` of it does not exceed; empty: 0."""
    if not ordered:
        return 0
    return ordered[max(1, ceil(share * len(ordered))) - 1]


def index_of(value_ns: int) -> int:
    """Return the index of the counter that counts a value."""
    if value_ns < _LINEAR:
        return max(0, value_ns)
    shift = value_ns.bit_length() - _HALF_BITS - 1
    if value_ns > HIGHEST_NS:
        return index_of(HIGHEST_NS)
    return (shift << _HALF_BITS) + (value_ns >> shift)


_LAST = index_of(HIGHEST_NS)


def _lowest_of(index: int) -> int:
    shift = max(0, (index >> _HALF_BITS) - 1)
    return (index - (shift << _HALF_BITS)) << shift


def highest_ns(index: int) -> int:
    """Return the highest value that the counter of this index counts."""
    shift = max(0, (index >> _HALF_BITS) - 1)
    return _lowest_of(index) + (1 << shift) - 1


def _pack(counts: array[int]) -> bytes:
    """Write counters as zig-zag LEB128; a run of zeros is one negative number."""
    out = bytearray()
    zeros = 0
    for count in counts:
        if not count:
            zeros += 1
            continue
        if zeros:
            _append_number(out, (zeros << 1) - 1)
            zeros = 0
        _append_number(out, count << 1)
    return bytes(out)


def _append_number(out: bytearray, number: int) -> None:
    while number > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _unpack(payload: bytes) -> Iterable[tuple[int, int]]:
    index = position = 0
    while position < len(payload):
        number = shift = 0
        while True:
            if position >= len(payload) or shift >= 7 * _LEB_BYTES_MAX:
                raise HistogramError("a counter is cut short")
            byte = payload[position]
            position += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        if number & 1:
            index += (number + 1) >> 1
        else:
            if number:
                yield index, number >> 1
            index += 1


def _payload(text: str) -> bytes:
    try:
        wrapped = base64.b64decode(text, validate=True)
        cookie, length = _ENVELOPE.unpack_from(wrapped)
        content = zlib.decompress(wrapped[_ENVELOPE.size : _ENVELOPE.size + length])
        inner, size, offset, digits, lowest, _, _ = _HEAD.unpack_from(content)
    except (binascii.Error, struct.error, zlib.error) as error:
        raise HistogramError(f"not a compressed histogram: {error}") from error
    if (cookie, inner) != (_V2_COMPRESSED, _V2) or (offset, digits, lowest) != (0, _DIGITS, 1):
        raise HistogramError("another version or precision of histogram")
    return content[_HEAD.size : _HEAD.size + size]
