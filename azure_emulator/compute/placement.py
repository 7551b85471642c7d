"""Availability sets, proximity placement groups and stored SSH keys: what machines refer to."""

from __future__ import annotations

from ..base import errors, names
from ..base.messages import ArmRequest, ArmResponse, Json, page
from ..base.resource_types import AVAILABILITY_SET, PROXIMITY_GROUP, SCALE_SET, SSH_KEY, VM
from ..base.schema import check_compute, write_to
from ..base.store import Resource
from ..guest import ssh_keys
from ..resources.crud import Handler, of_all_regions
from ..resources.views import show
from ..state import Emulator, merged_tags

FAULT_DOMAINS, UPDATE_DOMAINS = 3, 20


# Availability sets


def put_availability_set(em: Emulator, request: ArmRequest) -> ArmResponse:
    body, existing = _checked(em, request, AVAILABILITY_SET, "AvailabilitySet")
    given = body.get("properties") or {}
    faults = given.get("platformFaultDomainCount", FAULT_DOMAINS)
    updates = given.get("platformUpdateDomainCount", 5)
    _check_domains(faults, updates)
    item = existing or em.new_resource(
        em.store.group(request.params["group"]), AVAILABILITY_SET, request.params["name"], body
    )
    item.tags = body.get("tags")
    item.properties = {
        **{key: value for key, value in given.items() if key != "virtualMachines"},
        "platformUpdateDomainCount": updates,
        "platformFaultDomainCount": faults,
    }
    item.top = {"sku": {"name": (body.get("sku") or {}).get("name", "Classic")}}
    em.store.add(item)
    return ArmResponse(200, show(em, item, request.api_version))


def _check_domains(faults: int, updates: int) -> None:
    if not 1 <= faults <= FAULT_DOMAINS:
        raise errors.invalid_parameter(
            "platformFaultDomainCount",
            f"The specified fault domain count {faults} must fall in the range 1 to "
            f"{FAULT_DOMAINS}.",
        )
    if not 1 <= updates <= UPDATE_DOMAINS:
        raise errors.invalid_parameter(
            "platformUpdateDomainCount",
            f"The specified update domain count {updates} must fall in the range 1 to "
            f"{UPDATE_DOMAINS}.",
        )


# Proximity placement groups and SSH keys


def put_proximity_group(em: Emulator, request: ArmRequest) -> ArmResponse:
    body, existing = _checked(em, request, PROXIMITY_GROUP, "ProximityPlacementGroup")
    given = {"proximityPlacementGroupType": "Standard", **(body.get("properties") or {})}
    return _store(em, request, PROXIMITY_GROUP, body, existing, given)


def put_ssh_key(em: Emulator, request: ArmRequest) -> ArmResponse:
    body, existing = _checked(em, request, SSH_KEY, "SshPublicKeyResource")
    given = body.get("properties") or {}
    key = given.get("publicKey")
    if key is not None and not ssh_keys.is_accepted(key):
        raise errors.invalid_parameter(
            "publicKey", "The value of parameter publicKey is invalid: it is no SSH public key."
        )
    return _store(em, request, SSH_KEY, body, existing, given)


