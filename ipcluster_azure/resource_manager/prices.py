"""The prices of one region: kept for a day, asked for in short time, or read from a table.

To know them is a help: whoever asks gets what is known within a few seconds, and no error.
"""

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import requests

from ..endpoint import Endpoint
from ..plan.price_items import address_price, disk_prices, machine_prices
from ..plan.prices import Prices
from ..private_files import write_private
from .price_table import prices_in_table
from .retail_prices import (
    PriceList,
    filter_of_addresses,
    filter_of_disks,
    filter_of_machines,
    price_list,
)
from .threads import TimedOut, within

KEPT_S = 24 * 3600.0
# in which a network that lets nobody ask delays no other start
SILENCE_KEPT_S = 600.0
DISKS, ADDRESS, SILENCE = "disks", "address", "silence"


def known_prices(endpoint: Endpoint, location: str, sizes: Sequence[str]) -> Prices:
    """Return what is known of the prices of machines of these `sizes`, of disks and an address.

    `sizes` are in Azure's spelling. Blocking, for the list's timeout_s at most; raises nothing.
    """
    where = price_list(endpoint)
    if where is None:
        return Prices(problem=f"{endpoint.url} has no public list of prices")
    kept = _Kept.of(where, location)
    problem = _fill(kept, where, location, sizes)
    found = kept.prices(sizes)
    if not problem:
        return replace(found, source=_source(where, kept))
    table = prices_in_table(location)
    sources = [_source(where, kept)] * bool(found.machines or found.disks) + [table.source]
    return Prices(
        {**table.machines, **found.machines},
        {**table.disks, **found.disks},
        table.address if found.address is None else found.address,
        source=" and ".join(filter(None, sources)),
        problem=problem,
    )


def _source(where: PriceList, kept: "_Kept") -> str:
    return "invented by the emulator" if where.ca_file else f"{where.name}, {kept.day()}"


def _fill(kept: "_Kept", where: PriceList, location: str, sizes: Sequence[str]) -> str:
    """Ask for what is not kept; returns why some of it is still not known, empty if all is."""
    missing = [size for size in sizes if _key(size) not in kept.parts]
    if not missing and DISKS in kept.parts and ADDRESS in kept.parts:
        return ""
    if SILENCE in kept.parts:
        return str(kept.parts[SILENCE].value)

    def ask() -> None:
        """The parts are noted one by one: what came in time is used."""
        if missing:
            items = where.items(filter_of_machines(location, missing))
            found = machine_prices(items)
            for size in missing:
                kept.note(_key(size), found.get(size.lower(), {}))
        if DISKS not in kept.parts:
            items = where.items(filter_of_disks(location))
            kept.note(DISKS, disk_prices(items))
        if ADDRESS not in kept.parts:
            items = where.items(filter_of_addresses(location))
            kept.note(ADDRESS, address_price(items))

    problem = ""
    try:
        within(where.timeout_s, ask)
    except (OSError, ValueError, TimedOut) as error:
        problem = f"{where.name} {_reason(error, where.timeout_s)}"
        kept.note(SILENCE, problem)
    kept.write()
    return problem


def _reason(error: Exception, timeout_s: float) -> str:
    """In a few words: what requests says of a connection names its objects."""
    if isinstance(error, TimedOut | requests.Timeout):
        return f"did not answer within {timeout_s:.0f} s"
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"answered with HTTP status {error.response.status_code}"
    if isinstance(error, requests.ConnectionError):
        return "can't be reached"
    return f"answered something else than prices ({error})"


def _key(size: str) -> str:
    return f"size {size.lower()}"


@dataclass(frozen=True)
class _Part:
    """An answer, and when it came, in seconds since 1970."""

    value: Any
    asked_s: float


@dataclass
class _Kept:
    """What was answered before, by part; without a `file` nothing is kept."""

    file: Path | None
    parts: dict[str, _Part] = field(default_factory=dict)

    @classmethod
    def of(cls, where: PriceList, location: str) -> "_Kept":
        if where.ca_file:  # it is quick, and another one may have other prices
            return cls(None)
        import platformdirs  # 5 ms, for those who start or look

        folder = platformdirs.user_cache_path("ipcluster-azure", appauthor=False)
        kept = cls(folder / f"prices-{location}.json")
        with suppress(OSError, ValueError, TypeError, AttributeError):
            kept._read(json.loads((folder / f"prices-{location}.json").read_text("utf-8")))
        return kept

    def _read(self, stored: Any) -> None:
        now = time.time()
        for key, (value, asked_s) in stored.items():
            longest_s = SILENCE_KEPT_S if key == SILENCE else KEPT_S
            if 0 <= now - asked_s < longest_s:
                self.parts[key] = _Part(value, asked_s)

    def note(self, key: str, value: Any) -> None:
        self.parts[key] = _Part(value, time.time())

    def write(self) -> None:
        if self.file is None:
            return
        parts = dict(self.parts)  # a thread that came too late may still note
        data = {key: [part.value, part.asked_s] for key, part in parts.items()}
        with suppress(OSError):  # the next start asks again
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self.file, json.dumps(data))

    def day(self) -> str:
        """The day of the oldest answer, as 2026-12-01."""
        asked = [part.asked_s for key, part in self.parts.items() if key != SILENCE]
        return date.fromtimestamp(min(asked, default=time.time())).isoformat()

    def prices(self, sizes: Sequence[str]) -> Prices:
        answered = {size.lower(): self.parts.get(_key(size)) for size in sizes}
        machines = {size: part.value for size, part in answered.items() if part and part.value}
        disks, address = self.parts.get(DISKS), self.parts.get(ADDRESS)
        return Prices(machines, disks.value if disks else {}, address.value if address else None)
