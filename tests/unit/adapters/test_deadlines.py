"""One timer watches every deadline."""

from __future__ import annotations

from korad.adapters.deadlines import TICKS_PER_TURN, DeadlineWheel


class Timer:
    cancelled = False

    def cancel(self):
        self.cancelled = True


class Loop:
    """A loop whose time stands still until it is told to turn; `read` is what it reads then."""

    def __init__(self):
        self.now = 0.0
        self.timers = []
        self.soon = []
        self.read = lambda: None
        self.lags_us = []

    def time(self):
        return self.now

    def call_later(self, delay_s, callback):
        self.timers.append((delay_s, callback))
        self.last = Timer()
        return self.last

    def call_soon(self, callback, *args):
        self.soon.append((callback, args))

    def turn(self, ticks=TICKS_PER_TURN):
        """Run, like uvloop, timers first, then what is due, and read last."""
        for _ in range(ticks):
            delay_s, callback = self.timers.pop()
            self.now += delay_s
            callback()
            while self.soon:
                due, self.soon = self.soon, []
                for each, args in due:
                    each(*args)
                self.read()


class Item:
    def __init__(self, deadline, wheel=None, others=()):
        self.deadline = deadline
        self.calls = 0
        self.wheel, self.others = wheel, others

    def on_deadline(self):
        self.calls += 1
        for other in self.others:
            self.wheel.discard(other)


def started():
    loop = Loop()
    wheel = DeadlineWheel(loop)
    ticks = []
    wheel.start(lambda: ticks.append(wheel.now), loop.lags_us.append)
    return loop, wheel, ticks


def test_only_what_is_over_is_told_and_every_turn():
    loop, wheel, _ = started()
    soon, late, never = Item(0.0), Item(0.7), Item(float("inf"))
    for item in (soon, late, never):
        wheel.add(item)
    loop.turn()

    assert [1, 0, 0] == [soon.calls, late.calls, never.calls]
    soon.deadline = float("inf")
    loop.turn()
    assert [1, 1, 0] == [soon.calls, late.calls, never.calls]


def test_what_lies_there_unread_is_read_before_it_is_called_late():
    loop, wheel, _ = started()
    item = Item(0.7)
    wheel.add(item)
    loop.turn()
    loop.now = 60.0  # the machine stood still

    def read():
        item.deadline = wheel.now + 0.7

    loop.read = read
    loop.turn()

    assert item.calls == 0
    loop.read = lambda: None
    loop.turn(2 * TICKS_PER_TURN)
    assert item.calls == 1


def test_every_bucket_is_looked_at_once_a_turn():
    loop, wheel, _ = started()
    items = [Item(0.0) for _ in range(3 * TICKS_PER_TURN)]
    for item in items:
        wheel.add(item)
    loop.turn()

    assert {1} == {item.calls for item in items}


def test_what_was_discarded_is_not_told_and_may_be_discarded_again():
    loop, wheel, _ = started()
    item = Item(0.0)
    wheel.add(item)
    wheel.discard(item)
    wheel.discard(item)
    loop.turn()

    assert item.calls == 0


def test_items_may_leave_while_deadlines_are_told():
    loop, wheel, _ = started()
    items = [Item(0.0, wheel) for _ in range(2 * TICKS_PER_TURN)]
    for item in items:
        item.others = (item,)
        wheel.add(item)
    loop.turn(2 * TICKS_PER_TURN)

    assert {1} == {item.calls for item in items}


def test_each_tick_renews_the_clock_before_it_is_announced():
    loop, wheel, ticks = started()
    loop.turn(2)

    assert ticks == [0.1, 0.2]
    assert wheel.now == 0.2


def test_each_tick_tells_how_late_it_is():
    loop, _, _ = started()
    loop.turn(1)
    loop.now += 0.25  # a long turn of the loop, before the timer could run
    loop.turn(2)

    assert [0, 250_000, 0] == loop.lags_us


def test_a_stopped_wheel_has_no_timer():
    loop, wheel, _ = started()
    wheel.stop()
    wheel.stop()

    assert loop.last.cancelled


def test_a_wheel_that_is_stopped_between_a_tick_and_its_look_tells_nobody():
    loop, wheel, _ = started()
    items = [Item(0.0) for _ in range(TICKS_PER_TURN)]
    for item in items:
        wheel.add(item)
    loop.read = wheel.stop
    loop.turn(1)

    assert {0} == {item.calls for item in items}
