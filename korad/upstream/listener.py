"""Who hears of one upstream answer, and how."""

from __future__ import annotations

from typing import Protocol

from korad.errors import KoradError
from korad.upstream.hot_shape import AnswerHead


class Listener(Protocol):
    """Who is told about one upstream answer. `on_end` or `on_failure` comes last, once."""

    def on_sent(self) -> None:
        """Hear that the request is written; called again when a stale connection was replaced."""

    def on_retry(self, handle: Handle) -> None:
        """Hear that the connection was stale: the request goes out again, under a new handle."""

    def on_answer(self, head: AnswerHead, body: bytes) -> None:
        """Take a whole answer that came at once; stands for on_head, on_body and on_end."""

    def on_head(self, head: AnswerHead) -> None:
        """Take the final answer's head."""

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body, chunked framing removed."""

    def on_end(self) -> None:
        """Hear that the answer is complete; the connection is already somebody else's."""

    def on_failure(self, error: KoradError) -> None:
        """Hear that no (complete) answer will come."""


class ChunkBypass(Protocol):
    """A way past the listener."""

    def take(self, chunk: bytes) -> bool:
        """Take bytes that begin where a chunk begins if they are one whole chunk, else say no."""


class Handle(Protocol):
    """What a listener holds of its request; it is safe to use when the answer is long over."""

    def cancel(self, listener: Listener) -> None:
        """Drop the request wherever it is; the listener hears nothing more."""

    def bypass(self, listener: Listener, way: ChunkBypass) -> None:
        """Offer chunks of the answer to `way` first."""

    def pause(self, listener: Listener) -> None:
        """Stop reading the answer."""

    def resume(self, listener: Listener) -> None:
        """Read the answer again."""
