"""As much of Microsoft Graph as az asks."""

from __future__ import annotations

from ..cloud import Answer, Cloud, Site

IDENTITY = "providers/Microsoft.ManagedIdentity/userAssignedIdentities"


def graph(arm: Cloud, method: str, path: str, body: object = None) -> Answer:
    return arm.call(method, f"{arm.info.endpoint}/v1.0/{path}", body)


def test_who_has_an_object_id(arm: Cloud, site: Site) -> None:
    path = f"{site.path}/{IDENTITY}/mine"
    made = arm.call("PUT", path, {"location": "eastus"}, version="2023-01-31").body["properties"]
    ids = {"ids": [made["principalId"].upper(), "11111111-1111-1111-1111-111111111111"]}
    (found,) = graph(arm, "POST", "directoryObjects/getByIds", ids).body["value"]
    assert (found["id"], found["displayName"]) == (made["principalId"], "mine")
    condition = f"servicePrincipalNames/any(c:c%20eq%20'{made['clientId']}')"
    (same,) = graph(arm, "GET", f"servicePrincipals?$filter={condition}").body["value"]
    assert same == found
    assert graph(arm, "GET", "users").body["value"] == []


def test_refusals(arm: Cloud) -> None:
    assert graph(arm, "POST", "directoryObjects/getByIds", {}).status == 400
    assert graph(arm, "GET", "applications").status == 404
    unsigned = arm.call("GET", f"{arm.info.endpoint}/v1.0/users", headers={})
    assert (unsigned.status, unsigned.code) == (401, "AuthenticationFailed")
