"""Rows of a FOCUS 1.2 data set: one a day, key and model, and one more for what was saved.

`BilledCost` of the Usage row is what would have been billed without korad's savings; the Credit row
takes them off. Together they are what is billed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from korad import __version__
from korad.ledger.amounts import exact_usd
from korad.ledger.reports import Line

_ISSUER: Final = "korad"

COLUMNS: Final = (
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingAccountType",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SkuId",
    "SubAccountId",
    "SubAccountName",
    "SubAccountType",
    "Tags",
    "x_CachedTokens",
    "x_Events",
    "x_InputTokens",
    "x_KoradVersion",
    "x_OutputTokens",
    "x_ProviderCost",
    "x_SavedInputTokens",
)


def focus_rows(line: Line, names: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield the Usage row of a line, then its Credit row if anything was saved.

    `names` are those of keys, teams and customers by id, as far as they are known.
    """
    saved = max(line.savings_nano_usd, 0)
    tokens = str(line.input_tokens + line.output_tokens)
    yield (
        _shared(line, names)
        | _costs(line.billed_nano_usd + saved)
        | {
            "ChargeCategory": "Usage",
            "ChargeDescription": f"{line.provider}/{line.model}, {line.events} requests",
            "ChargeFrequency": "Usage-Based",
            "ConsumedQuantity": tokens,
            "ConsumedUnit": "Tokens",
            "PricingCategory": "Standard",
            "PricingQuantity": tokens,
            "PricingUnit": "Tokens",
            "x_CachedTokens": str(line.cached_tokens),
            "x_Events": str(line.events),
            "x_InputTokens": str(line.input_tokens),
            "x_OutputTokens": str(line.output_tokens),
            "x_ProviderCost": exact_usd(line.cost_nano_usd),
        }
    )
    if saved:
        yield (
            _shared(line, names)
            | _costs(-saved)
            | {
                "ChargeCategory": "Credit",
                "ChargeDescription": f"{line.saved_tokens} prompt tokens that korad saved",
                "ChargeFrequency": "Usage-Based",
                "x_SavedInputTokens": str(line.saved_tokens),
            }
        )


def _shared(line: Line, names: Mapping[str, str]) -> dict[str, str]:
    day = datetime.strptime(line.day, "%Y-%m-%d").replace(tzinfo=UTC)
    month = day.replace(day=1)
    following = (month + timedelta(days=31)).replace(day=1)
    account = line.customer_id or line.team_id or line.key_id
    return dict.fromkeys(COLUMNS, "") | {
        "BillingAccountId": account,
        # There must be one: who has none, or is known here no more, goes by the id.
        "BillingAccountName": names.get(account, account),
        "BillingAccountType": "Customer" if line.customer_id else "Team" if line.team_id else "Key",
        "BillingCurrency": "USD",
        "BillingPeriodStart": _time(month),
        "BillingPeriodEnd": _time(following),
        "ChargePeriodStart": _time(day),
        "ChargePeriodEnd": _time(day + timedelta(days=1)),
        "InvoiceIssuerName": _ISSUER,
        "ProviderName": _ISSUER,
        "PublisherName": line.provider,
        "ResourceId": f"{line.provider}/{line.model}",
        "ResourceName": line.model,
        "ResourceType": "Model",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": line.provider,
        "ServiceSubcategory": "Generative AI",
        "SkuId": f"{line.provider}/{line.model}",
        "SubAccountId": line.key_id,
        "SubAccountName": names.get(line.key_id, ""),
        "SubAccountType": "Virtual Key",
        "Tags": "{}",
        "x_KoradVersion": __version__,
    }


def _costs(nano_usd: int) -> dict[str, str]:
    amount = exact_usd(nano_usd)
    return {
        "BilledCost": amount,
        "ContractedCost": amount,
        "EffectiveCost": amount,
        "ListCost": amount,
    }


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
