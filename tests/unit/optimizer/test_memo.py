"""What the bounded memory keeps, and what it lets go."""

from __future__ import annotations

from korad.optimizer.memo import Memo

ROOM_BYTES = 100_000


def filled(memo, count, size_bytes=0, start=0):
    for number in range(start, start + count):
        memo.put(b"%d" % number, number, size_bytes)
    return memo


def test_a_value_is_found_under_its_key_and_under_no_other():
    memo = filled(Memo(ROOM_BYTES), 2)

    assert (0, 1, None) == (memo.get(b"0"), memo.get(b"1"), memo.get(b"2"))


def test_a_later_value_replaces_the_earlier_one():
    memo = Memo(ROOM_BYTES)
    memo.put(b"k", "old")
    memo.put(b"k", "new")

    assert "new" == memo.get(b"k")
    assert 1 == len(memo)


def test_false_values_are_values():
    memo = Memo(ROOM_BYTES)
    memo.put(b"k", b"")

    assert memo.get(b"k") == b""


def test_many_small_values_never_take_more_than_the_room():
    memo = filled(Memo(ROOM_BYTES), 10_000)

    assert 0 < len(memo) <= ROOM_BYTES // 200


def test_the_size_of_values_counts():
    memo = filled(Memo(ROOM_BYTES), 1_000, size_bytes=10_000)

    assert 0 < len(memo) <= ROOM_BYTES // 10_000


def test_the_newest_value_is_there_even_if_it_is_larger_than_the_room():
    memo = filled(Memo(ROOM_BYTES), 3)
    memo.put(b"huge", "huge", 10 * ROOM_BYTES)

    assert memo.get(b"huge") == "huge"
    filled(memo, 2, start=10)
    assert memo.get(b"11") == 11


def test_what_is_asked_for_outlives_any_number_of_others():
    memo = Memo(ROOM_BYTES)
    memo.put(b"wanted", "w")
    for number in range(5_000):
        memo.put(b"%d" % number, number)
        assert memo.get(b"wanted") == "w"

    assert memo.get(b"0") is None


def test_what_nobody_asks_for_is_forgotten():
    memo = filled(Memo(ROOM_BYTES), 1)
    filled(memo, 5_000, start=1)

    assert memo.get(b"0") is None
    assert memo.get(b"4999") == 4_999
