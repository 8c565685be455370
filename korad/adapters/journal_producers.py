"""Whose journals there are on this machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Container, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from korad.billing.frames import SEGMENT_HEADER_BYTES, CorruptFrameError, read_segment_header
from korad.domain.event import Producer

_log = logging.getLogger("korad")


def find_producers(
    journal_dir: Path, known: Container[tuple[Path, int]] = ()
) -> Iterator[tuple[Path, Producer]]:
    """Yield (folder, producer) of every start that has left a segment, oldest first.

    Those of the `known` (folder, epoch) are left out: no file of theirs is opened.
    """
    for folder in sorted(journal_dir.glob("w[0-9]*")):
        seen = set()
        for name in sorted(os.listdir(folder)):  # noqa: PTH208 - twice as fast
            if not fnmatchcase(name, "e*-*.journal"):
                continue
            epoch = int(name[1:9])
            if epoch in seen or (folder, epoch) in known:
                continue
            path = folder / name
            try:
                with path.open("rb") as file:
                    producer, _ = read_segment_header(file.read(SEGMENT_HEADER_BYTES))
            except FileNotFoundError:
                continue
            except CorruptFrameError:
                _log.exception("%s is no segment of a journal", path)
                continue
            seen.add(epoch)
            yield folder, producer
