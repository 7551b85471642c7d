"""Microsoft.Authorization/permissions: what the caller may do in a subscription, in a group, or
with a resource."""

from __future__ import annotations

from ..base.messages import ArmRequest, ArmResponse, page
from ..state import Emulator
from . import scopes

TYPE = "Microsoft.Authorization/permissions"


def list_(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Answer one entry for each role that the caller has there or above."""
    scope = scopes.of_request(em, request)
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
