"""Every request on Microsoft.Compute, and the function that answers it."""

from __future__ import annotations

from collections.abc import Iterator

from ..base.resource_types import (
    AVAILABILITY_SET,
    COMPUTE,
    DISK,
    GALLERY,
    GALLERY_IMAGE,
    GALLERY_IMAGE_VERSION,
    IMAGE,
    PROXIMITY_GROUP,
    SCALE_SET,
    SNAPSHOT,
    SSH_KEY,
    VM,
)
from ..compute import (
    boot_diagnostics,
    disk_requests,
    extension_images,
    image_requests,
    managed_run_commands,
    marketplace,
    own_images,
    placement,
    rolling_upgrades,
    run_command,
    scale_set_actions,
    scale_set_extensions,
    scale_sets,
    snapshots,
    uniform,
    uniform_network,
    virtual_machines,
    vm_actions,
    vm_extensions,
    vm_images,
)
from ..resources.crud import Handler, getter, lister
from ..subscription import catalog

Route = tuple[str, str, Handler]

SUBSCRIPTION = "/subscriptions/{subscription}"
GROUP = f"{SUBSCRIPTION}/resourceGroups/{{group}}"
LOCATION = f"{SUBSCRIPTION}/providers/{COMPUTE}/locations/{{location}}"
IMAGES = f"{LOCATION}/publishers"


def one(kind: str, child: str = "") -> str:
    return f"{GROUP}/providers/{kind}/{{name}}{child}"


def _lists(kind: str, handler: Handler) -> Iterator[Route]:
    yield "GET", f"{GROUP}/providers/{kind}", handler
    yield "GET", f"{SUBSCRIPTION}/providers/{kind}", handler


def routes() -> Iterator[Route]:
    yield from _virtual_machines()
    yield from _scale_sets()
    yield from _instances()
    yield from _disks()
    yield from _placement()
    yield from _own_images()
    yield from _catalog()


def _virtual_machines() -> Iterator[Route]:
    yield "PUT", one(VM), virtual_machines.put
    yield "PATCH", one(VM), virtual_machines.patch
    yield "GET", one(VM), virtual_machines.get
    yield "DELETE", one(VM), virtual_machines.delete
    yield from _lists(VM, virtual_machines.list_)
    yield "GET", f"{LOCATION}/virtualMachines", virtual_machines.list_
    yield "GET", one(VM, "/instanceView"), virtual_machines.get_instance_view
    yield "GET", one(VM, "/vmSizes"), virtual_machines.list_sizes
    yield from _extensions()
    yield from _run_commands()
    for name in vm_actions.POWER:
        yield "POST", one(VM, f"/{name}"), vm_actions.power(name)
    yield "POST", one(VM, "/generalize"), vm_images.generalize
    yield "POST", one(VM, "/capture"), vm_images.capture
    yield "POST", one(VM, "/simulateEviction"), vm_actions.simulate_eviction
    yield "POST", one(VM, "/runCommand"), vm_actions.run
    yield "POST", one(VM, "/retrieveBootDiagnosticsData"), boot_diagnostics.retrieve
    yield "POST", one(VM, "/performMaintenance"), vm_actions.perform_maintenance
    yield "POST", one(VM, "/reimage"), vm_actions.reimage
    diagnostics = one(VM, "/retrieveBootDiagnosticsData")
    yield "POST", diagnostics, vm_actions.retrieve_boot_diagnostics
    yield "POST", one(VM, "/convertToManagedDisks"), vm_actions.convert_to_managed_disks


def _extensions() -> Iterator[Route]:
    extension = one(VM, "/extensions/{extension}")
    yield "PUT", extension, vm_extensions.put
    yield "PATCH", extension, vm_extensions.patch
    yield "GET", extension, vm_extensions.get
    yield "DELETE", extension, vm_extensions.delete
    yield "GET", one(VM, "/extensions"), vm_extensions.list_


def _run_commands() -> Iterator[Route]:
    command = one(VM, "/runCommands/{command}")
    yield "PUT", command, managed_run_commands.put
    yield "PATCH", command, managed_run_commands.patch
    yield "GET", command, managed_run_commands.get
    yield "DELETE", command, managed_run_commands.delete
    yield "GET", one(VM, "/runCommands"), managed_run_commands.list_


