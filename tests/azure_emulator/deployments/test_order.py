"""What a template makes, and in which order: dependencies, loops, conditions, nesting."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from ..cloud import LOCATION, Cloud, Keys, Site
from ..template_samples import Deployer, machine, nic, nsg, public_ip, resource, template, vnet

NETWORK = "Microsoft.Network"


def test_loops_conditions_and_references(deployer: Deployer) -> None:
    content = template(
        vnet("net", deployer.site.prefix),
        nic(
            "[concat('n', copyIndex(1))]",
            "net",
            copy={"name": "nics", "count": "[parameters('count')]"},
            dependsOn=["[resourceId('Microsoft.Network/virtualNetworks/', 'net')]"],
        ),
        public_ip("ip", condition="[not(parameters('private'))]"),
        nsg("after", dependsOn=["nics", "ip"]),
        parameters={
            "count": {"type": "int"},
            "private": {"type": "bool", "defaultValue": True},
        },
        outputs={
            "addresses": {
                "type": "array",
                "copy": {
                    "count": "[parameters('count')]",
                    "input": "[reference(concat('n', copyIndex(1))).ipConfigurations[0]"
                    ".properties.privateIPAddress]",
                },
            },
            "public": {
                "type": "string",
                "condition": "[not(parameters('private'))]",
                "value": "[reference('ip').ipAddress]",
            },
            "place": {
                "type": "string",
                "value": "[reference('net', '2023-04-01', 'Full').location]",
            },
        },
    )
    found = deployer.outputs(content, {"count": 3})
    first = deployer.site.prefix.replace(".0.0/20", ".0.")
    assert sorted(found.pop("addresses")) == [f"{first}{n}" for n in (4, 5, 6)]
    assert found == {"place": LOCATION}
    assert deployer.site.names() == ["after", "n1", "n2", "n3", "net"]
    found = deployer.outputs(content, {"count": 1, "private": False})
    assert re.fullmatch(r"[\d.]+", found["public"])


def test_a_reference_by_name_is_a_dependency(deployer: Deployer) -> None:
    content = template(
        nsg("g", tags={"address": "[reference('ip').ipAddress]"}),
        public_ip("ip"),
    )
    found = deployer.made(content)
    assert found["dependencies"][0]["dependsOn"][0]["resourceName"] == "ip"
    address = deployer.site.get("publicIPAddresses", "ip").body["properties"]["ipAddress"]
    assert deployer.site.get("networkSecurityGroups", "g").body["tags"] == {"address": address}


def test_children_nested_and_by_long_name(deployer: Deployer) -> None:
    prefix = deployer.site.prefix
    base = prefix.rsplit(".", 2)[0]
    subnets = f"{NETWORK}/virtualNetworks/subnets"
    nested = resource(
        "subnets", "a", {"addressPrefix": f"{base}.1.0/24"}, location=None, dependsOn=["v"]
    )
    network = resource(
        f"{NETWORK}/virtualNetworks",
        "v",
        {"addressSpace": {"addressPrefixes": [prefix]}},
        resources=[nested],
    )
    other = resource(
        subnets,
        "[concat('v', '/b')]",
        {"addressPrefix": f"{base}.2.0/24"},
        location=None,
        dependsOn=["v", f"[resourceId('{subnets}', 'v', 'a')]"],
    )
    found = deployer.made(template(other, network))
    listed = deployer.site.cloud.call(
        "GET", deployer.site.provider("virtualNetworks", "v", "subnets")
    )
    assert [item["name"] for item in listed.body["value"]] == ["a", "b"]
    kinds = found["providers"][0]["resourceTypes"]
    assert {"resourceType": "virtualNetworks/subnets", "locations": [None]} in kinds


def test_what_depends_waits_for_the_end_and_a_serial_loop_goes_batch_by_batch(
    slow: Cloud,
) -> None:
    deployer = Deployer(Site(slow, "serial", "10.249.0.0/20"))
    loop = {"name": "all", "count": 4, "mode": "serial", "batchSize": 2}
    deployer.made(
        template(
            nsg("[format('g{0}', copyIndex())]", copy=loop, dependsOn=["first"]),
            nsg("first"),
        )
    )
    times = {}
    for item in deployer.call("GET", "main/operations").body["value"]:
        step = item["properties"]
        if "targetResource" in step:
            end = datetime.fromisoformat(step["timestamp"][:26])
            took = timedelta(seconds=float(step["duration"].strip("PTS")))
            times[step["targetResource"]["resourceName"]] = (end - took, end)
    assert all(end - begin > timedelta(seconds=0.15) for begin, end in times.values())
    for batch, before in (("g0 g1", "first"), ("g2 g3", "g0 g1")):
        begin = min(times[name][0] for name in batch.split())
        assert begin >= max(times[name][1] for name in before.split()) - timedelta(seconds=0.01)
    assert times["g0"][0] < times["g1"][1]  # both of a batch at once
    assert times["g1"][0] < times["g0"][1]


def test_properties_with_loops(deployer: Deployer) -> None:
    rules = {
        "name": "securityRules",
        "count": "[length(variables('ports'))]",
        "input": {
            "name": "[concat('rule', copyIndex('securityRules'))]",
            "properties": {
                "protocol": "Tcp",
                "access": "Allow",
                "direction": "Inbound",
                "priority": "[copyIndex('securityRules', 100)]",
                "sourceAddressPrefix": "*",
                "sourcePortRange": "*",
                "destinationAddressPrefix": "*",
                "destinationPortRange": "[string(variables('ports')[copyIndex('securityRules')])]",
            },
        },
    }
    group = resource(f"{NETWORK}/networkSecurityGroups", "g", {"copy": [rules]})
    deployer.made(template(group, variables={"ports": [22, 80, 443]}))
    body = deployer.site.get("networkSecurityGroups", "g").body
    shown = [
        (rule["name"], rule["properties"]["destinationPortRange"], rule["properties"]["priority"])
        for rule in body["properties"]["securityRules"]
    ]
    assert shown == [("rule0", "22", 100), ("rule1", "80", 101), ("rule2", "443", 102)]


def test_symbolic_names(deployer: Deployer) -> None:
    content = template(languageVersion="2.0")
    content["resources"] = {
        "first": nsg("g1"),
        "second": nsg("g2", dependsOn=["first"], tags={"of": "[reference('first').resourceGuid]"}),
    }
    deployer.made(content)
    first = deployer.site.get("networkSecurityGroups", "g1").body
    second = deployer.site.get("networkSecurityGroups", "g2").body
    assert second["tags"] == {"of": first["properties"]["resourceGuid"]}


def test_nested_deployments_see_their_own_names_or_those_outside(deployer: Deployer) -> None:
    def nested(name: str, scope: str) -> dict[str, Any]:
        inner = template(
            nsg("[parameters('name')]"),
            parameters={"name": {"type": "string"}},
            outputs={"made": {"type": "string", "value": "[parameters('name')]"}},
        )
        properties = {
            "mode": "Incremental",
            "expressionEvaluationOptions": {"scope": scope},
            "parameters": {"name": {"value": f"inside-{scope}"}},
            "template": inner,
        }
        if scope == "outer":  # by now there is nothing left that the parameters could fill
            del properties["parameters"], inner["parameters"]
        kind = "Microsoft.Resources/deployments"
        return resource(kind, name, properties, location=None)

    content = template(
        nested("one", "inner"),
        nested("two", "outer"),
        parameters={"name": {"type": "string"}},
        outputs={"made": {"type": "string", "value": "[reference('one').outputs.made.value]"}},
    )
    assert deployer.outputs(content, {"name": "outside"}) == {"made": "inside-inner"}
    assert deployer.site.names() == ["inside-inner", "outside"]
    listed = deployer.call("GET").body["value"]
    assert {item["name"] for item in listed} == {"main", "one", "two"}


def test_a_disk_made_beside_the_machine_it_is_attached_to(deployer: Deployer, keys: Keys) -> None:
    disk = resource(
        "Microsoft.Compute/disks",
        "data",
        {"creationData": {"createOption": "Empty"}, "diskSizeGB": 64},
        apiVersion="2023-04-02",
    )
    identifier = "[resourceId('Microsoft.Compute/disks', 'data')]"
    vm = machine(keys, "m", "'n'")
    attached = {"lun": 2, "createOption": "attach", "managedDisk": {"id": identifier}}
    vm["properties"]["storageProfile"] = {
        **vm["properties"]["storageProfile"],
        "dataDisks": [attached],
    }
    vm["dependsOn"].append("Microsoft.Compute/disks/data")
    prefix = deployer.site.prefix
    deployer.made(template(vm, disk, nic("n", "v", dependsOn=["v"]), vnet("v", prefix)))
    (shown,) = deployer.site.get("virtualMachines", "m").body["properties"]["storageProfile"][
        "dataDisks"
    ]
    assert (shown["lun"], shown["name"], shown["diskSizeGB"]) == (2, "data", 64)
    owner = deployer.site.get("disks", "data").body["managedBy"]
    assert owner.lower().endswith("/virtualmachines/m")
