"""Long texts, found again by what begins as they do."""

from __future__ import annotations

import msgspec
import pytest

from korad.wire.beginnings import BEGINNING_BYTES_MIN, Beginnings, begun_array, further_items


def text(size, seed=0):
    return (b"%d " % seed + b"%d," * 8 % tuple(range(seed, seed + 8)) * (size // 8))[:size]


@pytest.mark.parametrize("size", [BEGINNING_BYTES_MIN, 1_500, 4_095, 4_096, 300_000])
def test_what_goes_on_is_found_up_to_four_times_the_size(size):
    kept: Beginnings[str] = Beginnings(1_000_000)
    kept.keep(text(size), "value")

    assert kept.find(text(size)) == (text(size), "value")
    assert kept.find(text(size) + b"x") == (text(size), "value")
    assert kept.find(text(size) + b"x" * size) == (text(size), "value")
    assert kept.find(text(size) + b"x" * 3 * size) is None
    assert kept.find(text(size)[:-1]) is None


def test_a_difference_anywhere_is_seen():
    kept: Beginnings[str] = Beginnings(1_000_000)
    kept.keep(text(9_000), "value")

    for at in range(0, 9_000, 100):
        other = bytearray(text(9_000))
        other[at] ^= 1
        assert kept.find(bytes(other)) is None


def test_kinds_know_nothing_of_each_other():
    kept: Beginnings[str] = Beginnings(1_000_000)
    kept.keep(text(2_000), "one", 1)

    assert kept.find(text(2_000), 1) == (text(2_000), "one")
    assert kept.find(text(2_000), 2) is None


@pytest.mark.parametrize("size", [0, 1, 7, BEGINNING_BYTES_MIN - 1])
def test_short_texts_are_neither_kept_nor_found(size):
    kept: Beginnings[str] = Beginnings(1_000_000)
    kept.keep(text(size), "value")

    assert len(kept) == 0
    assert kept.find(text(size)) is None


def test_a_text_makes_room_for_the_one_that_goes_on():
    kept: Beginnings[int] = Beginnings(1_000_000)
    for size in range(5_000, 8_000, 100):
        kept.keep(text(size), size)

    assert len(kept) == 1
    assert kept.find(text(8_000))[1] == 7_900


@pytest.mark.parametrize("copies", [1, 3])
def test_memory_is_bounded_and_the_latest_stay(copies):
    kept: Beginnings[int] = Beginnings(60_000, copies=copies)
    for seed in range(100):
        kept.keep(text(2_000, seed), seed)

    assert len(kept) == 30 // copies
    assert kept.find(text(2_000, 99)) is not None
    assert kept.find(text(2_000, 0)) is None


def test_what_is_larger_than_half_the_memory_is_not_kept():
    kept: Beginnings[int] = Beginnings(9_000, copies=2)
    kept.keep(text(2_000), 1)
    kept.keep(text(2_300, 7), 2)

    assert kept.find(text(2_000)) is not None
    assert kept.find(text(2_300, 7)) is None


@pytest.mark.parametrize(
    ("begun", "raw", "items"),
    [
        ("[1]", "[1]", []),
        ("[1]", "[1 ]", []),
        ("[1]", "[1, 2,3]", [2, 3]),
        ("[1 ]", "[1\n,2]", [2]),
        ("[1]", "[12]", None),
        ("[1]", "[1.5,2]", None),
    ],
)
def test_what_an_array_has_beyond_its_beginning(begun, raw, items):
    found = further_items(raw.encode(), begun_array(begun.encode()))

    assert (None if found is None else msgspec.json.decode(found)) == items
