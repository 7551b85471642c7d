"""Microsoft.Authorization/permissions: what the caller may do in a subscription or a group."""

from __future__ import annotations

from ..base.messages import ArmRequest, ArmResponse, page
from ..state import Emulator

TYPE = "Microsoft.Authorization/permissions"


def list_(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Answer one entry for each role that the caller has there or above."""
    scope = f"/subscriptions/{em.store.subscription_id}"
    if "group" in request.params:
        scope = em.store.group(request.params["group"]).id
    return page(
        [
            {
                "actions": list(actions),
                "notActions": list(not_actions),
                "dataActions": [],
                "notDataActions": [],
            }
            for actions, not_actions in request.principal.granted(scope)
        ]
    )
