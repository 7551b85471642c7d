"""Refusals on the way to a resource: permissions, limits, preconditions, in Azure's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from .errors import GATEWAY, ArmError


def token_expired(expiry: datetime, now: datetime, tenant_id: str) -> ArmError:
    expired, asked = (
        f"{at.month}/{at.day}/{at.year} {at.hour % 12 or 12}:{at:%M:%S %p}" for at in (expiry, now)
    )
    message = (
        f"The access token expiry UTC time '{expired}' is earlier than current UTC time '{asked}'."
    )
    challenge = (
        f'Bearer authorization_uri="https://login.windows.net/{tenant_id}", '
        f'error="invalid_token", error_description="{message}"'
    )
    headers = {**GATEWAY, "WWW-Authenticate": challenge}
    return ArmError(401, "ExpiredAuthenticationToken", message, headers=headers)


def authorization_failed(object_id: str, action: str, scope: str) -> ArmError:
    return ArmError(
        403,
        "AuthorizationFailed",
        f"The client '{object_id}' with object id '{object_id}' does not have authorization to "
        f"perform action '{action}' over scope '{scope}' or the scope is invalid. If access was "
        "recently granted, please refresh your credentials.",
        headers=GATEWAY,
    )


def linked_authorization_failed(
    object_id: str, action: str, scope: str, missing: Sequence[tuple[str, str]]
) -> ArmError:
    """Refuse a request whose body refers to what the sender has no access to.

    missing: (action, scope) of each thing that the body refers to.
    """
    return ArmError(
        403,
        "LinkedAuthorizationFailed",
        f"The client '{object_id}' with object id '{object_id}' has permission to perform action "
        f"'{action}' on scope '{scope}'; however, it does not have permission to perform action(s) "
        f"'{','.join(action for action, _ in missing)}' on the linked scope(s) "
        f"'{','.join(scope for _, scope in missing)}' (respectively) or the linked scope(s) are "
        "invalid.",
        headers=GATEWAY,
    )


def subscription_throttled(
    kind: str, subscription_id: str, object_id: str, retry_after_s: int, headers: Mapping[str, str]
) -> ArmError:
    return ArmError(
        429,
        "SubscriptionRequestsThrottled",
        f"Number of '{kind.rstrip('s')}' requests for subscription '{subscription_id}' actor "
        f"'{object_id}' exceeded. Please try again after '{retry_after_s}' seconds after "
        "additional tokens are available. Refer to https://aka.ms/arm-throttling for additional "
        "information.",
        headers={**GATEWAY, **headers, "Retry-After": str(retry_after_s)},
    )


def compute_throttled(group: str, details: str, retry_after_s: int) -> ArmError:
    """Refuse one request too many on Compute.

    group: the name of the operations that are counted together; details: a JSON text.
    """
    return ArmError(
        429,
        "OperationNotAllowed",
        "The server rejected the request because too many requests have been received for this "
        "subscription.",
        details=[{"code": "TooManyRequests", "target": group, "message": details}],
        headers={"Retry-After": str(retry_after_s)},
    )


def network_throttled(retry_after_s: int) -> ArmError:
    return ArmError(
        429,
        "TooManyRequests",
        "The request is being throttled as the limit has been reached for this type of request.",
        headers={"Retry-After": str(retry_after_s)},
    )


def precondition_failed(header: str, given: str, etag: str, identifier: str) -> ArmError:
    reason = {
        "code": "PreconditionFailedEtagMismatch",
        "message": f"Etag provided in {header} header {given} does not match etag {etag} of "
        f"resource {identifier} in NRP data store.",
    }
    return ArmError(412, "PreconditionFailed", "Precondition failed.", details=[reason])
