"""Declared policies: which writes of resources are denied, whoever asks."""

from __future__ import annotations

import json
from typing import Any

from ..base import errors
from ..base.calls import Call
from ..base.declared import OBJECT, TEXT, Rule, checked
from ..base.messages import Json
from ..base.store import Resource, Store
from . import policy_conditions

GROUPS = "microsoft.resources/subscriptions/resourcegroups"
MEMBERS = {
    "name": TEXT,
    "display_name": TEXT,
    "mode": Rule("All or Indexed", lambda value: value in ("All", "Indexed")),
    "effect": Rule("deny", lambda value: value == "deny"),
    "if": OBJECT,
}


class Policies:
    """All declared policies, assigned to the whole subscription."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._declared: dict[str, Json] = {}

    def declare(self, body: Json) -> Json:
        """Declare a policy, in the place of one of the same name."""
        checked(body, MEMBERS, required=("name", "if"))
        policy_conditions.check(body["if"])
        self._declared[body["name"].lower()] = body
        return body

    def listed(self) -> list[Json]:
        return list(self._declared.values())

    def withdraw(self, name: str) -> Json:
        policy = self._declared.pop(name.lower(), None)
        if policy is None:
            raise errors.ArmError(404, "NotFound", f"There is no policy '{name}'.")
        return policy

    def withdraw_all(self) -> None:
        self._declared.clear()

    def check(self, call: Call, body: object) -> None:
        """Refuse a PUT or PATCH that a policy denies; body: as it came, valid or not."""
        if not self._declared or call.method not in ("PUT", "PATCH") or not isinstance(body, dict):
            return
        resource = self._wanted(call, body)
        violated = []
        for policy in self._declared.values():
            seen: list[Json] = []
            if _concerns(policy, call) and policy_conditions.judge(policy["if"], resource, seen):
                violated.append((policy, [item for item in seen if item["result"] == "True"]))
        if violated:
            raise self._refusal(call, violated)

    def _wanted(self, call: Call, body: Json) -> Json:
        """Return the resource as it would be after the request."""
        found = self._store.find(call.scope)
        resource = _shown(found) if found and call.method == "PATCH" else {}
        resource = _merged(resource, {**body, "tags": body.get("tags", resource.get("tags"))})
        location = resource.get("location")
        if isinstance(location, str):
            resource["location"] = location.replace(" ", "").lower()
        return {**resource, "type": call.resource_type, "name": call.name, "id": call.scope}

    def _refusal(self, call: Call, violated: list[tuple[Json, list[Json]]]) -> errors.ArmError:
        base = f"/subscriptions/{self._store.subscription_id}"
        identifiers = [self._identifiers(base, policy) for policy, _ in violated]
        text = json.dumps(identifiers, separators=(",", ":"))
        infos = [
            {"type": "PolicyViolation", "info": _info(base, policy, seen)}
            for policy, seen in violated
        ]
        return errors.ArmError(
            403,
            "RequestDisallowedByPolicy",
            f"Resource '{call.name}' was disallowed by policy. Policy identifiers: '{text}'.",
            target=call.name,
            additional_info=infos,
            headers=errors.GATEWAY,
        )

    def _identifiers(self, base: str, policy: Json) -> Json:
        return {
            "policyAssignment": {"name": _title(policy), "id": _id(base, "Assignments", policy)},
            "policyDefinition": {"name": _title(policy), "id": _id(base, "Definitions", policy)},
        }


def _concerns(policy: Json, call: Call) -> bool:
    """Return whether a policy is about this call.

    Mode Indexed passes over groups, and over what has no tags and location of its own. Of
    Microsoft.Resources Azure evaluates groups alone, not deployments.
    """
    kind = call.resource_type.lower()
    if kind.startswith("microsoft.resources/") and kind != GROUPS:
        return False
    if policy.get("mode", "All") == "All":
        return True
    return call.resource_type.count("/") == 1 and call.resource_type.lower() != GROUPS


def _shown(resource: Resource) -> Json:
    known: Json = {"location": resource.location, "tags": resource.tags}
    return {**resource.top, **known, "properties": resource.properties}


def _merged(old: Any, new: Any) -> Any:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    both = {name: _merged(old.get(name), value) for name, value in new.items() if name != "tags"}
    return {**old, **both, **({"tags": new["tags"]} if "tags" in new else {})}


def _title(policy: Json) -> str:
    return str(policy.get("display_name") or policy["name"])


def _id(base: str, kind: str, policy: Json) -> str:
    return f"{base}/providers/Microsoft.Authorization/policy{kind}/{policy['name']}"


def _info(base: str, policy: Json, seen: list[Json]) -> Json:
    return {
        "policyDefinitionDisplayName": _title(policy),
        "evaluationDetails": {"evaluatedExpressions": seen},
        "policyDefinitionId": _id(base, "Definitions", policy),
        "policyDefinitionName": policy["name"],
        "policyDefinitionEffect": "deny",
        "policyAssignmentId": _id(base, "Assignments", policy),
        "policyAssignmentName": policy["name"],
        "policyAssignmentDisplayName": _title(policy),
        "policyAssignmentScope": base,
        "policyAssignmentParameters": {},
    }
