"""Azure's public regions, and the normal spelling of a region's name."""

from __future__ import annotations

from . import errors, geography

REGIONS = list(geography.REGIONS)


def normal(location: object, resource_type: str) -> str:
    """Return the normal spelling of a region: 'East US' -> 'eastus'; raises ARM's refusal."""
    if not isinstance(location, str) or not location.strip():
        raise errors.location_required()
    name = location.replace(" ", "").lower()
    if name not in REGIONS:
        raise errors.location_not_available(location, resource_type, REGIONS)
    return name
