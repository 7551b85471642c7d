"""What Azure tells of an image: read as it is named, in one request or two at once.

Reading is a help, not a need: somebody who may use an image may not be allowed to read what it is,
as one in another subscription's gallery. Then nothing is known of it, and Azure judges.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import AccessDenied, ConfigurationError, RequestRefused
from ..plan.image import Image
from ..plan.resource_types import COMPUTE_API, Json
from ..settings.image_reference import (
    COMMUNITY,
    GALLERY,
    LATEST,
    MARKETPLACE,
    OWN,
    SHARED,
    ImageReference,
)
from .api import AzureApi, bridge

GALLERIES_API = "2024-03-03"
# the newer 2021-01-01 says of every image that its terms are not accepted (azure-rest-api-specs
# issue 14108)
TERMS_API = "2015-06-01"
GIB = 1024**3
FOOTER_BYTES = 512  # of a VHD; what is left over when its size is counted in GiB
PLAN_MEMBERS = ("name", "publisher", "product")


async def find_image(api: AzureApi, reference: ImageReference, location: str) -> Image:
    """Return what Azure says of an image; only its name if the user may not read that.

    Raises ConfigurationError if there is no such image in the location, if machines like ours
    can't be made of it at all, or if the terms that it is sold under have not been accepted.
    """
    reading = _Reading(api, reference, location)
    try:
        image = await reading.image()
    except (AccessDenied, RequestRefused):
        return Image(reference.text)
    if image.purchase_plan:
        await bridge(_require_terms, api, reference, image.purchase_plan)
    return image


@dataclass(frozen=True)
class _Reading:
    """An image that is being read, in the form that it is named in."""

    api: AzureApi
    reference: ImageReference
    location: str

    async def image(self) -> Image:
        kind = self.reference.kind
        if kind == MARKETPLACE:
            found = await bridge(self._marketplace_version)
            return self._image(found.get("properties") or {}, {})
        if kind == OWN:
            found = await bridge(self._get, self.reference.text, COMPUTE_API)
            return self._own(found)
        definition, version = await asyncio.gather(bridge(self._definition), bridge(self._version))
        return self._image(definition.get("properties") or {}, version.get("properties") or {})

    def _get(self, path: str, api_version: str, query: Mapping[str, str] | None = None) -> Any:
        found = self.api.compute_at(path, api_version, query, doing=f"looking at image {path}")
        if found is None:
            raise self._missing()
        return found

    def _missing(self) -> ConfigurationError:
        return ConfigurationError(
            f"image {self.reference.text} does not exist in {self.location}. "
            f"{_listing(self.reference, self.location)}"
        )

    def _marketplace_version(self) -> Json:
        """The version that is asked for; of the latest Azure is asked as its own tools do."""
        parts = self.reference.parts
        versions = self.api.compute_path(
            f"locations/{self.location}/publishers/{parts['publisher']}/artifacttypes/vmimage"
            f"/offers/{parts['offer']}/skus/{parts['sku']}/versions"
        )
        if (wanted := self.reference.version) == LATEST:
            newest = {"$expand": "properties", "$top": "1", "$orderby": "name desc"}
            found: list[Json] = self._get(versions, COMPUTE_API, newest)
            if not found:
                raise self._missing()
            if found[0].get("properties"):
                return found[0]
            wanted = found[0]["name"]
        version: Json = self._get(f"{versions}/{wanted}", COMPUTE_API)
        return version

    def _gallery_path(self) -> str:
        """Where the definition of an image in a gallery is read."""
        parts = self.reference.parts
        if self.reference.kind == GALLERY:
            return parts["definition"]
        galleries = "communityGalleries" if self.reference.kind == COMMUNITY else "sharedGalleries"
        return self.api.compute_path(
            f"locations/{self.location}/{galleries}/{parts['gallery']}/images/{parts['image']}"
        )

    def _definition(self) -> Json:
        definition: Json = self._get(self._gallery_path(), GALLERIES_API)
        return definition

    def _version(self) -> Json:
        """The version of an image in a gallery, be it the newest that is in the location."""
        versions = f"{self._gallery_path()}/versions"
        if self.reference.version != LATEST:
            version: Json = self._get(f"{versions}/{self.reference.version}", GALLERIES_API)
            return self._here(version)
        listed = self._get(versions, GALLERIES_API)["value"]
        usable = [item for item in listed if self._is_usable(item)]
        if listed and not usable:
            raise self._missing()
        return max(usable, key=lambda item: _number(item["name"]), default={})

    def _here(self, version: Json) -> Json:
        if not self._is_replicated(version):
            raise ConfigurationError(
                f"image {self.reference.text} is not replicated to {self.location}. `az sig "
                "image-version update --add publishingProfile.targetRegions "
                f"name={self.location}`, with the image's names, replicates it."
            )
        return version

    def _is_usable(self, version: Json) -> bool:
        publishing = (version.get("properties") or {}).get("publishingProfile") or {}
        return self._is_replicated(version) and not publishing.get("excludeFromLatest")

    def _is_replicated(self, version: Json) -> bool:
        """Whether it is in the location, as far as Azure says where it is."""
        publishing = (version.get("properties") or {}).get("publishingProfile") or {}
        regions = [str(item.get("name")) for item in publishing.get("targetRegions") or ()]
        return not regions or self.location in [item.replace(" ", "").lower() for item in regions]

    def _own(self, found: Json) -> Image:
        """A managed image, which lies in one region, and is for x64 processors always."""
        region = str(found.get("location") or self.location).replace(" ", "").lower()
        if region != self.location:
            raise ConfigurationError(
                f"image {self.reference.text} is in {region}, and the cluster's location is "
                f"{self.location}. Set c.AzureVMLauncher.location = '{region}', or put the image "
                "into a gallery that is replicated."
            )
        properties = found.get("properties") or {}
        storage = properties.get("storageProfile") or {}
        disk = storage.get("osDisk") or {}
        image = self._image({**properties, **disk}, {"storageProfile": storage})
        return replace(image, architecture="x64", size_gb=int(disk.get("diskSizeGB") or 0))

    def _image(self, definition: Json, version: Json) -> Image:
        """An image of its definition and its version, which in the Marketplace are one."""
        self._check_system(definition)
        storage = version.get("storageProfile") or {}
        disk = storage.get("osDiskImage") or definition.get("osDiskImage") or {}
        data_disks = storage.get("dataDiskImages") or storage.get("dataDisks")
        plan = definition.get("plan") or definition.get("purchasePlan") or {}
        return Image(
            self.reference.text,
            generation=str(definition.get("hyperVGeneration") or "").upper(),
            architecture=str(definition.get("architecture") or "x64"),
            size_gb=_size_gb(disk),
            data_disks=len(data_disks or definition.get("dataDiskImages") or ()),
            disk_controllers=_disk_controllers(definition),
            security=_feature(definition, "SecurityType"),
            purchase_plan={name: str(plan[name]) for name in PLAN_MEMBERS if plan.get(name)},
        )

    def _check_system(self, definition: Json) -> None:
        disk = definition.get("osDiskImage") or {}
        system = definition.get("osType") or disk.get("operatingSystem") or "Linux"
        if str(system).lower() != "linux":
            raise ConfigurationError(
                f"image {self.reference.text} is one of {system}; the machines need Linux."
            )
        if str(definition.get("osState") or "").lower() == "specialized":
            raise ConfigurationError(
                f"image {self.reference.text} is specialized: a machine made of it gets no user "
                "and no key. It must be generalized: see the how-to page 'Use an image of your "
                "own'."
            )


def _require_terms(api: AzureApi, reference: ImageReference, plan: Mapping[str, str]) -> None:
    """Raise ConfigurationError if the terms of a purchase plan are not accepted, for all we see."""
    publisher, offer, name = plan.get("publisher"), plan.get("product"), plan.get("name")
    path = (
        f"providers/Microsoft.MarketplaceOrdering/offerTypes/virtualmachine/publishers/{publisher}"
        f"/offers/{offer}/plans/{name}/agreements/current"
    )
    try:
        terms = api.read(path, TERMS_API, doing="reading the terms of the image")
    except (AccessDenied, RequestRefused):
        return
    if (terms.get("properties") or {}).get("accepted") is False:
        which = f"--publisher {publisher} --offer {offer} --plan {name}"
        if reference.kind == MARKETPLACE:
            which = f"--urn {reference.text}"
        raise ConfigurationError(
            f"The terms of image {reference.text} have not been accepted in this subscription. "
            f"Read them by `az vm image terms show {which}`; `az vm image terms accept {which}` "
            "accepts them, once and for all."
        )


def _listing(reference: ImageReference, location: str) -> str:
    parts = reference.parts
    if reference.kind == MARKETPLACE:
        return (
            f"`az vm image list --all --location {location} --publisher {parts['publisher']} "
            f"--offer {parts['offer']} --output table` lists what does."
        )
    lists = {
        OWN: "az image list",
        GALLERY: "az sig list",
        COMMUNITY: f"az sig list-community --location {location}",
        SHARED: f"az sig list-shared --location {location}",
    }
    return f"`{lists[reference.kind]} --output table` shows what does."


def _size_gb(disk: Json) -> int:
    """The least size of a disk that the image fits on.

    Of an image in the Marketplace Azure counts the VHD's footer as a whole GiB more.
    """
    if size_bytes := disk.get("sizeInBytes"):
        return -(-(int(size_bytes) - FOOTER_BYTES) // GIB)
    return int(disk.get("sizeInGB") or disk.get("diskSizeGB") or 0)


def _disk_controllers(definition: Json) -> tuple[str, ...]:
    """What an image can boot from, "scsi" or "nvme"; without a word on it only SCSI."""
    words = _feature(definition, "DiskControllerTypes") or "SCSI"
    return tuple(word.strip().lower() for word in words.split(","))


def _feature(definition: Json, name: str) -> str:
    features: Sequence[Json] = definition.get("features") or ()
    found = (str(item.get("value") or "") for item in features if item.get("name") == name)
    return next(found, "")


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))
