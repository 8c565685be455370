"""The `X-Korad-*` header lines and the closing comment of a stream."""

from __future__ import annotations

from korad.domain.money import divide_half_even, format_usd


def figure_lines(
    original_tokens: int,
    optimized_tokens: int,
    savings_nano_usd: int,
    strategy: bytes,
    margin: bytes,
) -> bytes:
    """Return the header lines that are known before the bill is; `margin` like b"1.50x"."""
    return (
        b"X-Korad-Original-Tokens: %d\r\nX-Korad-Optimized-Tokens: %d\r\n"
        b"X-Korad-Savings-USD: %b\r\nX-Korad-Strategy: %b\r\nX-Korad-Profit-Margin: %b\r\n"
    ) % (original_tokens, optimized_tokens, usd(savings_nano_usd), strategy, margin)


def billed_line(billed_nano_usd: int) -> bytes:
    """Return the header (or trailer) line of the amount billed."""
    return b"X-Korad-Billed-Amount: %b\r\n" % usd(billed_nano_usd)


def closing_comment(billed_nano_usd: int, savings_nano_usd: int, request_id: str) -> bytes:
    """Return the SSE comment that tells a stream's bill just before `[DONE]`."""
    return b": korad billed=%b savings=%b request_id=%b\n\n" % (
        usd(billed_nano_usd),
        usd(savings_nano_usd),
        request_id.encode(),
    )


def usd(nano_usd: int) -> bytes:
    """Return an amount as it stands in a header."""
    if nano_usd > 0:
        # Bytes at once: 500 instructions less than text encoded.
        return b"$%d.%06d" % divmod(divide_half_even(nano_usd, 1_000), 1_000_000)
    return b"$0.000000" if nano_usd == 0 else format_usd(nano_usd).encode()