def _scale_sets() -> Iterator[Route]:
    yield "PUT", one(SCALE_SET), scale_sets.put
    yield "PATCH", one(SCALE_SET), scale_sets.patch
    yield "GET", one(SCALE_SET), getter(SCALE_SET)
    yield "DELETE", one(SCALE_SET), scale_sets.delete
    yield from _lists(SCALE_SET, lister(SCALE_SET))
    yield "GET", one(SCALE_SET, "/instanceView"), scale_sets.get_instance_view
    yield "GET", one(SCALE_SET, "/skus"), scale_sets.list_skus
    yield "GET", one(SCALE_SET, "/networkInterfaces"), uniform_network.list_interfaces
    yield "GET", one(SCALE_SET, "/publicIPAddresses"), uniform_network.list_public_ips
    extension = one(SCALE_SET, "/extensions/{extension}")
    yield "PUT", extension, scale_set_extensions.put
    yield "PATCH", extension, scale_set_extensions.put
    yield "GET", extension, scale_set_extensions.get
    yield "DELETE", extension, scale_set_extensions.delete
    yield "GET", one(SCALE_SET, "/extensions"), scale_set_extensions.list_
    yield "POST", one(SCALE_SET, "/delete"), scale_sets.delete_instances
    for name in scale_set_actions.ACTIONS:
        yield "POST", one(SCALE_SET, f"/{name}"), scale_set_actions.of_set(name)
    yield "POST", one(SCALE_SET, "/manualupgrade"), scale_set_actions.manual_upgrade
    yield "POST", one(SCALE_SET, "/osRollingUpgrade"), rolling_upgrades.start
    yield "POST", one(SCALE_SET, "/extensionRollingUpgrade"), rolling_upgrades.start
    yield "POST", one(SCALE_SET, "/performMaintenance"), scale_set_actions.perform_maintenance
    service = one(SCALE_SET, "/setOrchestrationServiceState")
    yield "POST", service, rolling_upgrades.set_service_state
    yield "GET", one(SCALE_SET, "/rollingUpgrades/latest"), rolling_upgrades.latest
    yield "POST", one(SCALE_SET, "/rollingUpgrades/cancel"), rolling_upgrades.cancel


def _instances() -> Iterator[Route]:
    yield "GET", one(SCALE_SET, "/virtualMachines"), uniform.list_instances
    instance = one(SCALE_SET, "/virtualMachines/{instance}")
    yield "GET", instance, uniform.get
    yield "PUT", instance, uniform.put
    yield "DELETE", instance, uniform.delete
    yield "GET", f"{instance}/instanceView", uniform.get_instance_view
    yield "GET", f"{instance}/networkInterfaces", uniform_network.list_interfaces
    yield "GET", f"{instance}/networkInterfaces/{{interface}}", uniform_network.get_interface
    addresses = "/networkInterfaces/{interface}/ipConfigurations/{configuration}/publicIPAddresses"
    yield "GET", f"{instance}{addresses}", uniform_network.list_public_ips
    for name in scale_set_actions.ACTIONS:
        yield "POST", f"{instance}/{name}", scale_set_actions.of_instance(name)
    yield "POST", f"{instance}/simulateEviction", scale_set_actions.simulate_eviction
    yield "POST", f"{instance}/runCommand", scale_set_actions.run
    yield "POST", f"{instance}/performMaintenance", scale_set_actions.perform_maintenance


def _disks() -> Iterator[Route]:
    yield "PUT", one(DISK), disk_requests.put
    yield "PATCH", one(DISK), disk_requests.patch
    yield "GET", one(DISK), getter(DISK)
    yield "PUT", one(SNAPSHOT), snapshots.put
    yield "PATCH", one(SNAPSHOT), snapshots.patch
    yield "GET", one(SNAPSHOT), getter(SNAPSHOT)
    for kind in (DISK, SNAPSHOT):
        yield "DELETE", one(kind), disk_requests.delete(kind)
        yield from _lists(kind, lister(kind))
        yield "POST", one(kind, "/beginGetAccess"), disk_requests.begin_get_access
        yield "POST", one(kind, "/endGetAccess"), disk_requests.end_get_access


