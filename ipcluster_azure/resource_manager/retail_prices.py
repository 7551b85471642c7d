"""Azure's public interface of retail prices: another host than the Resource Manager's, no login.

https://learn.microsoft.com/rest/api/cost-management/retail-prices/azure-retail-prices
Other clouds have none: China's and the US government's prices are not in it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests

from ..endpoint import Endpoint
from ..plan.price_items import (
    ADDRESS_METER,
    CURRENCY,
    DISK_PRODUCT,
    MACHINES,
    NETWORK,
    STORAGE,
)
from ..plan.resource_types import Json
from ..settings.values import PUBLIC_CLOUD

PUBLIC_HOST = "prices.azure.com"
PATH = "/api/retail/prices"
API = "2023-01-01-preview"
TIMEOUT_S, EMULATOR_TIMEOUT_S = 3.0, 30.0  # the second is on this computer, which may be busy
MOST_PAGES = 20  # of 100 to 1,000 items; what is asked for fits into one or two


@dataclass(frozen=True)
class PriceList:
    """Where prices are asked for; `name` is for people. `ca_file`: the emulator's, else empty.
    `timeout_s`: what anybody waits for it at most."""

    name: str
    url: str
    ca_file: str = ""
    timeout_s: float = TIMEOUT_S

    def items(self, filter_: str, *, most_pages: int = MOST_PAGES) -> list[Json]:
        """Return all items that match an OData filter. Blocking; each page may take `timeout_s`.

        Raises OSError or ValueError if it doesn't answer, or answers something else.
        """
        query = {"api-version": API, "currencyCode": f"'{CURRENCY}'", "$filter": filter_}
        found: list[Json] = []
        with requests.Session() as session:
            # the emulator listens on the loopback, where no proxy leads
            session.trust_env = not self.ca_file
            url: str | None = self.url
            for _ in range(most_pages):
                answer = session.get(
                    str(url),
                    params=query if url == self.url else None,
                    timeout=self.timeout_s,
                    verify=self.ca_file or True,
                )
                answer.raise_for_status()
                page = answer.json()
                found += _members(page)
                url = page.get("NextPageLink")
                if not url:
                    return found
                if urlsplit(url).hostname != urlsplit(self.url).hostname:
                    raise ValueError(f"{self.name} leads to another host, {url}")
        raise ValueError(f"{self.name} has more than {most_pages} pages of that")


def price_list(endpoint: Endpoint) -> PriceList | None:
    """Return what says the prices of an endpoint; None if nothing does."""
    if endpoint.ca_file:
        url = f"{endpoint.url}{PATH}"
        return PriceList("the emulator", url, endpoint.ca_file, EMULATOR_TIMEOUT_S)
    if endpoint.url == PUBLIC_CLOUD:
        return PriceList(PUBLIC_HOST, f"https://{PUBLIC_HOST}{PATH}")
    return None


def filter_of_machines(location: str, sizes: Iterable[str]) -> str:
    """The filter for sizes in Azure's spelling: this interface minds capitals."""
    named = " or ".join(f"armSkuName eq '{size}'" for size in sizes)
    return f"{filter_of_all_machines(location)} and ({named})"


def filter_of_all_machines(location: str) -> str:
    return _used(MACHINES, location)


def filter_of_disks(location: str) -> str:
    return f"{_used(STORAGE, location)} and productName eq '{DISK_PRODUCT}'"


def filter_of_addresses(location: str) -> str:
    return f"{_used(NETWORK, location)} and meterName eq '{ADDRESS_METER}'"


def _used(service: str, location: str) -> str:
    return (
        f"serviceName eq '{service}' and armRegionName eq '{location}' and "
        "priceType eq 'Consumption'"
    )


def _members(page: Any) -> list[Json]:
    items = page.get("Items") if isinstance(page, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ValueError("the answer is no list of prices")
    return items
