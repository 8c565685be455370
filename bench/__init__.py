"""Evaluations of korad that are too slow or too wide for tests: `python -m bench VERB`."""

from __future__ import annotations
