"""Samples of a long text."""

from __future__ import annotations

import pytest

from korad.wire.samples import SAMPLED_BYTES_MIN, power_of_two, samples


@pytest.mark.parametrize("size", [SAMPLED_BYTES_MIN, SAMPLED_BYTES_MIN * 256])
def test_they_are_spread_over_all_of_it_and_see_nothing_behind(size):
    raw = bytes(range(251)) * (size // 200)

    found = samples(raw, size)

    assert found == tuple(raw[at : at + 48] for at in range(0, size, size // 8))
    assert samples(raw[:size], size) == found


def test_the_largest_power_of_two_that_is_not_above():
    assert [power_of_two(each) for each in (1, 2, 3, 4_096, 8_191)] == [1, 2, 2, 4_096, 4_096]
