"""How the clients of Azure's SDK are called: for Azure's own answers, and without their waiting."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from azure.core.exceptions import ServiceResponseError
from azure.core.rest import HttpRequest, HttpResponse
from azure.mgmt.resource.resources import ResourceManagementClient

from ..plan.requests import ResourceRequest
from ..plan.resource_types import Json

ACCEPTED = 202
RESULT_LOOK_S = 0.5


def answer_to(ask: Callable[..., object], *args: Any, **options: Any) -> HttpResponse:
    """Call an operation of an SDK's client; returns Azure's first answer to it as it came.

    What such an operation returns lacks the answer's headers, of which Azure-AsyncOperation is
    the one to follow, and says of a long-running one nothing before its end. Nobody waits for that
    end here: whoever calls passes `polling=False`.
    """
    answers: list[Any] = []
    ask(*args, raw_response_hook=answers.append, **options)
    response: HttpResponse = answers[-1].http_response
    return response


class SendsRequests(Protocol):
    """A client of Azure's SDK, each of which has this public method."""

    def send_request(self, request: HttpRequest, **options: Any) -> HttpResponse: ...


def send(
    client: SendsRequests,
    method: str,
    url: str,
    query: Mapping[str, str] | None = None,
    body: Json | None = None,
    **options: Any,
) -> Json:
    """Azure's answer at a URL, or at a path below the endpoint; raises HttpResponseError."""
    request = HttpRequest(method, url, params=query, json=body)
    response = client.send_request(request, **options)
    response.raise_for_status()
    answer: Json = response.json()
    return answer


def result_of_post(
    client: SendsRequests, url: str, query: Mapping[str, str], timeout_s: float
) -> Json:
    """What a POST that takes a while comes to: Azure says at its Location when it is done.

    Blocking. Raises HttpResponseError, and ServiceResponseError when `timeout_s` are over.
    """
    deadline = time.monotonic() + timeout_s
    options = {"retry_total": 0, "connection_timeout": 3, "read_timeout": timeout_s}
    response = client.send_request(HttpRequest("POST", url, params=query), **options)
    response.raise_for_status()
    place = response.headers.get("Location", "")
    while response.status_code == ACCEPTED and place:
        if time.monotonic() > deadline:
            raise ServiceResponseError(f"nothing came within {timeout_s:.0f} s")
        time.sleep(RESULT_LOOK_S)
        response = client.send_request(HttpRequest("GET", place), **options)
        response.raise_for_status()
    answer: Json = response.json()
    return answer


def items(
    client: SendsRequests,
    path: str,
    api_version: str,
    filter_: str = "",
    expand: str = "",
    **options: Any,
) -> Iterator[Json]:
    """What a list has on all its pages, as plain dictionaries: to make the SDK's models of them
    takes ten times the CPU, half a second for the VM sizes of one location."""
    wanted = {"api-version": api_version, "$filter": filter_, "$expand": expand}
    query = {name: value for name, value in wanted.items() if value}
    page = send(client, "GET", path, query, **options)
    yield from page["value"]
    while url := page.get("nextLink"):
        page = send(client, "GET", url, **options)
        yield from page["value"]


class CallsById:
    """Asks for a resource of any type, with the generic client, which needs but its id."""

    def __init__(self, client: ResourceManagementClient) -> None:
        self._resources = client.resources

    def put(self, request: ResourceRequest) -> HttpResponse:
        return answer_to(
            self._resources.begin_create_or_update_by_id,
            request.id,
            request.body,
            api_version=request.api_version,
            polling=False,
        )

    def get(self, resource_id: str, api_version: str) -> HttpResponse:
        return answer_to(self._resources.get_by_id, resource_id, api_version=api_version)

    def delete(self, resource_id: str, api_version: str) -> None:
        self._resources.begin_delete_by_id(resource_id, api_version=api_version, polling=False)
