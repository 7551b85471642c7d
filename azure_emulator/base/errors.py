"""Azure Resource Manager's errors: each function is one refusal, with the words Azure uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ArmError(Exception):
    """A refusal by Azure, answered as {"error": {"code", "message", ...}} with this status.

    Raised inside a long-running operation it becomes the operation's failure instead.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        target: str | None = None,
        details: list[dict[str, Any]] | None = None,
        additional_info: list[dict[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"({code}) {message}")
        self.status = status
        self.code = code
        self.message = message
        self.target = target
        self.details = details
        self.additional_info = additional_info
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        error: dict[str, Any] = {"code": self.code}
        if self.target is not None:
            error["target"] = self.target
        if self.details is not None:
            error["details"] = self.details
        error["message"] = self.message
        if self.additional_info is not None:
            error["additionalInfo"] = self.additional_info
        return {"error": error}


# What ARM's own front door answers carries this header; resource providers' answers do not.
GATEWAY = {"x-ms-failure-cause": "gateway"}


def authentication_failed(reason: str) -> ArmError:
    return ArmError(
        401,
        "AuthenticationFailed",
        f"Authentication failed. {reason}",
        headers={**GATEWAY, "WWW-Authenticate": 'Bearer error="invalid_token"'},
    )


def missing_api_version() -> ArmError:
    return ArmError(
        400,
        "MissingApiVersionParameter",
        "The api-version query parameter (?api-version=) is required for all requests.",
        headers=GATEWAY,
    )


def invalid_api_version(given: str) -> ArmError:
    message = f"The api-version '{given[:80]}' is invalid."
    return ArmError(400, "InvalidApiVersionParameter", message, headers=GATEWAY)


def bad_request(reason: str, status: int = 400) -> ArmError:
    """Refuse what is wrong as HTTP already, before ARM reads it."""
    return ArmError(status, "BadRequest", reason, headers=GATEWAY)


def subscription_not_found(name: str) -> ArmError:
    message = f"The subscription '{name}' could not be found."
    return ArmError(404, "SubscriptionNotFound", message, headers=GATEWAY)


def group_not_found(name: str) -> ArmError:
    message = f"Resource group '{name}' could not be found."
    return ArmError(404, "ResourceGroupNotFound", message, headers=GATEWAY)


def group_being_deleted(name: str) -> ArmError:
    return ArmError(
        409,
        "ResourceGroupBeingDeleted",
        f"The resource group '{name}' is in deprovisioning state and cannot perform "
        "this operation.",
        headers=GATEWAY,
    )


def resource_not_found(resource_type: str, name: str, group: str) -> ArmError:
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{resource_type}/{name}' under resource group '{group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
        headers=GATEWAY,
    )


def child_not_found(identifier: str) -> ArmError:
    """Say that a part of a network resource, such as a subnet, doesn't exist."""
    return ArmError(404, "NotFound", f"Resource {identifier} not found.")


def invalid_resource_type(namespace: str, resource_type: str) -> ArmError:
    return ArmError(
        404,
        "InvalidResourceType",
        f"The resource type '{resource_type}' could not be found in the namespace '{namespace}'. "
        "(This local endpoint serves only what a cluster needs.)",
        headers=GATEWAY,
    )


def invalid_namespace(namespace: str) -> ArmError:
    message = f"The resource namespace '{namespace}' is invalid."
    return ArmError(404, "InvalidResourceNamespace", message, headers=GATEWAY)


def missing_registration(namespace: str) -> ArmError:
    message = (
        f"The subscription is not registered to use namespace '{namespace}'. See "
        "https://aka.ms/rps-not-found for how to register subscriptions."
    )
    code = "MissingSubscriptionRegistration"
    detail = {"code": code, "target": namespace, "message": message}
    return ArmError(409, code, message, details=[detail], headers=GATEWAY)


def no_such_route(method: str, path: str) -> ArmError:
    message = f"The requested resource does not support http method '{method}'."
    if method in ("GET", "HEAD"):
        message = f"The request path '{path}' is not valid for this endpoint."
        return ArmError(404, "NotFound", message, headers=GATEWAY)
    return ArmError(405, "HttpMethodNotAllowed", message, headers=GATEWAY)


def invalid_content(reason: str) -> ArmError:
    return ArmError(
        400,
        "InvalidRequestContent",
        f"The request content was invalid and could not be deserialized: '{reason}'.",
        headers=GATEWAY,
    )


def content_too_large(limit_bytes: int) -> ArmError:
    message = f"The request content size exceeds the maximum size of '{limit_bytes}' bytes."
    return ArmError(413, "RequestContentTooLarge", message, headers=GATEWAY)


def location_required() -> ArmError:
    message = "The location property is required for this definition."
    return ArmError(400, "LocationRequired", message, headers=GATEWAY)


def location_not_available(location: str, resource_type: str, regions: list[str]) -> ArmError:
    known = ",".join(regions)
    if resource_type == "Microsoft.Resources/resourceGroups":
        return ArmError(
            400,
            "LocationNotAvailableForResourceGroup",
            f"The provided location '{location}' is not available for resource group. "
            f"List of available regions is '{known}'.",
            headers=GATEWAY,
        )
    return ArmError(
        400,
        "LocationNotAvailableForResourceType",
        f"The provided location '{location}' is not available for resource type "
        f"'{resource_type}'. List of available regions for the resource type is '{known}'.",
        headers=GATEWAY,
    )


def location_changed(name: str, group: str, old: str, new: str) -> ArmError:
    return ArmError(
        409,
        "InvalidResourceLocation",
        f"The resource '{name}' already exists in location '{old}' in resource group '{group}'. "
        f"A resource with the same name cannot be created in location '{new}'. "
        "Please select a new resource name.",
        headers=GATEWAY,
    )


def invalid_parameter(target: str, message: str) -> ArmError:
    return ArmError(400, "InvalidParameter", message, target=target)


def missing_parameter(target: str) -> ArmError:
    return invalid_parameter(target, f"Required parameter '{target}' is missing (null).")


def property_change(target: str) -> ArmError:
    message = f"Changing property '{target}' is not allowed."
    return ArmError(409, "PropertyChangeNotAllowed", message, target=target)


def invalid_reference(missing: str, referrer: str) -> ArmError:
    return ArmError(
        400,
        "InvalidResourceReference",
        f"Resource {missing} referenced by resource {referrer} was not found. Please make sure "
        "that the referenced resource exists, and that both resources are in the same region.",
    )


def invalid_linked_id(identifier: str) -> ArmError:
    return ArmError(
        400,
        "LinkedInvalidPropertyId",
        f"Property id '{identifier}' is invalid. Expect fully qualified resource Id that start "
        "with '/subscriptions/{subscriptionId}' or "
        "'/providers/{resourceProviderNamespace}/'.",
        headers=GATEWAY,
    )


def operation_not_allowed(message: str) -> ArmError:
    return ArmError(409, "OperationNotAllowed", message)


def internal(exception: BaseException) -> ArmError:
    message = f"An internal execution error occurred. ({type(exception).__name__}: {exception})"
    return ArmError(500, "InternalExecutionError", message)
