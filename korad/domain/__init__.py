"""The nouns every room shares: plain, frozen facts, no behaviour beyond their own arithmetic."""

from __future__ import annotations
