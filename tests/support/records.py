"""Records of settled exchanges for tests of those who keep them."""

from __future__ import annotations

from typing import Any

from korad.domain.exchange import ExchangeRecord, Outcome


def a_record(request_id: str = "req_1", **fields: Any) -> ExchangeRecord:
    """Return the record of a completed exchange without figures."""
    given = {
        "client_request_id": None,
        "key_id": "vk_1",
        "provider": "openai",
        "model": "gpt-4o",
        "stream": False,
        "status": 200,
        "outcome": Outcome.COMPLETED,
        "error_code": None,
        "level": "medium",
        "strategy": None,
        "original_tokens": None,
        "optimized_tokens": None,
        "savings_nano_usd": 0,
        "realized_savings_nano_usd": 0,
        "usage": None,
        "charge": None,
        "upstream_request_id": None,
        "started_ms": 0,
        "first_byte_us": None,
        "overhead_us": None,
        "duration_us": 1_000,
    }
    return ExchangeRecord(request_id=request_id, **{**given, **fields})
