"""Images of one's own: managed images, and galleries with their images and versions.

What they hold is believed: nothing is copied, and every machine here runs the emulator's own
system. What they say of themselves counts, as on Azure: which machines can be made of them.
"""

from __future__ import annotations

import uuid

from ..base import errors, regions
from ..base.messages import ArmRequest, ArmResponse, Json, page
from ..base.resource_types import GALLERY, GALLERY_IMAGE, GALLERY_IMAGE_VERSION, IMAGE
from ..base.schema import check_compute, write_to
from ..base.store import Resource
from ..resources.crud import Handler
from ..resources.views import show
from ..state import Emulator

PARTS = {GALLERY: ("name",), GALLERY_IMAGE: ("name", "image"), IMAGE: ("name",)}
PARTS[GALLERY_IMAGE_VERSION] = ("name", "image", "version")
REQUIRED = {
    GALLERY_IMAGE: ("osType", "osState", "identifier"),
    GALLERY_IMAGE_VERSION: ("storageProfile",),
}
SHARED_KINDS = {"communitygalleries": "Community", "sharedgalleries": "Groups"}


def _key(request: ArmRequest, kind: str) -> str:
    """Return the id of the resource that a path names."""
    types, names = kind.split("/")[1:], [request.params[part] for part in PARTS[kind]]
    pairs = "".join(f"/{a}/{b}" for a, b in zip(types, names, strict=True))
    subscription, group = request.params["subscription"], request.params["group"]
    return (
        f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute{pairs}"
    )


def _found(em: Emulator, request: ArmRequest, kind: str) -> Resource:
    em.store.group(request.params["group"])
    resource = em.store.find(_key(request, kind))
    if resource is None:
        name = "/".join(request.params[part] for part in PARTS[kind])
        raise errors.resource_not_found(kind, name, request.params["group"])
    return resource


def put(kind: str) -> Handler:
    def answer(em: Emulator, request: ArmRequest) -> ArmResponse:
        group = em.store.writable_group(request.params["group"])
        identifier = _key(request, kind)
        existing = em.store.find(identifier)
        body = request.json_object()
        if kind == IMAGE:
            body = check_compute("Image", body, write_to(existing))
        _check(em, kind, identifier, body)
        name = request.params[PARTS[kind][-1]]
        nested = identifier if kind in REQUIRED else None
        resource = existing or em.new_resource(group, kind, name, body, nested)
        resource.tags = body.get("tags")
        resource.properties = {
            **(body.get("properties") or {}),
            "provisioningState": "Succeeded",
        }
        if kind == GALLERY:
            _complete_gallery(em, resource)
        em.store.add(resource)
        status = 200 if existing else 201
        return ArmResponse(status, show(em, resource, request.api_version))

    return answer


def _check(em: Emulator, kind: str, identifier: str, body: Json) -> None:
    """Refuse a part of a gallery without what it is a part of, or without what it needs."""
    above = identifier.rsplit("/", 2)[0]
    if kind in REQUIRED and em.store.find(above) is None:
        raise errors.ArmError(
            404,
            "ParentResourceNotFound",
            f"Failed to perform 'write' on resource(s) of type '{kind.partition('/')[2]}', because "
            f"the parent resource '{above}' could not be found.",
            headers=errors.GATEWAY,
        )
    for name in REQUIRED.get(kind, ()):
        if not (body.get("properties") or {}).get(name):
            raise errors.missing_parameter(name)


def _complete_gallery(em: Emulator, gallery: Resource) -> None:
    unique = f"{em.store.subscription_id}-{gallery.name.upper()}"
    gallery.properties["identifier"] = {"uniqueName": unique}
    sharing = gallery.properties.get("sharingProfile") or {}
    if sharing.get("permissions") == "Community":
        info = dict(sharing.get("communityGalleryInfo") or {})
        prefix = info.get("publicNamePrefix", gallery.name)
        public = f"{prefix}-{uuid.uuid5(uuid.NAMESPACE_URL, gallery.key)}"
        info |= {"communityGalleryEnabled": True, "publicNames": [public]}
        gallery.properties["sharingProfile"] = {**sharing, "communityGalleryInfo": info}


