"""The emulator's own routes below /emulator: what Azure does not have."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from ..base import errors
from ..base.clock import VirtualClock
from ..base.messages import ArmResponse, Json
from ..base.resource_types import VM
from ..compute import machine_faults, quota
from ..network.networks import networks_in_use
from ..rules import sku_restrictions
from ..rules.fault_rules import OF_REAL_MACHINES
from ..state import Emulator
from ..subscription import groups

Stop = Callable[[], None]


@dataclass(frozen=True)
class ControlRequest:
    """One request on the emulator itself.

    body: {} if there was none; item: what follows the route's path, such as a fault's id.
    """

    em: Emulator
    stop: Stop
    body: Json
    item: str = ""

    def number(self, name: str) -> float:
        value = self.body.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise errors.invalid_parameter(name, f"'{name}' must be a number.")
        return value


ControlHandler = Callable[[ControlRequest], "Json | Awaitable[Json]"]


async def answer(em: Emulator, stop: Stop, method: str, path: str, body: Any) -> ArmResponse:
    """Answer a request below /emulator.

    path: in lower case, one of ROUTES, or one and an item's id; stop: ends the emulator.
    """
    if body is not None and not isinstance(body, dict):
        raise errors.invalid_content("The request body must be a JSON object")
    head, _, last = path.rpartition("/")
    handler, item = ROUTES.get((method, path)), ""
    if handler is None:
        handler, item = ROUTES.get((method, f"{head}/")), last
    if handler is None:
        raise errors.no_such_route(method, path)
    result = handler(ControlRequest(em, stop, body or {}, item))
    return ArmResponse(200, result if isinstance(result, dict) else await result)


def status(request: ControlRequest) -> Json:
    store = request.em.store
    return {
        "resource_groups": [group.name for group in store.groups()],
        "virtual_machines": [vm.name for vm in store.all(VM)],
    }


def offer(request: ControlRequest) -> Json:
    """Answer settings with which a cluster's network can exist here."""
    em = request.em
    used = [net for networks in networks_in_use(em).values() for net in networks]
    return {
        "address_prefix": str(em.addresses.offer(used)),
        "ssh_port": em.addresses.ssh_port,
        "ssh_source": em.addresses.ssh_source,
    }


def metadata(request: ControlRequest) -> Json:
    """Answer what http://169.254.169.254 is on Azure, for the VM of that vmId."""
    for vm in request.em.store.all(VM):
        if vm.properties["vmId"] == request.item:
            return {"url": request.em.metadata.url(vm)}
    raise errors.ArmError(404, "NotFound", f"There is no VM whose vmId is '{request.item}'.")


async def reset(request: ControlRequest) -> Json:
    """Delete everything; operations under way end by themselves afterwards."""
    all_groups = request.em.store.groups()
    for group in all_groups:
        group.state = "Deleting"
    # Interfaces of all groups first: one group's may sit in another's network.
    await groups.delete_machines(request.em, all_groups)
    for group in all_groups:
        await groups.delete_contents(request.em, group, 0.0, forced=True)
    request.em.store.forget()
    return status(request)


def stop(request: ControlRequest) -> Json:
    request.stop()
    return {}


def show_clock(request: ControlRequest) -> Json:
    clock = request.em.clock
    kind = "virtual" if isinstance(clock, VirtualClock) else "real"
    return {"kind": kind, "now": clock.now().isoformat()}


async def advance_clock(request: ControlRequest) -> Json:
    clock = request.em.clock
    if not isinstance(clock, VirtualClock):
        raise errors.operation_not_allowed("Only a virtual clock can be advanced.")
    await clock.advance(request.number("advance_s"))
    return show_clock(request)


def declare_fault(request: ControlRequest) -> Json:
    machines = request.em.settings.machines
    if request.body.get("kind") in OF_REAL_MACHINES and machines != "nspawn":
        raise errors.operation_not_allowed(
            f"A fault {request.body['kind']} needs machines with a system of their own: "
            f"--machines=nspawn, not {machines}."
        )
    fault = request.em.faults.declare(request.body)
    machine_faults.strike_running(request.em, fault["id"])
    return fault


def list_faults(request: ControlRequest) -> Json:
    return {"faults": request.em.faults.listed()}


def withdraw_fault(request: ControlRequest) -> Json:
    return request.em.faults.withdraw(request.item)


def withdraw_faults(request: ControlRequest) -> Json:
    request.em.faults.withdraw_all()
    return list_faults(request)


