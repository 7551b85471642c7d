"""Which api-versions of ARM's own resources show which members (recorded)."""

from __future__ import annotations

from collections.abc import Mapping

from .version_windows import Table, since

RESOURCES = "Microsoft.Resources"

TABLES: Mapping[str, Table] = {
    f"{RESOURCES}/deployments": {
        # R: not in 2016-09-01, but in 2019-05-10; U since when.
        "type": since("2018-05-01"),
        "properties.templateHash": since("2018-05-01"),
    },
    f"{RESOURCES}/resourceGroups": {"type": since("2018-05-01")},
    f"{RESOURCES}/subscriptions": {"managedByTenants": since("2019-06-01")},
    f"{RESOURCES}/providers": {
        "registrationPolicy": since("2018-05-01"),
        "resourceTypes.apiProfiles": since("2018-05-01"),
        "resourceTypes.zoneMappings": since("2017-05-10"),
        "resourceTypes.defaultApiVersion": since("2018-05-01"),
    },
    f"{RESOURCES}/locations": {
        "type": since("2021-01-01"),
        "longitude": (("", "2019-06-01"),),
        "latitude": (("", "2019-06-01"),),
        "regionalDisplayName": since("2019-11-01"),
        "metadata": since("2019-11-01"),
    },
}
