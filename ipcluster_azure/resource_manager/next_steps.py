"""What to do about a refusal of Azure's, where its own words don't say. Pure."""

import re
from collections.abc import Callable, Mapping
from typing import Any

Json = Mapping[str, Any]
SECTION = "c.AzureVMLauncher"
READ_RIGHTS = (
    "Microsoft.Compute/locations/publishers/artifacttypes/offers/skus/versions/read, for one in a "
    "gallery Microsoft.Compute/galleries/images/read"
)


def next_step(code: str, message: str) -> str:
    """What to type or to set, a sentence with a blank before it; empty where nothing is known."""
    for pattern, step in STEPS.items():
        if re.search(pattern, f"{code}: {message}", re.IGNORECASE | re.DOTALL):
            return f" {step if isinstance(step, str) else step(message)}"
    return ""


def _register(message: str) -> str:
    """Azure's message has the namespace in quotes."""
    found = re.search(r"namespace '([\w.]+)'", message)
    namespace = found[1] if found else "NAMESPACE"
    return (
        f"`az provider register --namespace {namespace} --wait` does that, by somebody who may "
        "register providers with the subscription; then start again."
    )


def _accept_terms(message: str) -> str:
    found = re.search(
        r"publisher(?:Id)?\s*[=:]\s*'?([\w.-]+)'?,? *offer(?:Id)?\s*[=:]\s*'?([\w.-]+)'?"
        r"(?:,? *sku\s*[=:]\s*'?([\w.-]+)'?)?",
        message,
        re.IGNORECASE,
    )
    if found and found[3]:
        which = f"--publisher {found[1]} --offer {found[2]} --plan {found[3]}"
    else:
        which = "--urn IMAGE"
    return (
        f"`az vm image terms show {which}` has the terms of the image, `az vm image terms accept "
        f"{which}` accepts them, once and for all; then start again."
    )


# patterns of "CODE: message"; the first that fits counts
STEPS: dict[str, str | Callable[[str], str]] = {
    r"^(ScopeLocked|CannotDeleteResource)\b": (
        "`az lock list` shows the lock, `az lock delete` removes it; then do it again."
    ),
    r"^MissingSubscriptionRegistration\b|not registered to use namespace": _register,
    r"^(ResourcePurchase|MarketplacePurchase)\w*Failed\b|legal terms": _accept_terms,
    r"^VMMarketplaceInvalidInput\b": (
        "The image is sold under a plan, which is sent by itself if Azure tells it: you need the "
        f"right to read the image ({READ_RIGHTS}). A managed image does not tell it: put that into "
        "a gallery, under a definition that has the plan."
    ),
    r"^RequestDisallowedByAzure\b": (
        f"Your subscription is for some regions only: set {SECTION}.location to one of those that "
        "`az policy assignment list --query \"[?name=='sys.regionrestriction'].parameters\"` shows."
    ),
    r"smaller than the size of the corresponding disk": (
        f"Set {SECTION}.os_disk_gb to the image's size at least, or to 0."
    ),
    r"CPU Architecture|Hypervisor Generation|disk controller types|'\S+' security type": (
        f"Set {SECTION}.vm_size or {SECTION}.image to what fits the other."
    ),
    r"^(PlatformImage|GalleryImage|Image)NotFound\b": (
        f"Check {SECTION}.image; `az vm image list --all` and `az sig image-version list` show "
        f"what there is, and in which {SECTION}.location."
    ),
}
