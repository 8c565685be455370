"""Disk, shared memory, threads and the tokenizer: each behind one of `korad.ports`."""

from __future__ import annotations
