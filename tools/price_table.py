"""Writes a dated table of prices from Azure's public list, for networks that don't allow asking.

    python tools/price_table.py --location=eastus --location=westeurope
    python tools/price_table.py --location=eastus --output=retail_prices.json

Without --output it is written beside the module that reads it, and is part of the next package.
A table of one's own lies in the user's data folder; docs/how-to/limit-cost.md says where. It has
all sizes of virtual machines that the list has in these regions, regular and Spot; of disks and
addresses those that clusters have. No figure is in it that the list doesn't say.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.plan.price_items import (
    CURRENCY,
    address_price,
    disk_prices,
    machine_prices,
)
from ipcluster_azure.resource_manager import price_table
from ipcluster_azure.resource_manager.retail_prices import (
    PriceList,
    filter_of_addresses,
    filter_of_all_machines,
    filter_of_disks,
    price_list,
)
from ipcluster_azure.settings.value_checks import region_name
from ipcluster_azure.settings.values import PUBLIC_CLOUD

PAGE_TIMEOUT_S = 60.0
MOST_PAGES = 1000  # a region has some thousand prices


def region(where: PriceList, location: str) -> dict[str, Any]:
    """What the list says of a region; raises ValueError if that is nothing."""

    def asked(filter_: str) -> list[dict[str, Any]]:
        return where.items(filter_, most_pages=MOST_PAGES)

    machines = machine_prices(asked(filter_of_all_machines(location)))
    if not machines:
        raise ValueError(f"{where.name} has no prices of virtual machines in {location!r}")
    return {
        "machines": dict(sorted(machines.items())),
        "disks": disk_prices(asked(filter_of_disks(location))),
        "address": address_price(asked(filter_of_addresses(location))),
    }


def source(endpoint: str, ca_file: str) -> PriceList:
    """The list of an endpoint, with all the time that its many pages need."""
    found = price_list(Endpoint(endpoint, endpoint, ca_file))
    if found is None:
        raise ValueError(f"{endpoint} has no public list of prices")
    return PriceList(found.name, found.url, found.ca_file, PAGE_TIMEOUT_S)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--location", action="append", required=True, help="a region's name")
    default = price_table.tables()[-1]
    parser.add_argument("--output", type=Path, default=default, help="the file to write")
    parser.add_argument("--endpoint", default=PUBLIC_CLOUD, help="another one is for tests alone")
    parser.add_argument("--ca-file", default="", help="the emulator's, with its --endpoint")
    args = parser.parse_args()
    try:
        where = source(args.endpoint, args.ca_file)
        regions = {name: region(where, name) for name in map(region_name, args.location)}
        table = {
            "format": price_table.FORMAT,
            "asked": date.today().isoformat(),
            "source": where.name,
            "currency": CURRENCY,
            "regions": regions,
        }
        args.output.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    except (OSError, ValueError) as error:
        sys.exit(f"price_table.py: nothing was written: {error}")
    sizes = sum(len(item["machines"]) for item in regions.values())
    print(f"{args.output}: {sizes} prices of sizes in {len(regions)} regions")


if __name__ == "__main__":
    main()