def generate_key_pair(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Make a key pair; its private key is in this answer alone."""
    em.store.writable_group(request.params["group"])
    item = em.store.get(request.params["group"], SSH_KEY, request.params["name"])
    wanted = (request.body or {}).get("encryptionType") if isinstance(request.body, dict) else None
    algorithm = "ssh-ed25519" if str(wanted).lower() == "ed25519" else "ssh-rsa"
    public, private = ssh_keys.generate(algorithm)
    item.properties["publicKey"] = public
    return ArmResponse(200, {"id": item.id, "publicKey": public, "privateKey": private})


# What the three have in common


def _checked(
    em: Emulator, request: ArmRequest, kind: str, body_type: str
) -> tuple[Json, Resource | None]:
    group = em.store.writable_group(request.params["group"])
    names.check_machine(request.params["name"], longest=80)
    existing = em.store.lookup(group.name, kind, request.params["name"])
    body = check_compute(body_type, request.json_object(), write_to(existing))
    if existing:
        em.check_same_location(existing, body)
    return body, existing


def _store(
    em: Emulator,
    request: ArmRequest,
    kind: str,
    body: Json,
    existing: Resource | None,
    properties: Json,
) -> ArmResponse:
    group = em.store.group(request.params["group"])
    item = existing or em.new_resource(group, kind, request.params["name"], body)
    item.tags = body.get("tags")
    item.properties = properties
    item.top = {key: body[key] for key in ("zones",) if key in body}
    em.store.add(item)
    return ArmResponse(200 if existing else 201, show(em, item, request.api_version))


def patch(kind: str, body_type: str) -> Handler:
    def act(em: Emulator, request: ArmRequest) -> ArmResponse:
        em.store.writable_group(request.params["group"])
        item = em.store.get(request.params["group"], kind, request.params["name"])
        body = check_compute(body_type, request.json_object(), "patch")
        given = body.get("properties") or {}
        changed = {**item.properties, **given}
        if kind == AVAILABILITY_SET:
            _check_domains(
                changed["platformFaultDomainCount"], changed["platformUpdateDomainCount"]
            )
        item.tags, item.properties = merged_tags(body, item.tags), changed
        return ArmResponse(200, show(em, item, request.api_version))

    return act


def users(em: Emulator, item: Resource, member: str, kind: str) -> list[Json]:
    """Return references to the resources of a type whose property `member` names this one."""
    return [
        {"id": user.id}
        for user in em.store.listed(kind)
        if str((user.properties.get(member) or {}).get("id")).lower() == item.key
    ]


def get(kind: str) -> Handler:
    """Return the handler of GET, whose answer, unlike a PUT's, lists the members (as recorded)."""

    def act(em: Emulator, request: ArmRequest) -> ArmResponse:
        item = em.store.get(request.params["group"], kind, request.params["name"])
        return ArmResponse(200, _with_members(em, item, request))

    return act


def list_(kind: str) -> Handler:
    def act(em: Emulator, request: ArmRequest) -> ArmResponse:
        found = em.store.listed(kind, request.params.get("group"))
        shown = page([_with_members(em, item, request) for item in found])
        return of_all_regions(em, request, shown)

    return act


def _with_members(em: Emulator, item: Resource, request: ArmRequest) -> Json:
    body = show(em, item, request.api_version)
    members: Json = {}
    if item.type == AVAILABILITY_SET:
        members["virtualMachines"] = users(em, item, "availabilitySet", VM)
    elif item.type == PROXIMITY_GROUP:
        for name, kind in (
            ("virtualMachines", VM),
            ("virtualMachineScaleSets", SCALE_SET),
            ("availabilitySets", AVAILABILITY_SET),
        ):
            members[name] = users(em, item, "proximityPlacementGroup", kind)
    return {**body, "properties": {**body["properties"], **members}}


def head(kind: str) -> Handler:
    def act(em: Emulator, request: ArmRequest) -> ArmResponse:
        em.store.get(request.params["group"], kind, request.params["name"])
        return ArmResponse(204)

    return act


def delete(kind: str) -> Handler:
    """Return the handler of DELETE: done at once, and refused while machines are in it."""

    def act(em: Emulator, request: ArmRequest) -> ArmResponse:
        group = em.store.group(request.params["group"])
        item = em.store.lookup(group.name, kind, request.params["name"])
        if item is None:
            return ArmResponse(204)
        members = _with_members(em, item, request)["properties"]
        if any(members.get(name) for name in ("virtualMachines", "virtualMachineScaleSets")):
            spoken = {AVAILABILITY_SET: "Availability Set"}.get(kind, "Proximity Placement Group")
            raise errors.operation_not_allowed(
                f"{spoken} '{item.name}' cannot be deleted. Before deleting it please ensure that "
                "it does not contain any VM."
            )
        em.store.remove(item)
        return ArmResponse(200)

    return act
