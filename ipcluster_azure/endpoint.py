"""Where a cluster is: what every process must know to reach Azure, whatever wrote its record."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class Endpoint:
    """Where the Resource Manager is and how to log in there.

    tenant_id: the tenant to log in to, if a setting says so; it makes no other place of it.
    """

    url: str
    audience: str
    ca_file: str = ""
    token_file: str = ""
    tenant_id: str = field(default="", compare=False)


@dataclass(frozen=True)
class RecordCore:
    """What records of all formats have, past and future: where the cluster is, and its name.

    In JSON: `endpoint` with its members, of which tenant_id may be missing; of `plan`
    subscription_id, resource_group, owns_resource_group, and base in `names`.
    """

    endpoint: Endpoint
    subscription_id: str
    resource_group: str
    owns_resource_group: bool
    cluster: str

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "RecordCore":
        """Raises KeyError or TypeError if `data` is no record at all."""
        endpoint, plan = data["endpoint"], data["plan"]
        known = {item.name: _text(endpoint[item.name]) for item in fields(Endpoint) if item.compare}
        known["tenant_id"] = _text(endpoint.get("tenant_id", ""))
        return cls(
            Endpoint(**known),
            _text(plan["subscription_id"]),
            _text(plan["resource_group"]),
            plan["owns_resource_group"] is True,
            _text(plan["names"]["base"]),
        )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
