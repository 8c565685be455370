"""The trail: every change made over the admin API, one JSON line, on the disk before the answer."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

TRAIL_FILE = "admin-trail.jsonl"
EVENT_TYPE = "io.korad.admin.change.v1"


class Trail:
    """Append to the trail; blocks on the disk."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / TRAIL_FILE

    def open(self) -> None:
        """Make sure that a change can be written down before it is made. Raises OSError."""
        os.close(self._open())

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(
        self,
        action: str,
        target: str,
        changes: Mapping[str, Any],
        *,
        remote: str,
        request_id: str,
        now_s: int,
    ) -> bytes:
        """Write one change and return it as it was written, a CloudEvent. Raises OSError.

        `changes` is what the caller sent: no secret is ever among it.
        """
        line = orjson.dumps(
            {
                "specversion": "1.0",
                "id": request_id,
                "source": "/korad/admin",
                "type": EVENT_TYPE,
                "subject": target,
                "time": datetime.fromtimestamp(now_s, UTC).isoformat().replace("+00:00", "Z"),
                "datacontenttype": "application/json",
                "data": {"action": action, "changes": changes, "remote": remote},
            }
        )
        descriptor = self._open()
        try:
            written = os.write(descriptor, line + b"\n")
            if written <= len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return line
