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
    Records(log=log, metrics=metrics.own, recent=ring).note(record)
    if log is not None:
        log.start()
        log.stop()
    os.close(writing)
    with os.fdopen(reading, "rb") as lines:
        written = lines.read()
    found = ring.find(record.request_id)

    assert found is not None
    assert msgspec.json.decode(found.json)["model"] == "gpt-4o"
    assert written == (found.json + b"\n" if logged else b"")
    assert b"korad_request_duration_seconds_count 1\n" in metrics.render()
