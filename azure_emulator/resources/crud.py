"""What all resource types have in common: read, list, change tags, begin a write or a deletion."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ..base.errors import GATEWAY, ArmError
from ..base.messages import ArmRequest, ArmResponse, page
from ..base.resource_types import NETWORK
from ..base.schema import check_network
from ..base.store import Resource
from ..base.versions import includes
from ..base.versions_network import NOTIFICATION
from ..rules.operations import Finish
from ..state import Emulator, merged_tags
from .views import show

Handler = Callable[[Emulator, ArmRequest], ArmResponse | Awaitable[ArmResponse]]


def in_network_words(handler: Handler) -> Handler:
    """Return the handler with Network's own refusals, which always have details, be it none.

    Those of ARM before it do not.
    """

    def answer(em: Emulator, request: ArmRequest) -> ArmResponse | Awaitable[ArmResponse]:
        try:
            return handler(em, request)
        except ArmError as error:
            if not error.headers.keys() & GATEWAY.keys() and error.details is None:
                error.details = []
            raise

    return answer


def getter(kind: str) -> Handler:
    def get(em: Emulator, request: ArmRequest) -> ArmResponse:
        resource = em.store.get(request.params["group"], kind, request.params["name"])
        headers = {"ETag": resource.etag} if kind.startswith(NETWORK) else {}
        return ArmResponse(200, show(em, resource, request.api_version), headers)

    return get


def lister(kind: str) -> Handler:
    """Return the handler that lists the path's group, or the whole subscription."""

    def list_(em: Emulator, request: ArmRequest) -> ArmResponse:
        found = em.store.listed(kind, request.params.get("group"))
        return of_all_regions(
            em, request, page([show(em, resource, request.api_version) for resource in found])
        )

    return list_


def of_all_regions(em: Emulator, request: ArmRequest, answer: ArmResponse) -> ArmResponse:
    """Add the ids of the regions' own requests to a whole subscription's list, as ARM does."""
    if "group" in request.params:
        return answer
    return ArmResponse(answer.status, answer.body, {"x-ms-original-request-ids": em.new_uuid()})


def tagger(kind: str) -> Handler:
    """Return the handler of PATCH on a network resource, which changes tags only, at once."""

    def patch(em: Emulator, request: ArmRequest) -> ArmResponse:
        em.store.writable_group(request.params["group"])
        resource = em.store.get(request.params["group"], kind, request.params["name"])
        body = check_network("TagsObject", request.json_object(), "patch")
        resource.tags = merged_tags(body, resource.tags)
        resource.touch()
        headers = {"Azure-AsyncNotification": "Enabled"} if notifies(request) else {}
        return ArmResponse(200, show(em, resource, request.api_version), headers)

    return patch


def notifies(request: ArmRequest) -> bool:
    """Return whether Network's answer to this write carries Azure-AsyncNotification."""
    return "child" not in request.params and includes(NOTIFICATION, request.api_version)


def begin_network_write(
    em: Emulator,
    request: ArmRequest,
    resource: Resource,
    *,
    created: bool,
    durations: str = "network",
    retry_after_s: int = 3,
    notification: bool = True,
    on_success: Callable[[], None] | None = None,
) -> ArmResponse:
    """Answer 201 or 200 with state Updating; Succeeded comes with the clock."""
    resource.properties["provisioningState"] = "Updating"
    resource.touch()

    async def finish() -> None:
        if em.store.find(resource.id) is resource:
            if on_success:
                on_success()
            resource.properties["provisioningState"] = "Succeeded"
            resource.touch()

    duration_s = em.durations.draw(durations)
    operation = em.operations.start(NETWORK, resource.location, duration_s, finish)
    headers = em.operations.headers(
        request,
        operation,
        retry_after_s=retry_after_s,
        notification=notification and notifies(request),
    )
    return ArmResponse(201 if created else 200, show(em, resource, request.api_version), headers)


def done_at_once(
    em: Emulator,
    request: ArmRequest,
    resource: Resource,
    *,
    created: bool,
    notification: bool = True,
) -> ArmResponse:
    """Answer with state Succeeded, and an operation that has nothing left to do."""
    resource.properties["provisioningState"] = "Succeeded"
    resource.touch()

    async def finish() -> None:
        pass

    operation = em.operations.start(NETWORK, resource.location, 0.0, finish)
    headers = em.operations.headers(
        request,
        operation,
        retry_after_s=None,
        notification=notification and notifies(request),
    )
    return ArmResponse(201 if created else 200, show(em, resource, request.api_version), headers)


def begin_network_deletion(
    em: Emulator, request: ArmRequest, location: str, finish: Finish
) -> ArmResponse:
    duration_s = em.durations.draw("network_delete")
    operation = em.operations.start(NETWORK, location, duration_s, finish, monitor_status=204)
    headers = em.operations.headers(
        request, operation, retry_after_s=10, location=True, notification=notifies(request)
    )
    return ArmResponse(202, None, headers)


def network_deleter(
    kind: str,
    check: Callable[[Emulator, Resource], None],
    release: Callable[[Emulator, Resource], None] = lambda em, resource: None,
) -> Handler:
    """Return the handler of DELETE on a network resource.

    check: refuses while the resource is in use; release: gives back what it held.
    """

    def delete(em: Emulator, request: ArmRequest) -> ArmResponse:
        group = em.store.group(request.params["group"])
        resource = em.store.lookup(group.name, kind, request.params["name"])
        if resource is None:
            return ArmResponse(204)
        check(em, resource)
        resource.properties["provisioningState"] = "Deleting"

        async def finish() -> None:
            if em.store.find(resource.id) is resource:
                check(em, resource)
                release(em, resource)
                em.store.remove(resource)

        return begin_network_deletion(em, request, resource.location, finish)

    return delete
