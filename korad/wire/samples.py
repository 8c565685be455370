"""A few short samples of a long text, to find again what begins as it does."""

from __future__ import annotations

from struct import Struct

_SAMPLES = 8
_SAMPLE_BYTES = 48
SAMPLED_BYTES_MIN = 1_024
_MOST_BITS = 40

Samples = tuple[bytes, ...]


def power_of_two(size: int) -> int:
    """Return the largest power of two that is not above `size`; `size` is above 0."""
    return 1 << (size.bit_length() - 1)


def samples(raw: bytes, size: int) -> Samples:
    """Return samples of the first `size` bytes, spread so that conversations differ in one.

    `size` is a power of two, at least SAMPLED_BYTES_MIN and at most what `raw` has.
    """
    return _CUT[size](raw)


def _cut(size: int) -> Struct:
    gap = size // _SAMPLES - _SAMPLE_BYTES
    return Struct(f"{_SAMPLE_BYTES}s{gap}x" * _SAMPLES)


# One call in C: a slice at a time took 2 us, as long as the rest of a look at a known prompt.
_CUT = {
    1 << bits: _cut(1 << bits).unpack_from
    for bits in range(SAMPLED_BYTES_MIN.bit_length() - 1, _MOST_BITS)
}
