"""Azure's errors -> ours, in this one place."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceResponseError,
)

from ..errors import (
    AccessDenied,
    AzureLauncherError,
    CapacityUnavailable,
    EndpointUnreachable,
    LoginError,
    QuotaExceeded,
    RequestRefused,
)
from .login_advice import how_to_log_in
from .patience import Throttled, Unanswered, Unregistered, one_call

CAPACITY_CODES = frozenset(
    {
        "SkuNotAvailable",
        "AllocationFailed",
        "ZonalAllocationFailed",
        "OverconstrainedAllocationRequest",
        "OverconstrainedZonalAllocationRequest",
    }
)


QUOTA_CODES = frozenset({"QuotaExceeded", "PublicIPCountLimitReached"})
NO_ANSWERS = (ServiceRequestError, ServiceResponseError, IncompleteReadError, Unanswered)
LOCKED_CODES = frozenset({"ScopeLocked", "CannotDeleteResource"})


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """One call to Azure: limit its time, and turn the SDK's exceptions into ours.

    `doing` says in words what was attempted.
    """
    try:
        with one_call():
            yield
    except (AzureError, Unanswered, Throttled) as error:
        raise translate(error, doing) from error
    except Unregistered as refusal:
        raise translate(refusal.error, doing) from refusal


def translate(error: BaseException, doing: str) -> AzureLauncherError:
    """The one place where Azure's errors are mapped to ours."""
    if isinstance(error, ClientAuthenticationError) and error.response is None:
        return LoginError(f"Not logged in to Azure: {_first_line(str(error))}. {how_to_log_in()}")
    if isinstance(error, Throttled):
        text = f"{doing} failed: {error}, as it has too much to do. Try again then."
        return RequestRefused(text, "TooManyRequests")
    if isinstance(error, NO_ANSWERS):
        return EndpointUnreachable(
            f"The Azure endpoint does not answer while {doing}: {_first_line(str(error))}. Check "
            "the network, the proxy settings and c.AzureVMLauncher.endpoint."
        )
    if isinstance(error, HttpResponseError):
        code = code_of(error)
        message = getattr(error.error, "message", None) or error.message
        if error.status_code == 401:
            return AccessDenied(_refused_login(code, message, doing))
        if error.status_code == 403 or code.startswith("Subscription"):
            return AccessDenied(f"Azure does not allow {doing}: {_first_line(message)} ({code})")
        if code == "InvalidSubscriptionId":
            return AccessDenied(f"{_first_line(message)} Check c.AzureVMLauncher.subscription_id.")
        return error_of_code(code, message, doing)
    return RequestRefused(f"{doing} failed: {_first_line(str(error))}")


def _refused_login(code: str, message: str, doing: str) -> str:
    """What to tell of a token that the Resource Manager does not take: there is a login."""
    text = f"Azure does not accept your login for {doing}: {_first_line(message)} ({code})."
    if wanted := re.search(r"must match[^']*'https://[^/]+/([\w.-]+)", message):
        tenant = wanted.group(1)
        return (
            f"{text} The subscription is of tenant {tenant}: set c.AzureVMLauncher.tenant_id = "
            f"'{tenant}', log in there with `az login --tenant {tenant}`, or choose another "
            "subscription."
        )
    return f"{text} `ipcluster-azure doctor` shows which login was found; log in anew with it."


def error_of_code(code: str, message: str, doing: str) -> AzureLauncherError:
    text = f"Azure refused {doing}: {_first_line(message)} ({code})"
    if code in QUOTA_CODES or (code == "OperationNotAllowed" and "quota" in message.lower()):
        return QuotaExceeded(text)
    if code in LOCKED_CODES:
        text += " `az lock list` shows the lock, `az lock delete` removes it; then do it again."
    if code in CAPACITY_CODES:
        return CapacityUnavailable(f"{text} Try another vm_size or location.")
    return RequestRefused(text, code)


def code_of(error: HttpResponseError) -> str:
    return str(getattr(error.error, "code", None) or error.status_code or "")


def _first_line(text: str | None) -> str:
    lines = (text or "").strip().splitlines()
    return lines[0].strip() if lines else "no reason given"
