"""korad: an OpenAI-compatible LLM proxy that shrinks prompts and bills exactly once.

Importing this package does nothing; `korad.app` wires a server, `korad.cli` is the way in.
"""

from __future__ import annotations

__version__ = "0.1.0"
