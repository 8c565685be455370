"""The `X-Korad-*` header lines and the closing comment of a stream."""

from __future__ import annotations

from korad.domain.money import format_usd
from korad.wire.http1 import header_value


def figure_lines(
    *, original_tokens: int, optimized_tokens: int, savings_nano_usd: int, strategy: str, margin: bytes
) -> bytes:
    """Return the five header lines that are known before the bill is; `margin` like b"1.50x"."""
    return (
        b"X-Korad-Original-Tokens: %d\r\nX-Korad-Optimized-Tokens: %d\r\n"
        b"X-Korad-Savings-USD: %b\r\nX-Korad-Strategy: %b\r\nX-Korad-Profit-Margin: %b\r\n"
    ) % (
        original_tokens,
        optimized_tokens,
        format_usd(savings_nano_usd).encode(),
        header_value(strategy),
        margin,
    )


def billed_line(billed_nano_usd: int) -> bytes:
    """Return the header (or trailer) line of the amount billed."""
    return b"X-Korad-Billed-Amount: %b\r\n" % format_usd(billed_nano_usd).encode()


def closing_comment(billed_nano_usd: int, savings_nano_usd: int, request_id: str) -> bytes:
    """Return the SSE comment that tells a stream's bill just before `[DONE]`."""
    return (
        f": korad billed={format_usd(billed_nano_usd)} savings={format_usd(savings_nano_usd)} "
        f"request_id={request_id}\n\n"
    ).encode()
