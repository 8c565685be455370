"""Prices and charges: look a price up in the price book, rate an answer with it."""

from __future__ import annotations

from korad.billing.pricebook import PriceBook
from korad.billing.rating import price_prompt, rate, savings_nano_usd

__all__ = ["PriceBook", "price_prompt", "rate", "savings_nano_usd"]
