"""Log lines are written in batches, in order, and dropped rather than kept without bound."""

from __future__ import annotations

import os

from korad.adapters import request_log
from korad.adapters.request_log import RequestLog


def test_lines_come_out_in_order_when_the_log_stops():
    reading, writing = os.pipe()
    log = RequestLog(writing)
    log.start()
    for number in range(100):
        log.write(b"%d" % number)
    log.stop()
    os.close(writing)
    with os.fdopen(reading, "rb") as lines:
        assert lines.read().split() == [b"%d" % number for number in range(100)]
    assert log.dropped == 0


def test_lines_over_the_limit_are_dropped_and_counted(monkeypatch):
    monkeypatch.setattr(request_log, "LINES_MAX", 3)
    log = RequestLog(-1)
    for _ in range(5):
        log.write(b"x")

    assert log.dropped == 2


def test_a_reader_that_is_gone_costs_lines_but_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    log = RequestLog(writing)
    log.write(b"x")
    log.start()
    log.stop()
    os.close(writing)

    assert log.dropped == 1


def test_a_log_that_never_started_stops():
    RequestLog(-1).stop()
