"""A complete deployment's deletions, and the ends of deployments that are under way."""

from __future__ import annotations

import time

from ..cloud import Cloud, Keys, Site
from ..template_samples import Deployer, machine, nic, nsg, template, vnet


def test_complete_deletes_what_is_not_in_the_template(deployer: Deployer, keys: Keys) -> None:
    site = deployer.site
    subnet = site.network("old")
    site.nic("old-nic", subnet)
    kept = template(
        vnet("v", "10.255.0.0/24"),
        nic("n", "v", dependsOn=["v"]),
        machine(keys, "m", "['n']"),
        nsg("unwanted", condition=False),
    )
    site.made("networkSecurityGroups", "unwanted")
    deployer.made(kept)
    assert {"old", "old-nic", "unwanted"} <= set(site.names())  # Incremental is the default
    deployer.made(kept, mode="Complete")
    names = site.names()
    disks = [name for name in names if name.startswith("m_")]
    assert len(disks) == 1  # what a VM of the template has made stays
    assert sorted(names) == sorted(["m", "n", "v", *disks])
    kinds = [
        item["properties"]["provisioningOperation"]
        for item in deployer.call("GET", "main/operations").body["value"]
    ]
    assert "DeploymentCleanup" in kinds


def test_cancelling_and_what_is_still_active(slow: Cloud, keys: Keys) -> None:
    site = Site(slow, "cancelled", "10.250.0.0/20")
    deployer = Deployer(site)
    content = template(vnet("v", site.prefix), nic("n", "v", dependsOn=["v"]))
    deployer.put(content)
    running = deployer.call("GET", "main")
    assert running.body["properties"]["provisioningState"] in ("Accepted", "Running")
    assert "retry-after" in running.headers
    again = deployer.put(content)
    assert (again.status, again.code) == (409, "DeploymentActive")
    assert deployer.call("DELETE", "main").code == "DeploymentActive"
    answer = deployer.call("POST", "main/cancel")
    assert (answer.status, answer.body) == (204, None)
    assert deployer.call("GET", "main").body["properties"]["provisioningState"] == "Canceled"
    answer = deployer.call("POST", "main/cancel")
    assert (answer.status, answer.code) == (409, "DeploymentCannotBeCancelled")
    time.sleep(0.5)
    assert "n" not in site.names()
    assert deployer.call("GET", "main").body["properties"]["provisioningState"] == "Canceled"


def test_deleting_the_group_ends_the_deployment(slow: Cloud) -> None:
    site = Site(slow, "doomed", "10.251.0.0/20")
    deployer = Deployer(site)
    chain = [nsg("g0"), *(nsg(f"g{n}", dependsOn=[f"g{n - 1}"]) for n in range(1, 30))]
    deployer.put(template(*chain))
    slow.call("DELETE", site.path)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = deployer.call("GET", "main")
        if found.status == 404 or found.body["properties"]["provisioningState"] == "Canceled":
            return
        time.sleep(0.05)
    raise AssertionError(found)