def get(kind: str) -> Handler:
    def answer(em: Emulator, request: ArmRequest) -> ArmResponse:
        return ArmResponse(200, show(em, _found(em, request, kind), request.api_version))

    return answer


def delete(kind: str) -> Handler:
    def answer(em: Emulator, request: ArmRequest) -> ArmResponse:
        em.store.group(request.params["group"])
        resource = em.store.find(_key(request, kind))
        if resource is None:
            return ArmResponse(204)
        em.store.remove(resource)
        return ArmResponse(200)

    return answer


def list_definitions(em: Emulator, request: ArmRequest) -> ArmResponse:
    gallery = _found(em, request, GALLERY)
    prefix = f"{gallery.key}/images/"
    found = [item for item in em.store.all(GALLERY_IMAGE) if item.key.startswith(prefix)]
    return page([show(em, item, request.api_version) for item in found])


def list_versions(em: Emulator, request: ArmRequest) -> ArmResponse:
    definition = _found(em, request, GALLERY_IMAGE)
    found = versions_of(em, definition)
    return page([show(em, item, request.api_version) for item in found])


def versions_of(em: Emulator, definition: Resource) -> list[Resource]:
    """Return an image's versions, the newest last."""
    below = f"{definition.key}/versions/"
    held = em.store.group(definition.group).resources.values()
    found = [item for item in held if item.key.startswith(below)]
    return sorted(found, key=lambda item: [int(part) for part in item.name.split(".")])


def shared_definition(em: Emulator, kind: str, gallery: str, image: str) -> Resource | None:
    """Return an image that a gallery here shares by its public or its unique name."""
    for group in em.store.groups():
        for item in group.resources.values():
            if item.type == GALLERY and gallery.lower() in _names(item, kind.lower()):
                return em.store.find(f"{item.id}/images/{image}")
    return None


def _names(gallery: Resource, kind: str) -> list[str]:
    sharing = gallery.properties.get("sharingProfile") or {}
    if sharing.get("permissions") != SHARED_KINDS[kind]:
        return []
    if kind == "sharedgalleries":
        return [gallery.properties["identifier"]["uniqueName"].lower()]
    return [name.lower() for name in sharing["communityGalleryInfo"]["publicNames"]]


def get_shared(kind: str) -> Handler:
    """Return the handler of an image of a community or shared gallery, or of one's version."""

    def answer(em: Emulator, request: ArmRequest) -> ArmResponse:
        location = regions.normal(request.params["location"], f"Microsoft.Compute/{kind}")
        gallery, image = request.params["gallery"], request.params["image"]
        found = shared_definition(em, kind, gallery, image)
        version = request.params.get("version")
        if found and version:
            found = em.store.find(f"{found.id}/versions/{version}")
        if found is None:
            raise errors.ArmError(404, "ResourceNotFound", f"The image '{image}' was not found.")
        return ArmResponse(200, _shared_view(found, kind, gallery, location))

    return answer


def list_shared_versions(kind: str) -> Handler:
    def answer(em: Emulator, request: ArmRequest) -> ArmResponse:
        gallery, image = request.params["gallery"], request.params["image"]
        found = shared_definition(em, kind, gallery, image)
        if found is None:
            raise errors.ArmError(404, "ResourceNotFound", f"The image '{image}' was not found.")
        location = request.params["location"]
        return page(
            [_shared_view(item, kind, gallery, location) for item in versions_of(em, found)]
        )

    return answer


def _shared_view(resource: Resource, kind: str, gallery: str, location: str) -> Json:
    """Return what others see: no tags, and nothing of where else it is."""
    properties = {
        name: value
        for name, value in resource.properties.items()
        if name not in ("publishingProfile", "provisioningState")
    }
    return {"name": resource.name, "location": location, "properties": properties}
