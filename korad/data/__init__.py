"""Files that korad carries: model capabilities, tokenizer ranks, list prices."""

from __future__ import annotations