def issue_token(request: ControlRequest) -> Json:
    return request.em.permissions.issue(request.body)


def show_permissions(request: ControlRequest) -> Json:
    return request.em.permissions.shown()


def restrict(request: ControlRequest) -> Json:
    return request.em.permissions.restrict(request.body)


def lift_restriction(request: ControlRequest) -> Json:
    return request.em.permissions.lift()


def declare_policy(request: ControlRequest) -> Json:
    return request.em.policies.declare(request.body)


def list_policies(request: ControlRequest) -> Json:
    return {"policies": request.em.policies.listed()}


def withdraw_policy(request: ControlRequest) -> Json:
    return request.em.policies.withdraw(request.item)


def withdraw_policies(request: ControlRequest) -> Json:
    request.em.policies.withdraw_all()
    return list_policies(request)


def show_throttling(request: ControlRequest) -> Json:
    return request.em.throttle.shown()


def switch_throttling(request: ControlRequest) -> Json:
    return request.em.throttle.switch(request.body)


def show_paging(request: ControlRequest) -> Json:
    return request.em.paging.shown()


def set_paging(request: ControlRequest) -> Json:
    return request.em.paging.set(request.body)


def unset_paging(request: ControlRequest) -> Json:
    return request.em.paging.unset()


def declare_quota(request: ControlRequest) -> Json:
    return quota.declare(request.em, request.body)


def list_quotas(request: ControlRequest) -> Json:
    return quota.listed(request.em)


def withdraw_quotas(request: ControlRequest) -> Json:
    return quota.withdraw_all(request.em)


def restrict_skus(request: ControlRequest) -> Json:
    return sku_restrictions.declare(request.em.sku_restrictions, request.body)


def list_sku_restrictions(request: ControlRequest) -> Json:
    return sku_restrictions.listed(request.em.sku_restrictions)


def lift_sku_restrictions(request: ControlRequest) -> Json:
    request.em.sku_restrictions.clear()
    return list_sku_restrictions(request)


def declare_link(request: ControlRequest) -> Json:
    return request.em.links.declare(request.body)


def list_links(request: ControlRequest) -> Json:
    return request.em.links.listed()


def withdraw_links(request: ControlRequest) -> Json:
    return request.em.links.withdraw_all()


# A path that ends with / is followed by one item's id.
ROUTES: dict[tuple[str, str], ControlHandler] = {
    ("GET", "/emulator/status"): status,
    ("GET", "/emulator/offer"): offer,
    ("GET", "/emulator/metadata/"): metadata,
    ("POST", "/emulator/reset"): reset,
    ("POST", "/emulator/stop"): stop,
    ("GET", "/emulator/clock"): show_clock,
    ("POST", "/emulator/clock"): advance_clock,
    ("GET", "/emulator/faults"): list_faults,
    ("POST", "/emulator/faults"): declare_fault,
    ("DELETE", "/emulator/faults"): withdraw_faults,
    ("DELETE", "/emulator/faults/"): withdraw_fault,
    ("POST", "/emulator/tokens"): issue_token,
    ("GET", "/emulator/permissions"): show_permissions,
    ("POST", "/emulator/permissions"): restrict,
    ("DELETE", "/emulator/permissions"): lift_restriction,
    ("GET", "/emulator/policies"): list_policies,
    ("POST", "/emulator/policies"): declare_policy,
    ("DELETE", "/emulator/policies"): withdraw_policies,
    ("DELETE", "/emulator/policies/"): withdraw_policy,
    ("GET", "/emulator/links"): list_links,
    ("POST", "/emulator/links"): declare_link,
    ("DELETE", "/emulator/links"): withdraw_links,
    ("GET", "/emulator/paging"): show_paging,
    ("POST", "/emulator/paging"): set_paging,
    ("DELETE", "/emulator/paging"): unset_paging,
    ("GET", "/emulator/quotas"): list_quotas,
    ("POST", "/emulator/quotas"): declare_quota,
    ("DELETE", "/emulator/quotas"): withdraw_quotas,
    ("GET", "/emulator/skus"): list_sku_restrictions,
    ("POST", "/emulator/skus"): restrict_skus,
    ("DELETE", "/emulator/skus"): lift_sku_restrictions,
    ("GET", "/emulator/throttling"): show_throttling,
    ("POST", "/emulator/throttling"): switch_throttling,
}
