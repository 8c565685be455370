"""A record goes to all who keep it."""

from __future__ import annotations

import os

import msgspec
import pytest

from korad.adapters.metrics import Metrics
from korad.adapters.recent_requests import RecentRing, RequestIds
from korad.adapters.records import Records
from korad.adapters.request_log import RequestLog
from korad.adapters.shared_pages import make_pages
from tests.support.records import a_record


@pytest.mark.parametrize("logged", [True, False])
def test_a_record_is_logged_kept_and_counted(logged):
    reading, writing = os.pipe()
    log = RequestLog(writing) if logged else None
    pages = make_pages(1)
    metrics, ring = Metrics(pages, 0), RecentRing(pages, 0)
    record = a_record(RequestIds(0).next())
    later = []
    records = Records(log=log, metrics=metrics.own, recent=ring, call_soon=later.append)
    records.note(a_record("req_" + "0" * 32))
    records.note(record)
    assert ring.find(record.request_id) is None
    (hand_on,) = later
    hand_on()
    if log is not None:
        log.start()
        log.stop()
    os.close(writing)
    with os.fdopen(reading, "rb") as lines:
        written = lines.read()
    found = ring.find(record.request_id)

    assert found is not None
    assert msgspec.json.decode(found.json)["model"] == "gpt-4o"
    assert written.endswith(found.json + b"\n" if logged else b"")
    assert written.count(b"\n") == (2 if logged else 0)
    assert b"korad_request_duration_seconds_count 2\n" in metrics.render()
