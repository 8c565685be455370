"""Memory that all workers of one server share: made before they are forked, gone with the last.

Each worker writes its own page only, and every worker can read all pages, so that any of them
can answer for the whole server. A page survives the kill of its worker.
"""

from __future__ import annotations

import mmap

from korad.domain.value import value

METRICS_BYTES = 256 * 1024
RECORD_BYTES = 1_024
RECORDS = 8_192


@value
class SharedPages:
    """One metrics page and one page of recent requests per worker."""

    metrics: tuple[mmap.mmap, ...]
    recent: tuple[mmap.mmap, ...]


def make_pages(workers: int) -> SharedPages:
    """Return pages for `workers` workers; memory is only used as it is written."""
    return SharedPages(
        metrics=tuple(mmap.mmap(-1, METRICS_BYTES) for _ in range(workers)),
        recent=tuple(mmap.mmap(-1, RECORD_BYTES * RECORDS) for _ in range(workers)),
    )