def _placement() -> Iterator[Route]:
    yield "PUT", one(AVAILABILITY_SET), placement.put_availability_set
    yield "PUT", one(PROXIMITY_GROUP), placement.put_proximity_group
    yield "PUT", one(SSH_KEY), placement.put_ssh_key
    for kind, update in (
        (AVAILABILITY_SET, "AvailabilitySetUpdate"),
        (PROXIMITY_GROUP, "ProximityPlacementGroupUpdate"),
        (SSH_KEY, "SshPublicKeyUpdateResource"),
    ):
        yield "PATCH", one(kind), placement.patch(kind, update)
        yield "GET", one(kind), placement.get(kind)
        yield "HEAD", one(kind), placement.head(kind)
        yield "DELETE", one(kind), placement.delete(kind)
        yield from _lists(kind, placement.list_(kind))
    yield "GET", one(AVAILABILITY_SET, "/vmSizes"), virtual_machines.list_sizes
    yield "POST", one(SSH_KEY, "/generateKeyPair"), placement.generate_key_pair


def _own_images() -> Iterator[Route]:
    yield from _lists(IMAGE, lister(IMAGE))
    yield from _lists(GALLERY, lister(GALLERY))
    image = one(GALLERY, "/images/{image}")
    paths = {
        IMAGE: one(IMAGE),
        GALLERY: one(GALLERY),
        GALLERY_IMAGE: image,
        GALLERY_IMAGE_VERSION: f"{image}/versions/{{version}}",
    }
    for kind, path in paths.items():
        yield "PUT", path, own_images.put(kind)
        yield "GET", path, own_images.get(kind)
        yield "DELETE", path, own_images.delete(kind)
    yield "GET", one(GALLERY, "/images"), own_images.list_definitions
    yield "GET", f"{image}/versions", own_images.list_versions
    for shared in ("communityGalleries", "sharedGalleries"):
        image = f"{LOCATION}/{shared}/{{gallery}}/images/{{image}}"
        yield "GET", image, own_images.get_shared(shared)
        yield "GET", f"{image}/versions", own_images.list_shared_versions(shared)
        yield "GET", f"{image}/versions/{{version}}", own_images.get_shared(shared)
    terms = (
        f"{SUBSCRIPTION}/providers/Microsoft.MarketplaceOrdering/offerTypes/virtualmachine"
        "/publishers/{publisher}/offers/{offer}/plans/{plan}/agreements/current"
    )
    yield "GET", terms, marketplace.get_terms
    yield "PUT", terms, marketplace.put_terms


def _catalog() -> Iterator[Route]:
    yield "GET", f"{SUBSCRIPTION}/providers/{COMPUTE}/skus", catalog.list_skus
    yield "GET", f"{LOCATION}/usages", catalog.list_usages
    yield "GET", f"{LOCATION}/vmSizes", virtual_machines.list_sizes
    yield "GET", f"{LOCATION}/runCommands", run_command.list_documents
    yield "GET", f"{LOCATION}/runCommands/{{command}}", run_command.get_document
    yield "GET", f"{LOCATION}/{disk_requests.OPERATIONS}/{{operation}}", catalog.get_operation
    types = f"{IMAGES}/{{publisher}}/artifacttypes/vmextension/types"
    yield "GET", types, extension_images.list_types
    yield "GET", f"{types}/{{type}}/versions", extension_images.list_versions
    yield "GET", f"{types}/{{type}}/versions/{{version}}", extension_images.get_version
    offers = f"{IMAGES}/{{publisher}}/artifacttypes/vmimage/offers"
    skus = f"{offers}/{{offer}}/skus"
    yield "GET", IMAGES, image_requests.list_names
    yield "GET", offers, image_requests.list_names
    yield "GET", skus, image_requests.list_names
    yield "GET", f"{skus}/{{sku}}/versions", image_requests.list_versions
    yield "GET", f"{skus}/{{sku}}/versions/{{version}}", image_requests.get_version
