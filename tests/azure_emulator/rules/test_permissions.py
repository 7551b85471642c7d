"""Tokens that may not do everything, as the real SDK meets them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from azure_emulator import client
from azure_emulator.base import calls
from azure_emulator.base.principals import Principal
from azure_emulator.front import routes
from azure_emulator.rules import permissions
from azure_emulator.testing import restricted

from ..cloud import LOCATION, Cloud, Keys, Site, Token, scale_set_body, vm_body

As = Callable[..., Cloud]
NETWORK = "Microsoft.Network"
IP: Any = {"location": LOCATION, "sku": {"name": "Standard"}}


@pytest.fixture
def holder(arm: Cloud) -> Any:
    """holder(actions...): SDK clients with a token of these actions."""
    made: list[Cloud] = []

    def holding(*actions: str, **members: Any) -> Cloud:
        token = client.token(arm.info, list(actions), **members)
        made.append(Cloud(arm.info, Token(token)))
        return made[-1]

    yield holding
    for cloud in made:
        cloud.close()


def test_a_call_outside_the_tokens_actions(holder: As, site: Site) -> None:
    reader = holder("*/read", object_id="11111111-2222-3333-4444-555555555555")
    assert reader.resource.resource_groups.get(site.group).name == site.group
    with pytest.raises(HttpResponseError) as caught:
        reader.network.public_ip_addresses.begin_create_or_update(site.group, "ip", IP)
    error = caught.value
    assert error.status_code == 403
    assert error.error.code == "AuthorizationFailed"
    scope = f"{site.id}/providers/{NETWORK}/publicIPAddresses/ip"
    assert error.error.message == (
        "The client '11111111-2222-3333-4444-555555555555' with object id "
        "'11111111-2222-3333-4444-555555555555' does not have authorization to perform action "
        f"'{NETWORK}/publicIPAddresses/write' over scope '{scope}' or the scope is invalid. If "
        "access was recently granted, please refresh your credentials."
    )
    assert error.response.headers["x-ms-failure-cause"] == "gateway"
    assert site.get("publicIPAddresses", "ip").status == 404


def test_scopes_and_actions_of_lists_groups_and_verbs(holder: As, site: Site, keys: Keys) -> None:
    nobody = holder()
    vm = site.provider("virtualMachines", "vm")
    group = "Microsoft.Resources/subscriptions/resourcegroups"
    for method, path, action, scope in (
        ("GET", site.provider("virtualMachines"), "Microsoft.Compute/virtualMachines/read",
         f"{site.id}/providers/Microsoft.Compute"),
        ("POST", f"{vm}/start", "Microsoft.Compute/virtualMachines/start/action",
         f"{site.cloud.subscription}{vm}"),
        ("DELETE", vm, "Microsoft.Compute/virtualMachines/delete",
         f"{site.cloud.subscription}{vm}"),
        ("PUT", site.path, f"{group}/write", site.id),
        ("GET", "/resourceGroups", f"{group}/read", site.cloud.subscription),
        ("POST", "/providers/Microsoft.Compute/register", "Microsoft.Compute/register/action",
         f"{site.cloud.subscription}/providers"),
    ):  # fmt: skip
        refused = nobody.call(method, path, {"location": LOCATION} if method == "PUT" else None)
        assert refused.status == 403, path
        words = re.search(
            r"action '([^']*)' over scope '([^']*)'", refused.body["error"]["message"]
        )
        assert words
        assert words.group(1) == action
        if "register" not in path:
            assert words.group(2) == scope


def test_whoever_may_begin_may_follow(holder: As, site: Site) -> None:
    writer = holder(f"{NETWORK}/publicIPAddresses/*")
    done = writer.network.public_ip_addresses.begin_create_or_update(site.group, "ip", IP).result()
    assert done.ip_address
    writer.network.public_ip_addresses.begin_delete(site.group, "ip").result()


def test_using_a_subnet_needs_a_right_to_join_it(holder: As, site: Site) -> None:
    subnet = site.network()
    configuration: Any = {"name": "primary", "properties": {"subnet": {"id": subnet}}}
    body = {"location": LOCATION, "properties": {"ipConfigurations": [configuration]}}
    path = site.provider("networkInterfaces", "nic")
    nics = f"{NETWORK}/networkInterfaces/write"
    refused = holder(nics).call("PUT", path, body)
    assert (refused.status, refused.code) == (403, "LinkedAuthorizationFailed")
    message = refused.body["error"]["message"]
    assert f"has permission to perform action '{nics}' on scope '{site.id}/providers" in message
    assert (
        "it does not have permission to perform action(s) "
        f"'{NETWORK}/virtualNetworks/subnets/join/action' on the linked scope(s) '{subnet}' "
        "(respectively) or the linked scope(s) are invalid."
    ) in message
    assert site.get("networkInterfaces", "nic").status == 404
    allowed = holder(nics, f"{NETWORK}/virtualNetworks/subnets/join/action")
    assert allowed.call("PUT", path, body).status == 201


def test_a_machine_needs_its_interface_and_a_set_its_subnet(
    holder: As, site: Site, keys: Keys
) -> None:
    subnet = site.network()
    nsg = site.made("networkSecurityGroups", "nsg")["id"]
    nic = site.nic("nic", subnet)["id"]
    compute = holder("Microsoft.Compute/*")
    vm_path = site.provider("virtualMachines", "vm")
    refused = compute.call("PUT", vm_path, vm_body(keys, nic))
    assert refused.code == "LinkedAuthorizationFailed"
    assert f"'{NETWORK}/networkInterfaces/join/action'" in refused.body["error"]["message"]
    body = scale_set_body(keys, subnet, 1)
    network = body["properties"]["virtualMachineProfile"]["networkProfile"]
    network["networkInterfaceConfigurations"][0]["properties"]["networkSecurityGroup"] = {"id": nsg}
    set_path = site.provider("virtualMachineScaleSets", "set")
    message = compute.call("PUT", set_path, body).body["error"]["message"]
    joins = f"{NETWORK}/virtualNetworks/subnets/join/action,{NETWORK}/networkSecurityGroups/join"
    assert f"perform action(s) '{joins}/action' on the linked scope(s) '{subnet},{nsg}'" in message
    both = holder("Microsoft.Compute/*", "*/join/action")
    assert both.call("PUT", vm_path, vm_body(keys, nic)).status == 201
    assert both.call("PUT", set_path, body).status == 201


def test_identities_and_images_are_linked_too(holder: As, site: Site, keys: Keys) -> None:
    nic = site.nic("nic", site.network())["id"]
    identity = f"{site.id}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/me"
    image = f"{site.id}/providers/Microsoft.Compute/galleries/g/images/i/versions/1.0.0"
    body = vm_body(keys, nic)
    body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}
    body["properties"]["storageProfile"]["imageReference"] = {"id": image}
    writer = holder("Microsoft.Compute/virtualMachines/write", f"{NETWORK}/*")
    refused = writer.call("PUT", site.provider("virtualMachines", "vm"), body)
    message = refused.body["error"]["message"]
    assert "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action" in message
    assert "Microsoft.Compute/galleries/images/versions/read" in message
    assert identity in message


def test_what_is_named_within_a_resource_is_its_own(holder: As, site: Site) -> None:
    site.network()
    vnet = site.get("virtualNetworks", "vnet").body
    writer = holder(f"{NETWORK}/virtualNetworks/write")
    subnets = [{"id": item["id"], "name": item["name"], "properties": {
        "addressPrefix": item["properties"]["addressPrefix"]}}
        for item in vnet["properties"]["subnets"]]  # fmt: skip
    body = {"location": LOCATION, "properties": {
        "addressSpace": {"addressPrefixes": [site.prefix]}, "subnets": subnets}}  # fmt: skip
    assert writer.call("PUT", site.provider("virtualNetworks", "vnet"), body).status == 200


@pytest.mark.parametrize(
    ("actions", "not_actions", "action", "allowed"),
    [
        (["*"], [], "Microsoft.Compute/virtualMachines/write", True),
        (["*/read"], [], "Microsoft.Compute/virtualMachines/read", True),
        (["*/read"], [], "Microsoft.Compute/virtualMachines/write", False),
        (["microsoft.compute/VIRTUALMACHINES/*"], [], "Microsoft.Compute/virtualMachines/w", True),
        (["Microsoft.Compute/virtualMachines"], [], "Microsoft.Compute/virtualMachines/a", False),
        (["Microsoft.Compute/*/write"], [], "Microsoft.Compute/virtualMachines/write", True),
        (["Microsoft.Compute/*/write"], [], "MicrosoftXCompute/virtualMachines/write", False),
        (["*"], ["*/delete"], "Microsoft.Compute/virtualMachines/delete", False),
        (["*"], ["*/delete"], "Microsoft.Compute/virtualMachineScaleSets/delete/action", True),
        ([], [], "Microsoft.Compute/virtualMachines/read", False),
    ],
)
def test_wildcards(
    actions: list[str], not_actions: list[str], action: str, *, allowed: bool
) -> None:
    principal = Principal("id", tuple(actions), tuple(not_actions))
    assert principal.may(action, "/") is allowed


def test_every_route_has_an_action_of_azures_form() -> None:
    form = re.compile(r"Microsoft\.[A-Za-z]+(/[A-Za-z]+)+/(read|write|delete|action)")
    for route in routes.ROUTES:
        path = route.template.replace("{namespace}", "Microsoft.Compute")
        call = calls.describe(route.method, route.template, path)
        assert form.fullmatch(call.action) or call.action == "Microsoft.Compute/register/action"
        assert call.action.endswith("/action") == (route.method == "POST"), call
        assert call.scope.startswith("/subscriptions")
        if not permissions.FREE.fullmatch(call.action):
            with pytest.raises(permissions.errors.ArmError, match="AuthorizationFailed"):
                permissions.check(Principal("id", ()), call, None)


def test_an_expired_token(arm: Cloud, holder: As) -> None:
    late = holder("*", expires_in_s=-60)
    refused = late.call("GET", "/resourceGroups")
    assert (refused.status, refused.code) == (401, "ExpiredAuthenticationToken")
    assert re.fullmatch(
        r"The access token expiry UTC time '\d+/\d+/\d{4} \d+:\d\d:\d\d [AP]M' is earlier than "
        r"current UTC time '\d+/\d+/\d{4} \d+:\d\d:\d\d [AP]M'\.",
        refused.body["error"]["message"],
    )
    assert refused.headers["www-authenticate"].startswith("Bearer authorization_uri=")
    with pytest.raises(ClientAuthenticationError, match="expiry"):
        list(late.resource.resource_groups.list())
    assert holder("*", expires_in_s=60).call("GET", "/resourceGroups").status == 200


def test_a_token_says_whose_it_is_as_azures_do(arm: Cloud) -> None:
    own = arm.token
    late = client.token(arm.info, ["*"], object_id="somebody", expires_in_s=60)
    claims = [jwt.decode(token, options={"verify_signature": False}) for token in (own, late)]
    tenant = arm.call("GET", "/").body["tenantId"]
    for each in claims:
        assert each["tid"] == tenant
        assert each["iss"] == f"https://sts.windows.net/{tenant}/"
        assert each["aud"] == "https://management.azure.com/"
        assert (each["idtyp"], each["ver"]) == ("user", "1.0")
        assert each["appid"]
        assert each["iat"] == each["nbf"] < each["exp"]
    shown = arm.call("GET", "/emulator/permissions", version=None).body
    assert [each["oid"] for each in claims] == [shown["object_id"], "somebody"]
    assert claims[1]["exp"] - claims[1]["iat"] == 60


def test_a_token_that_was_changed_is_refused(arm: Cloud) -> None:
    head, claims, signature = arm.token.split(".")
    forged = f"{head}.{claims}.{signature[::-1]}"
    for token in (forged, f"{head}.{claims}.", arm.token[:-1]):
        refused = arm.call("GET", "/resourceGroups", headers={"Authorization": f"Bearer {token}"})
        assert (refused.status, refused.code) == (401, "AuthenticationFailed")


def test_the_control_routes_are_the_owners(arm: Cloud, holder: As) -> None:
    everything = holder("*")
    for method, path in (("GET", "/emulator/status"), ("POST", "/emulator/reset")):
        refused = everything.call(method, path, version=None)
        assert (refused.status, refused.code) == (403, "Forbidden")


def test_the_token_file_can_be_restricted_for_a_while(arm: Cloud, site: Site) -> None:
    with restricted(arm.info, ["*/read"], ["Microsoft.Compute/*"]):
        assert arm.call("GET", site.path).status == 200
        assert site.get("virtualMachines").code == "AuthorizationFailed"
        assert arm.call("DELETE", site.path).code == "AuthorizationFailed"
        shown = arm.call("GET", "/emulator/permissions", version=None).body
        assert (shown["actions"], shown["not_actions"]) == (["*/read"], ["Microsoft.Compute/*"])
    assert site.get("virtualMachines").status == 200


@pytest.mark.parametrize(
    "wrong", [{}, {"actions": "*"}, {"actions": [1]}, {"actions": [], "scope": "/"}]
)
def test_a_wrong_declaration_is_refused(arm: Cloud, wrong: dict[str, Any]) -> None:
    for path in ("/emulator/tokens", "/emulator/permissions"):
        answer = arm.call("POST", path, wrong, version=None)
        assert (answer.status, answer.code) == (400, "InvalidParameter")


def test_a_role_definition_on_the_command_line(tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    role = tmp_path / "role.json"

    def start() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "azure_emulator", "start"]
        options = [f"--state-dir={state_dir}", "--machines=none", f"--allow-actions={role}"]
        return subprocess.run([*command, *options], capture_output=True, text=True, check=False)

    role.write_text('{"Name": "broken"}')
    failed = start()
    assert failed.returncode == 1
    assert "is no role definition" in failed.stderr
    assert client.find(state_dir) is None
    try:
        for content, allowed in (
            ({"Name": "mine", "Actions": ["*/read"], "NotActions": []}, True),
            ([{"permissions": [{"actions": ["*"], "notActions": ["*/read"]}]}], False),
        ):
            role.write_text(json.dumps(content))
            assert start().returncode == 0
            info = client.find(state_dir)
            assert info
            cloud = Cloud(info)
            answer = cloud.call("GET", "/resourceGroups")
            cloud.close()
            assert (answer.status == 200) is allowed
    finally:
        client.stop(state_dir)


def test_what_the_caller_may_do(holder: As, site: Site) -> None:
    reader = holder("*/read", not_actions=["Microsoft.Compute/*"])
    address = site.public_ip("ip")["id"]
    for scope in (reader.subscription, site.id, address):
        path = f"{scope}/providers/Microsoft.Authorization/permissions"
        answer = reader.call("GET", path, version="2022-04-01")
        assert answer.body["value"] == [
            {
                "actions": ["*/read"],
                "notActions": ["Microsoft.Compute/*"],
                "dataActions": [],
                "notDataActions": [],
            }
        ]
    path = (
        f"{reader.subscription}/resourceGroups/nosuch/providers/Microsoft.Authorization/permissions"
    )
    assert reader.call("GET", path, version="2022-04-01").code == "ResourceGroupNotFound"
    path = f"{address}2/providers/Microsoft.Authorization/permissions"
    assert reader.call("GET", path, version="2022-04-01").code == "ResourceNotFound"
