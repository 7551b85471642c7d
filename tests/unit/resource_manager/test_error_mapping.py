"""Azure's errors, as its SDK raises them, become ours: with the code, in one line."""

import json
from typing import Any

import pytest
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceResponseError,
)

from ipcluster_azure import errors
from ipcluster_azure.resource_manager.error_mapping import (
    error_of_operation,
    translate,
    translated,
)

QUOTA = (
    "Operation could not be completed as it results in exceeding approved Total Regional Cores "
    "quota. Additional details - Current Limit: 10, Additional Required: 16."
)


class _Response:
    """As much of a response as HttpResponseError reads."""

    def __init__(self, status: int, body: Any) -> None:
        self.status_code, self.reason = status, "because"
        self.headers = {"Content-Type": "application/json"}
        self._text = json.dumps(body)

    def text(self, encoding: str | None = None) -> str:
        return self._text

    def body(self) -> bytes:
        return self._text.encode()


def _http_error(status: int, code: str, message: str) -> HttpResponseError:
    body = {"error": {"code": code, "message": message}}
    response: Any = _Response(status, body)
    return HttpResponseError(response=response)


@pytest.mark.parametrize(
    ("status", "code", "message", "expected"),
    [
        (409, "OperationNotAllowed", QUOTA, errors.QuotaExceeded),
        (409, "QuotaExceeded", QUOTA, errors.QuotaExceeded),
        (409, "OperationNotAllowed", "The VM is being deleted.", errors.RequestRefused),
        (409, "SkuNotAvailable", "The requested VM size ...", errors.CapacityUnavailable),
        (200, "AllocationFailed", "Allocation failed.", errors.CapacityUnavailable),
        (200, "ZonalAllocationFailed", "Allocation failed.", errors.CapacityUnavailable),
        (403, "AuthorizationFailed", "The client has no permission.", errors.AccessDenied),
        (404, "SubscriptionNotFound", "It could not be found.", errors.AccessDenied),
        (400, "InvalidSubscriptionId", "It is malformed.", errors.AccessDenied),
        (401, "InvalidAuthenticationToken", "The token is invalid.", errors.AccessDenied),
        (400, "InvalidParameter", "The value is invalid.", errors.RequestRefused),
        (500, "InternalServerError", "Oops.", errors.RequestRefused),
    ],
)
def test_http_errors(
    status: int, code: str, message: str, expected: type[errors.AzureLauncherError]
) -> None:
    mapped = translate(_http_error(status, code, message), "creating a thing")
    assert type(mapped) is expected
    assert "\n" not in str(mapped)
    assert message.split(".")[0] in str(mapped)


WRONG_TENANT = (
    "The access token is from the wrong issuer 'https://sts.windows.net/aaaa-1/'. It must match "
    "the tenant 'https://sts.windows.net/bbbb-2/' associated with this subscription. Please use "
    "the authority (URL) 'https://login.windows.net/bbbb-2' to get the token."
)


@pytest.mark.parametrize("kind", [HttpResponseError, ClientAuthenticationError])
@pytest.mark.parametrize(
    ("code", "message", "advised"),
    [
        ("InvalidAuthenticationToken", "The access token is invalid.", "ipcluster-azure doctor"),
        ("ExpiredAuthenticationToken", "The access token expiry ...", "ipcluster-azure doctor"),
        ("InvalidAuthenticationTokenTenant", WRONG_TENANT, "tenant_id = 'bbbb-2'"),
        ("InvalidAuthenticationTokenTenant", WRONG_TENANT, "`az login --tenant bbbb-2`"),
    ],
)
def test_a_token_that_azure_refuses_is_a_login_all_the_same(
    kind: type[HttpResponseError], code: str, message: str, advised: str
) -> None:
    body = {"error": {"code": code, "message": message}}
    response: Any = _Response(401, body)
    mapped = translate(kind(response=response), "looking for a group")
    assert type(mapped) is errors.AccessDenied
    assert "Azure does not accept your login for looking for a group" in str(mapped)
    assert f"({code})" in str(mapped)
    assert advised in str(mapped)
    assert "Not logged in" not in str(mapped)


def test_a_region_that_the_subscription_is_not_for() -> None:
    error = _http_error(403, "RequestDisallowedByAzure", "Resource 'x' was disallowed by Azure.")
    mapped = translate(error, "creating a thing")
    assert isinstance(mapped, errors.AccessDenied)
    assert "set c.AzureVMLauncher.location to one of those" in str(mapped)


def test_a_machine_that_a_policy_denies_later() -> None:
    """Of a scale set's machine Azure tells in the report on the operation, among its details."""
    held = {"result": "True", "expression": "location", "operator": "NotIn"}
    held = {**held, "targetValue": ["westeurope"], "expressionValue": "eastus"}
    info = {"policyAssignmentDisplayName": "EU", "evaluationDetails": {}}
    info["evaluationDetails"] = {"evaluatedExpressions": [held]}
    denial = {
        "code": "RequestDisallowedByPolicy",
        "target": "vm_1",
        "message": "Resource 'vm_1' was disallowed by policy.",
        "additionalInfo": [{"type": "PolicyViolation", "info": info}],
    }
    report = {"code": "DeploymentFailed", "message": "failed", "details": [denial]}
    mapped = error_of_operation(report, "creating machines")
    assert isinstance(mapped, errors.AccessDenied)
    assert "'vm_1' was disallowed by policy 'EU'" in str(mapped)
    assert "Set c.AzureVMLauncher.location: westeurope." in str(mapped)


def test_a_denial_of_which_azure_tells_the_message_alone() -> None:
    identifiers = '[{"policyAssignment":{"name":"No addresses","id":"/x"}}]'
    message = f"Resource 'ip' was disallowed by policy. Policy identifiers: '{identifiers}'."
    mapped = translate(_http_error(403, "RequestDisallowedByPolicy", message), "creating a thing")
    assert "Resource 'ip' was disallowed by policy 'No addresses'" in str(mapped)
    assert "public_ip, subnet_id, tags" in str(mapped)


def test_a_refusal_keeps_azures_code() -> None:
    mapped = translate(_http_error(400, "InvalidParameter", "No."), "creating a thing")
    assert isinstance(mapped, errors.RequestRefused)
    assert mapped.code == "InvalidParameter"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ClientAuthenticationError("no token\nAttempted credentials: many"), errors.LoginError),
        (ServiceRequestError("Name or service not known"), errors.EndpointUnreachable),
        (ServiceResponseError("Connection reset"), errors.EndpointUnreachable),
        (IncompleteReadError("Connection broken"), errors.EndpointUnreachable),
        (AzureError("odd"), errors.RequestRefused),
    ],
)
def test_other_errors(error: AzureError, expected: type[errors.AzureLauncherError]) -> None:
    with pytest.raises(expected) as caught, translated("doing"):
        raise error
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is error


def test_each_error_can_be_caught_as_the_builtin_it_is() -> None:
    assert issubclass(errors.ConfigurationError, ValueError)
    assert issubclass(errors.AccessDenied, PermissionError)
    assert issubclass(errors.EndpointUnreachable, ConnectionError)
    assert issubclass(errors.BootTimeout, TimeoutError)


def test_the_tree_in_the_docstring_names_every_error() -> None:
    for name, item in vars(errors).items():
        if isinstance(item, type) and issubclass(item, Exception):
            assert name in (errors.__doc__ or ""), name
