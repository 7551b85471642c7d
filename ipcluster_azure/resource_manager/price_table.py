"""A dated table of prices, for networks that don't let this computer ask for them.

tools/price_table.py makes it from the interface. It lies in the user's data folder, or comes with
the package: {"format": 1, "asked": "2026-12-01", "currency": "USD", "regions": {"eastus":
{"machines": {SIZE: {"Regular": USD an hour, "Spot": ...}}, "disks": {STEP: USD a month},
"address": USD an hour}}}, where sizes are in lower case.
"""

import json
from pathlib import Path
from typing import Any

from ..plan.prices import NO_PRICES, Prices

FORMAT = 1
TABLE_FILE = "retail_prices.json"


def tables() -> list[Path]:
    """Where a table may lie, the one that counts first."""
    import platformdirs  # 5 ms, for those who have to look

    own = platformdirs.user_data_path("ipcluster-azure", appauthor=False) / TABLE_FILE
    return [own, Path(__file__).with_name(TABLE_FILE)]


def prices_in_table(location: str) -> Prices:
    """Return what the first table that can be read says of a region; nothing if there is none."""
    for path in tables():
        try:
            return _read(json.loads(path.read_text(encoding="utf-8")), location)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return NO_PRICES


def _read(table: Any, location: str) -> Prices:
    if table["format"] != FORMAT or table["currency"] != "USD":
        raise ValueError("a table of another format")
    region = table["regions"].get(location)
    if region is None:
        return NO_PRICES
    machines = {
        str(size): {str(kind): float(usd) for kind, usd in kinds.items()}
        for size, kinds in region["machines"].items()
    }
    disks = {str(step): float(usd) for step, usd in region["disks"].items()}
    address = region["address"]
    return Prices(
        machines,
        disks,
        None if address is None else float(address),
        source=f"a table of {table['asked']}",
    )
