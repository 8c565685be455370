"""What the optimizer saves, what it keeps, what that is worth, and how long it takes."""

from __future__ import annotations
