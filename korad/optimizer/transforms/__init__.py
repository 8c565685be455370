"""The transforms, one idea a file, in the order in which the chain runs them.

To add one: write its file, and put it into the list where it belongs.
"""

from __future__ import annotations

from korad.optimizer.base import Transform
from korad.optimizer.transforms.blobs import BLOBS
from korad.optimizer.transforms.diffs import DIFF_CONTEXT
from korad.optimizer.transforms.duplicates import DUPLICATES, Reference
from korad.optimizer.transforms.html_text import HTML_TEXT
from korad.optimizer.transforms.json_minify import JSON_MINIFY
from korad.optimizer.transforms.json_table import JSON_TABLE
from korad.optimizer.transforms.log_folding import LOG_FOLDING
from korad.optimizer.transforms.log_templates import LOG_TEMPLATES
from korad.optimizer.transforms.selection import SELECTION
from korad.optimizer.transforms.traces import STACK_TRACES
from korad.optimizer.transforms.truncation import TRUNCATION
from korad.optimizer.transforms.whitespace import TIDY_TEXT

TRANSFORMS: tuple[Transform, ...] = (
    TIDY_TEXT,
    LOG_FOLDING,
    JSON_MINIFY,
    JSON_TABLE,
    HTML_TEXT,
    BLOBS,
    STACK_TRACES,
    DIFF_CONTEXT,
    LOG_TEMPLATES,
    SELECTION,
    TRUNCATION,
)
"""What makes a block shorter by itself."""

REFERENCES: tuple[Reference, ...] = (DUPLICATES,)
"""What makes it shorter by what stands before it; these run last."""

__all__ = ["REFERENCES", "TRANSFORMS", "Reference"]
