"""Azure's errors -> ours, in this one place."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

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
from .next_steps import next_step
from .patience import Throttled, Unanswered, Unregistered, one_call
from .policy_denials import denial_in_words

CAPACITY_CODES = frozenset(
    {
        "SkuNotAvailable",
        "AllocationFailed",
        "ZonalAllocationFailed",
        "OverconstrainedAllocationRequest",
        "OverconstrainedZonalAllocationRequest",
    }
)


NOT_FOUND = 404
QUOTA_CODES = frozenset({"QuotaExceeded", "PublicIPCountLimitReached"})
NO_ANSWERS = (ServiceRequestError, ServiceResponseError, IncompleteReadError, Unanswered)


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
        if denial := denial_in_words(_body(error)):
            return AccessDenied(f"Azure does not allow {doing}: {denial}")
        if error.status_code == 401:
            return AccessDenied(_refused_login(code, message, doing))
        if error.status_code == 403 or code.startswith("Subscription"):
            return AccessDenied(
                f"Azure does not allow {doing}: {_first_line(message)} ({code})"
                f"{next_step(code, message)}"
            )
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


def error_of_operation(error: Mapping[str, Any], doing: str) -> AzureLauncherError:
    """Why a long-running operation has failed, of the `error` in Azure's report on it."""
    if denial := denial_in_words(error):
        return AccessDenied(f"Azure does not allow {doing}: {denial}")
    message = str(error.get("message") or "no reason given")
    return error_of_code(str(error.get("code") or ""), message, doing)


def require_absence(error: HttpResponseError) -> None:
    """Raise the error again unless it says that a resource isn't there.

    A subscription that this login doesn't see has status 404 as well, and so has whatever else
    answers in Azure's place: both know nothing of what is there.
    """
    code = getattr(error.error, "code", None) or ""
    elsewhere = not code or code.startswith(("Subscription", "InvalidResource"))
    if error.status_code != NOT_FOUND or elsewhere:
        raise error


def error_of_code(code: str, message: str, doing: str) -> AzureLauncherError:
    text = f"Azure refused {doing}: {_first_line(message)} ({code})"
    if code in QUOTA_CODES or (code == "OperationNotAllowed" and "quota" in message.lower()):
        return QuotaExceeded(text)
    if code in CAPACITY_CODES:
        return CapacityUnavailable(f"{text} Try another vm_size or location.")
    return RequestRefused(f"{text}{next_step(code, message)}", code)


def code_of(error: HttpResponseError) -> str:
    return str(getattr(error.error, "code", None) or error.status_code or "")


def _body(error: HttpResponseError) -> Mapping[str, Any]:
    """What Azure has sent as the "error", with the members that the SDK's own class leaves out."""
    try:
        found = json.loads(error.response.text())["error"]  # type: ignore[union-attr]
    except (AttributeError, KeyError, TypeError, ValueError, AzureError):
        return {}
    return found if isinstance(found, Mapping) else {}


def _first_line(text: str | None) -> str:
    lines = (text or "").strip().splitlines()
    return lines[0].strip() if lines else "no reason given"
