"""All that the launcher asks of Azure's Resource Manager; Azure's errors leave it as ours.

What changes nothing there is in questions.py. How Azure is asked is in calls.py and compute.py, how
long its answers are waited for in patience.py. Everything here blocks, and is called through
`bridge`: asyncio-based clients can't delete anything at the interpreter's exit, when executors and
new threads are refused. Long-running operations are never waited for (`polling=False`): the SDK
would look every 30 s, provision.py looks more often.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.rest import HttpResponse

from ..plan import resource_types
from ..plan.requests import ResourceRequest
from ..plan.resource_types import Json
from ..resource_ids import parse_id
from .calls import send
from .error_mapping import code_of, require_absence, translated
from .login import CONNECTIONS
from .questions import Questions, in_words
from .threads import DaemonThreads

T = TypeVar("T")
FORCE_DELETION_TYPES = f"{resource_types.VIRTUAL_MACHINE},{resource_types.SCALE_SET}"


_bridge = DaemonThreads(limit=CONNECTIONS)


async def bridge(function: Callable[..., T], *args: Any) -> T:
    """Run blocking `function` without blocking the loop; inline where no thread can be had.

    The threads end with the process: those of the loop's own executor would be waited for.
    """
    try:
        future = _bridge.submit(function, *args)
    except RuntimeError:  # the interpreter is exiting, and refuses new ones
        return function(*args)
    return await asyncio.wrap_future(future)


class AzureApi(Questions):
    """All that is asked of one subscription, and done to it.

    Long-running operations are begun, never waited for.
    """

    def __enter__(self) -> "AzureApi":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._compute.close()
        self._arm.close()

    def put_group(self, name: str, location: str, tags: dict[str, str]) -> None:
        """Create a resource group, which takes Azure but a moment."""
        with translated(f"creating resource group {name}"):
            body: Any = {"location": location, "tags": tags}
            self._arm.resource_groups.create_or_update(name, body)

    def tag_group(self, name: str, tags: dict[str, str]) -> None:
        """Give a resource group these tags and no others; never makes one that isn't there."""
        with translated(f"tagging resource group {name}"):
            body: Any = {"tags": tags}
            self._arm.resource_groups.update(name, body)

    def put(self, request: ResourceRequest) -> tuple[Json, str]:
        """Ask for a resource; returns Azure's first answer, in which the resource is seldom ready,
        and the URL of the operation that makes it, empty if there is none."""
        with translated(f"creating {in_words(request.id)}"):
            answer = self._calls(request.id).put(request)
        return answer.json(), _operation(answer)

    def scale(self, scale_set_id: str, capacity: int) -> str:
        """Ask that a scale set have `capacity` machines; returns the operation's URL."""
        with translated(f"setting the capacity of {in_words(scale_set_id)} to {capacity}"):
            return _operation(self._compute.scale(scale_set_id, capacity))

    def register(self, namespace: str) -> bool:
        """Ask that the subscription may use a resource provider; returns whether it may by now."""
        with translated(
            f"registering {namespace} (`az provider register --namespace {namespace}`)"
        ):
            return self._arm.providers.register(namespace).registration_state == "Registered"

    def delete(self, resource_id: str) -> bool:
        """Ask for the deletion of a resource, by force if that is possible for its type.

        Returns False if there is nothing to delete.
        """
        version = resource_types.api_version(parse_id(resource_id).type)
        with translated(f"deleting {in_words(resource_id)}"):
            try:
                self._calls(resource_id).delete(resource_id, version)
            except ResourceNotFoundError as error:
                require_absence(error)
                return False
        return True

    def delete_group(self, name: str) -> bool:
        """Ask for the deletion of a resource group and all that is in it.

        Returns False if there is no such group.
        """
        with translated(f"deleting resource group {name}"):
            try:
                self._arm.resource_groups.begin_delete(
                    name, force_deletion_types=FORCE_DELETION_TYPES, polling=False
                )
            except ResourceNotFoundError as error:
                require_absence(error)
                return False
            except HttpResponseError as error:
                if code_of(error) != "ResourceGroupBeingDeleted":
                    raise
        return True

    def act(self, path: str, api_version: str, body: Json, *, doing: str) -> Json:
        """POST a body to `path`, which is relative to the subscription's."""
        with translated(doing):
            return send(self._arm, "POST", self._below(path), {"api-version": api_version}, body)


def _operation(answer: HttpResponse) -> str:
    """Where to ask how a long-running operation is getting on; empty if Azure named no place."""
    return answer.headers.get("Azure-AsyncOperation", "")
