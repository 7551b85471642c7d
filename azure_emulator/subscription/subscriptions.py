"""The one subscription, its regions, and the names of tags in it."""

from __future__ import annotations

from ..base import errors, geography, versions
from ..base.messages import ArmRequest, ArmResponse, Json, page
from ..state import Emulator

KIND = "Microsoft.Resources/subscriptions"


def _shown(em: Emulator, request: ArmRequest) -> Json:
    identifier = em.store.subscription_id
    body: Json = {
        "id": f"/subscriptions/{identifier}",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": identifier,
        "tenantId": em.permissions.tenant_id,
        "displayName": "ipcluster-azure emulator",
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    }
    if em.store.tags:
        body["tags"] = em.store.tags
    return versions.shown(KIND, request.api_version, body)


def get(em: Emulator, request: ArmRequest) -> ArmResponse:
    return ArmResponse(200, _shown(em, request))


def list_(em: Emulator, request: ArmRequest) -> ArmResponse:
    one = [_shown(em, request)]
    return ArmResponse(200, {"value": one, "count": {"type": "Total", "value": len(one)}})


def list_locations(em: Emulator, request: ArmRequest) -> ArmResponse:
    base = f"/subscriptions/{em.store.subscription_id}/locations"
    found = [geography.show(name, base) for name in geography.REGIONS]
    kind = "Microsoft.Resources/locations"
    return page([versions.shown(kind, request.api_version, body) for body in found])


def _counted(value: int) -> Json:
    return {"type": "Total", "value": value}


def _value(em: Emulator, name: str, value: str, count: int) -> Json:
    base = f"/subscriptions/{em.store.subscription_id}/tagNames/{name}"
    return {"id": f"{base}/tagValues/{value}", "tagValue": value, "count": _counted(count)}


def _tag(em: Emulator, name: str, values: dict[str, int]) -> Json:
    return {
        "id": f"/subscriptions/{em.store.subscription_id}/tagNames/{name}",
        "tagName": name,
        "count": _counted(sum(values.values())),
        "values": [_value(em, name, value, count) for value, count in values.items()],
    }


def _tags_in_use(em: Emulator) -> dict[str, dict[str, int]]:
    """Return name -> value -> how many groups and resources have it; 0 for declared ones."""
    found = {name: dict.fromkeys(values, 0) for name, values in em.store.declared_tags.items()}
    for group in em.store.groups():
        for tags in (group.tags, *(item.tags for item in group.resources.values())):
            for name, value in (tags or {}).items():
                counts = found.setdefault(name, {})
                counts[value] = counts.get(value, 0) + 1
    return found


def list_tags(em: Emulator, request: ArmRequest) -> ArmResponse:
    return page([_tag(em, name, values) for name, values in _tags_in_use(em).items()])


def put_tag(em: Emulator, request: ArmRequest) -> ArmResponse:
    name = request.params["tag"]
    created = name not in em.store.declared_tags
    em.store.declared_tags.setdefault(name, set())
    body = _tag(em, name, _tags_in_use(em)[name])
    return ArmResponse(201 if created else 200, body)


def put_tag_value(em: Emulator, request: ArmRequest) -> ArmResponse:
    name, value = request.params["tag"], request.params["value"]
    values = em.store.declared_tags.get(name)
    if values is None:
        raise errors.ArmError(404, "TagNotFound", f"The tag '{name}' could not be found.")
    created = value not in values
    values.add(value)
    body = _value(em, name, value, _tags_in_use(em)[name][value])
    return ArmResponse(201 if created else 200, body)


def delete_tag(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Delete a declared tag, unless something has it."""
    name = request.params["tag"]
    if name not in em.store.declared_tags:
        return ArmResponse(204)
    if any(_tags_in_use(em)[name].values()):
        raise errors.ArmError(409, "TagInUse", f"The tag '{name}' is in use.")
    del em.store.declared_tags[name]
    return ArmResponse(200)


def delete_tag_value(em: Emulator, request: ArmRequest) -> ArmResponse:
    name, value = request.params["tag"], request.params["value"]
    if value not in em.store.declared_tags.get(name, set()):
        return ArmResponse(204)
    if _tags_in_use(em)[name][value]:
        raise errors.ArmError(409, "TagInUse", f"The value '{value}' of '{name}' is in use.")
    em.store.declared_tags[name].discard(value)
    return ArmResponse(200)
