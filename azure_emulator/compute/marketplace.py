"""Terms of images that are sold: Microsoft.MarketplaceOrdering/.../agreements/current."""

from __future__ import annotations

from ..base import errors
from ..base.messages import ArmRequest, ArmResponse, Json
from ..state import Emulator

TYPE = "Microsoft.MarketplaceOrdering/offertypes/publishers/offers/plans/agreements"


def _key(publisher: str, offer: str, plan: str) -> tuple[str, str, str]:
    return publisher.lower(), offer.lower(), plan.lower()


def _shown(em: Emulator, request: ArmRequest) -> Json:
    names = {name: request.params[name] for name in ("publisher", "offer", "plan")}
    terms = "https://mpcprodsa.blob.core.windows.net/legalterms/"
    return {
        "id": f"/subscriptions/{em.store.subscription_id}/providers/Microsoft.MarketplaceOrdering"
        f"/offertypes/virtualmachine/publishers/{names['publisher']}/offers/{names['offer']}"
        f"/plans/{names['plan']}/agreements/current",
        "name": names["plan"],
        "type": "Microsoft.MarketplaceOrdering/offertypes",
        "properties": {
            "publisher": names["publisher"],
            "product": names["offer"],
            "plan": names["plan"],
            "licenseTextLink": f"{terms}{names['offer']}.txt",
            "marketplaceTermsLink": f"{terms}marketplace.txt",
            "retrieveDatetime": em.clock.now().isoformat(),
            "signature": "NONE",
            "accepted": _key(**names) in em.accepted_terms,
        },
    }


def get_terms(em: Emulator, request: ArmRequest) -> ArmResponse:
    return ArmResponse(200, _shown(em, request))


def put_terms(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Accept the terms, or take that back."""
    key = _key(*(request.params[name] for name in ("publisher", "offer", "plan")))
    accepted = (request.json_object().get("properties") or {}).get("accepted")
    (em.accepted_terms.add if accepted else em.accepted_terms.discard)(key)
    return ArmResponse(200, _shown(em, request))


def check_terms(em: Emulator, plan: Json) -> None:
    publisher, offer, name = plan["publisher"], plan["product"], plan["name"]
    if _key(publisher, offer, name) in em.accepted_terms:
        return
    raise errors.ArmError(
        400,
        "ResourcePurchaseValidationFailed",
        "User failed validation to purchase resources. Error message: 'You have not accepted the "
        f"legal terms on this subscription: '{em.store.subscription_id}' for this plan. Before "
        "the subscription can be used, you need to accept the legal terms of the image. To read "
        "and accept legal terms, use the Azure CLI commands described at "
        "https://go.microsoft.com/fwlink/?linkid=2110637 or the PowerShell commands available at "
        "https://go.microsoft.com/fwlink/?linkid=862451. Alternatively, deploying via the Azure "
        "portal provides a UI experience for reading and accepting the legal terms. Offer "
        f"details: publisher='{publisher}' offer = '{offer}', sku = '{name}', Correlation Id: "
        f"'{em.new_uuid()}'.'",
        headers=errors.GATEWAY,
    )
