"""A sum that slides: never less than what was added in the window, in constant room."""

from __future__ import annotations

from hypothesis import given, strategies as st

from korad.adapters.sliding_sum import STEPS, SlidingSum

WINDOW_NS = 6_400
ADDED = st.lists(st.tuples(st.integers(0, 3_000), st.integers(1, 100)), max_size=60)


@given(ADDED)
def test_it_is_what_was_added_in_the_window_and_at_most_a_step_before(added):
    sliding, now_ns, all_added = SlidingSum(WINDOW_NS), 0, []
    for later_ns, amount in added:
        now_ns += later_ns
        sliding.add(amount, now_ns)
        all_added.append((now_ns, amount))

        begin_ns = now_ns - WINDOW_NS
        step_ns = WINDOW_NS // STEPS
        least = sum(each for at_ns, each in all_added if at_ns > begin_ns)
        most = sum(each for at_ns, each in all_added if at_ns > begin_ns - step_ns)
        assert least <= sliding.total(now_ns) <= most
    assert sliding.total(now_ns + 2 * WINDOW_NS) == 0


def test_it_takes_no_more_room_with_time():
    sliding = SlidingSum(WINDOW_NS)
    for now_ns in range(0, 100 * WINDOW_NS, 7):
        sliding.add(1, now_ns)
        sliding.total(now_ns)

    assert len(sliding._sums) <= STEPS + 1


def test_a_window_of_nothing_is_no_error():
    sliding = SlidingSum(0)
    sliding.add(1, 5)

    assert sliding.total(5) == 1
    assert sliding.total(5 + 2 * STEPS) == 0
