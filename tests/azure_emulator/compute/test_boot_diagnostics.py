"""Serial logs, asked for by the real SDK, and read at their URLs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from azure.core.exceptions import HttpResponseError

from azure_emulator import client

from ..cloud import Cloud, Keys, Site, vm_body
from ..conftest import running
from ..hosts import Host

ENABLED = {"properties": {"diagnosticsProfile": {"bootDiagnostics": {"enabled": True}}}}


def urls(cloud: Cloud, group: str, name: str, **options: Any) -> Any:
    return cloud.compute.virtual_machines.retrieve_boot_diagnostics_data(group, name, **options)


def read(cloud: Cloud, url: str, method: str = "GET") -> requests.Response:
    """Without a login, as who has the URL needs none."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, verify=cloud.info.ca_file, timeout=30)


@pytest.fixture
def diagnosed(host: Host) -> Host:
    answer = host.site.cloud.call(
        "PATCH", host.site.provider("virtualMachines", "controller"), ENABLED
    )
    assert answer.status < 300, answer
    return host


def test_a_machines_serial_log_has_what_cloud_init_printed(diagnosed: Host) -> None:
    cloud, group = diagnosed.site.cloud, diagnosed.site.group
    url = urls(cloud, group, "controller").serial_console_log_blob_uri
    assert urlsplit(url).path.endswith(f"/controller.{diagnosed.vm_id}.serialconsole.log")
    marked = "a line of a boot command"
    with open(diagnosed.directory / "cloud-init-output.log", "a") as log:
        log.write(f"{marked}\n")
    answer = read(cloud, url)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.text.startswith("[    0.000000] Linux version")
    assert marked in answer.text
    assert answer.text.endswith("controller login: ")
    assert read(cloud, url, "PUT").status_code == 405
    screenshot = urls(cloud, group, "controller").console_screenshot_blob_uri
    assert read(cloud, screenshot).headers["x-ms-error-code"] == "BlobNotFound"


def test_only_who_has_the_url_can_read(diagnosed: Host) -> None:
    cloud, group = diagnosed.site.cloud, diagnosed.site.group
    url = urls(cloud, group, "controller", sas_uri_expiration_time_in_minutes=5)
    signed = url.serial_console_log_blob_uri
    bare, _, query = signed.partition("?")
    later = query.replace("se=2", "se=3")
    other = bare.replace("serialconsole.log", "screenshot.bmp")
    for wrong in (
        bare,
        f"{bare}?{later}",
        f"{bare}?{query[:-1]}",
        f"{other}?{query}",
        f"{signed}é",
    ):
        answer = read(cloud, wrong)
        assert (answer.status_code, "AuthenticationFailed" in answer.text) == (403, True), wrong


@pytest.fixture
def still(tmp_path: Path) -> Iterator[Cloud]:
    """An emulator without machines, whose clock goes on when it is told to."""
    yield from running(tmp_path, machines="none", clock="virtual", seed=5)


def test_a_url_is_of_no_use_when_its_time_is_over(still: Cloud, keys: Keys) -> None:
    site = Site(still, "group", "10.9.0.0/20")
    subnet = {"name": "main", "properties": {"addressPrefix": site.prefix}}
    space = {"addressPrefixes": [site.prefix]}
    site.put("virtualNetworks", "vnet", {"addressSpace": space, "subnets": [subnet]})
    place = {"id": f"{site.id}/providers/Microsoft.Network/virtualNetworks/vnet/subnets/main"}
    ip = [{"name": "primary", "properties": {"subnet": place}}]
    nic = site.put("networkInterfaces", "nic", {"ipConfigurations": ip}).body["id"]
    client.advance(still.info, 60)
    body = vm_body(keys, nic)
    body["properties"] |= ENABLED["properties"]
    assert still.call("PUT", site.provider("virtualMachines", "vm"), body).status == 201
    url = urls(still, "group", "vm", sas_uri_expiration_time_in_minutes=5)
    for passed_s, code in (
        (0, "BlobNotFound"),
        (290, "BlobNotFound"),
        (20, "AuthenticationFailed"),
    ):
        client.advance(still.info, passed_s)
        answer = read(still, url.serial_console_log_blob_uri)
        assert answer.headers["x-ms-error-code"] == code


def test_how_long_it_may_be_of_use(arm: Cloud, site: Site, keys: Keys) -> None:
    site.vm("vm", keys, str(site.nic("nic", site.network())["id"]))
    assert arm.call("PATCH", site.provider("virtualMachines", "vm"), ENABLED).status < 300
    path = site.provider("virtualMachines", "vm", "retrieveBootDiagnosticsData")
    for minutes in ("0", "1441", "-1", "x", "%C2%B2"):
        answer = arm.call("POST", f"{path}?sasUriExpirationTimeInMinutes={minutes}")
        assert (answer.status, answer.code) == (400, "InvalidParameter"), minutes
    for minutes in ("1", "1440"):
        assert arm.call("POST", f"{path}?sasUriExpirationTimeInMinutes={minutes}").status == 200


def test_a_machine_without_boot_diagnostics_has_no_log(arm: Cloud, site: Site, keys: Keys) -> None:
    site.vm("vm", keys, str(site.nic("nic", site.network())["id"]))
    with pytest.raises(HttpResponseError, match="is not enabled for the VM 'vm'"):
        urls(arm, site.group, "vm")
    assert (
        arm.call("POST", site.provider("virtualMachines", "no", "retrieveBootDiagnosticsData")).code
        == "ResourceNotFound"
    )
