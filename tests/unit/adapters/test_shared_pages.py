"""Pages that workers share."""

from __future__ import annotations

import pytest

from korad.adapters.shared_pages import METRICS_BYTES, RECORD_BYTES, RECORDS, make_pages


@pytest.mark.parametrize("workers", [1, 3])
def test_every_worker_has_its_own_empty_pages(workers):
    pages = make_pages(workers)
    pages.metrics[0][0] = 1

    assert [METRICS_BYTES] * workers == [len(page) for page in pages.metrics]
    assert [RECORD_BYTES * RECORDS] * workers == [len(page) for page in pages.recent]
    assert {page[0] for page in pages.metrics[1:]} <= {0}
