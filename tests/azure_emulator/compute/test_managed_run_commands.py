"""Managed Run Command: scripts that really run on the machine, and what is told of them."""

from __future__ import annotations

from typing import Any

from ..cloud import LOCATION, USER, Answer, Site
from ..hosts import Host

VERSION = "2024-07-01"


def path(site: Site, name: str = "", query: str = "") -> str:
    return site.provider("virtualMachines", "controller", f"runCommands/{name}".rstrip("/")) + query


def put(site: Site, name: str, script: str, **properties: Any) -> Answer:
    body = {"location": LOCATION, "properties": {"source": {"script": script}, **properties}}
    return site.cloud.call("PUT", path(site, name), body, version=VERSION)


def view(site: Site, name: str) -> dict[str, Any]:
    query = "?$expand=instanceView"
    found = site.cloud.call("GET", path(site, name, query), version=VERSION)
    return dict(found.body["properties"]["instanceView"])


def ran(site: Site, name: str, script: str, **properties: Any) -> dict[str, Any]:
    assert site.cloud.wait_for(put(site, name, script, **properties))["status"] == "Succeeded"
    return view(site, name)


def test_scripts_on_a_real_machine(host: Host) -> None:
    site, cloud = host.site, host.site.cloud
    given = {"parameters": [{"name": "who", "value": "you"}]}
    secret = {"protectedParameters": [{"name": "word", "value": "secret"}]}
    first = ran(site, "one", 'echo "$USER $who $word"; echo oops >&2; exit 3', **given, **secret)
    assert (first["executionState"], first["exitCode"]) == ("Failed", 3)
    assert (first["output"], first["error"]) == ("root you secret\n", "oops\n")
    shown = cloud.call("GET", path(site, "one"), version=VERSION).body
    assert "secret" not in str(shown)
    assert shown["properties"]["provisioningState"] == "Succeeded"
    assert "instanceView" not in shown["properties"]

    # as the user, in that user's home
    second = ran(site, "two", 'echo "$USER"; pwd', runAsUser=USER)
    assert second["output"].splitlines()[0] == USER
    assert second["output"].splitlines()[1].endswith(f"/home/{USER}")
    stranger = ran(site, "three", "echo hi", runAsUser="stranger")
    assert (stranger["executionState"], stranger["output"]) == ("Failed", "")
    assert "stranger" in stranger["error"]

    # what takes too long is killed, with its children
    late = ran(site, "four", "echo begun; sleep 600 & sleep 600", timeoutInSeconds=1)
    assert late["executionState"] == "TimedOut"
    assert late["output"] in ("begun\n", "")  # where the computer is very busy
    assert late["exitCode"] != 0

    listed = cloud.call("GET", path(site), version=VERSION).body["value"]
    assert [item["name"] for item in listed] == ["one", "two", "three", "four"]
    failed = cloud.wait_for(put(site, "five", "exit 4", treatFailureAsDeploymentFailure=True))
    assert (failed["status"], failed["error"]["code"]) == ("Failed", "VMExtensionProvisioningError")

    # an asynchronous one has succeeded while it runs, and ends with its deletion
    running = ran(site, "six", "sleep 600", asyncExecution=True)
    assert running["executionState"] == "Running"
    gone = cloud.call("DELETE", path(site, "six"), version=VERSION)
    assert cloud.wait_for(gone)["status"] == "Succeeded"
    assert cloud.call("GET", path(site, "six"), version=VERSION).status == 404


def test_refusals(host: Host) -> None:
    site, cloud = host.site, host.site.cloud

    def refused(**properties: Any) -> str:
        body = {"location": LOCATION, "properties": properties}
        return cloud.call("PUT", path(site, "one"), body, version=VERSION).code

    assert refused() == "InvalidParameter"
    assert refused(source={"script": "a", "commandId": "ifconfig"}) == "InvalidParameter"
    assert refused(source={"commandId": "NoSuch"}) == "InvalidParameter"
    assert refused(source={"scriptUri": "https://example.com/x.sh"}) == "InvalidParameter"
    assert refused(source={"script": "a"}, timeoutInSeconds=0) == "InvalidParameter"
    stop = cloud.call("POST", site.provider("virtualMachines", "controller", "powerOff"))
    assert cloud.wait_for(stop)["status"] == "Succeeded"
    assert refused(source={"script": "a"}) == "OperationNotAllowed"
    assert cloud.call("DELETE", path(site, "none"), version=VERSION).status == 204
