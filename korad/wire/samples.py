"""A few short samples of a long text, to find again what begins as it does."""

from __future__ import annotations

_SAMPLES = 8
_SAMPLE_BYTES = 48


def power_of_two(size: int) -> int:
    """Return the largest power of two that is not above `size`; `size` is above 0."""
    return 1 << (size.bit_length() - 1)


def samples(raw: bytes, size: int) -> bytes:
    """Return samples of the first `size` bytes, spread so that conversations differ in one."""
    step = size // _SAMPLES
    return b"".join([raw[at : at + _SAMPLE_BYTES] for at in range(0, size, step)])
