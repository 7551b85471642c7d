"""What https://prices.azure.com/api/retail/prices answers, with the emulator's own price list.

It needs no login, and is no part of the Resource Manager: it has no subscription, other errors,
other pages, and an api-version that may be missing.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ..base.messages import ArmResponse
from ..rules.paging import PAGE_SIZE
from . import price_filter, price_list
from .price_filter import BadFilter

Json = dict[str, Any]
PATH = "/api/retail/prices"
EXACT_SINCE = "2023-01-01"  # values are compared with their capitals (documented)
# as invented as the prices are
PER_USD = {"USD": 1.0, "EUR": 0.5, "GBP": 0.5, "JPY": 100.0, "CHF": 0.5, "AUD": 2.0, "CAD": 2.0}
EVERYTHING = price_filter.Comparison("armRegionName", "", part=True)


def answer(query: Mapping[str, str], base_url: str) -> ArmResponse:
    """Answer a GET. The names in `query` are in lower case; `base_url`: what is before the path."""
    try:
        currency = _quoted(query.get("currencycode", "USD"))
        rate = PER_USD[currency]
        start = int(query.get("$skip", "0"))
        any_case = query.get("api-version", EXACT_SINCE) < EXACT_SINCE
        text = query.get("$filter", "")
        wanted = price_filter.parse(text, any_case=any_case) if text.strip() else EVERYTHING
        primary_only = _quoted(query.get("meterregion", "")) == "primary"
        if start < 0:
            raise ValueError(start)
    except (BadFilter, KeyError, ValueError):
        return ArmResponse(400, _refusal())
    found = (
        item
        for item in price_list.items(wanted.pinned)
        if wanted.holds(item) and (item["isPrimaryMeterRegion"] or not primary_only)
    )
    page = [*itertools.islice(found, start, start + PAGE_SIZE + 1)]
    items = [_in_currency(item, currency, rate) for item in page[:PAGE_SIZE]]
    following = {**query, "$skip": str(start + PAGE_SIZE)} if len(page) > PAGE_SIZE else None
    return ArmResponse(
        200,
        {
            "BillingCurrency": currency,
            "CustomerEntityId": "Default",
            "CustomerEntityType": "Retail",
            "Items": items,
            "NextPageLink": _link(base_url, following) if following else None,
            "Count": len(items),
        },
    )


def _quoted(text: str) -> str:
    """The value of a parameter that may be in quotes: currencyCode='EUR'."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == "'" else text


def _in_currency(item: Json, currency: str, rate: float) -> Json:
    prices = {name: round(item[name] * rate, 6) for name in ("retailPrice", "unitPrice")}
    return {**item, **prices, "currencyCode": currency}


def _link(base_url: str, query: Mapping[str, str]) -> str:
    parts = (f"{quote(name, safe='$')}={quote(value, safe='')}" for name, value in query.items())
    return f"{base_url}{PATH}?{'&'.join(parts)}"


def _refusal() -> Json:
    return {"Error": {"Code": "BadRequest", "Message": "Invalid OData parameters supplied"}}
