"""When a cluster ends by itself: what is promised, by whom it is kept, and what is refused."""

import json
import re
from pathlib import Path
from typing import Any

from azure.mgmt.compute import ComputeManagementClient

from azure_emulator import testing
from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.record.contents import Record
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.resource_manager.api import AzureApi
from ipcluster_azure.resource_manager.credentials import FileToken

from ..complete import variant
from .conftest import Profile, wait_for
from .test_eviction import guard_file

ASSIGN = "Microsoft.Authorization/roleAssignments/*"


def _record(profile: Profile) -> Record:
    return RecordFile.of(str(profile.folder), "").require()


def _configure(profile: Profile, text: str) -> None:
    path = profile.folder / "ipcluster_config.py"
    profile.configure(path.read_text(encoding="utf-8") + text)


def _writes(profile: Profile) -> int:
    log = Path(profile.emulator.state_dir, "emulator.log").read_text(encoding="utf-8")
    return len(re.findall(r" PUT /subscriptions\S+", log))


def _answered(profile: Profile, method: str, path: str) -> int:
    log = Path(profile.emulator.state_dir, "emulator.log").read_text(encoding="utf-8")
    return len(re.findall(rf" {method} \S*{path}\S* -> 200", log))


def role_assignments(record: Record) -> list[dict[str, Any]]:
    with AzureApi(record.endpoint, record.plan.subscription_id) as api:
        path = (
            f"resourceGroups/{record.plan.resource_group}/providers"
            "/Microsoft.Authorization/roleAssignments"
        )
        return api.listed(path, "2022-04-01", doing="listing")


@variant  # of test_self_deletion
def test_in_a_shared_group_it_may_delete_its_machines_alone(profile: Profile) -> None:
    _configure(profile, 'c.AzureVMLauncher.resource_group = "team"\n')
    endpoint = _endpoint(profile)
    with AzureApi(endpoint, profile.emulator.subscription_id) as api:
        api.put_group("team", "eastus", {})
    try:
        output = profile.ipcluster("start", "-n", "1", "--daemonize")
        assert "its network and address, then, by the stop" in output
        record = _record(profile)
        scopes = {item["properties"]["scope"] for item in role_assignments(record)}
        (engine_set,) = record.engine_sets.values()
        assert scopes == {record.controller.vm_id, engine_set.scale_set_id}
        profile.ipcluster("stop")
        assert not role_assignments(record)
    finally:
        with AzureApi(endpoint, profile.emulator.subscription_id) as api:
            api.delete_group("team")
    profile.assert_nothing_left()


def _endpoint(profile: Profile) -> Endpoint:
    info = profile.emulator
    return Endpoint(info.endpoint, info.endpoint, str(info.ca_file), str(info.token_file))


def test_without_the_right_azure_ends_it_by_the_clock(profile: Profile) -> None:
    _configure(profile, "c.AzureVMLauncher.max_lifetime_h = 25 / 3600\n")
    with testing.restricted(profile.emulator, ["*"], [ASSIGN]):
        output = profile.ipcluster("start", "-n", "1", "--daemonize")
    assert "as long as this computer is on and online" in output
    assert "Azure deallocates its machines after" in output
    record = _record(profile)
    assert not record.limits.self_deletion
    assert not record.controller.principal_id
    profile.kill_link()  # this computer is gone
    client = ComputeManagementClient(
        _token(profile),
        record.plan.subscription_id,
        base_url=record.endpoint.url,
        credential_scopes=[f"{record.endpoint.audience}/.default"],
        connection_verify=record.endpoint.ca_file,
    )
    group = record.plan.resource_group
    with client:
        names = [vm.name for vm in client.virtual_machines.list(group)]
        assert len(names) == 2

        def all_deallocated() -> bool:
            views = (client.virtual_machines.instance_view(group, name) for name in names)
            states = [{status.code for status in view.statuses} for view in views]
            return all("PowerState/deallocated" in state for state in states)

        wait_for(all_deallocated, 60)
    profile.ipcluster("stop")
    profile.assert_nothing_left()


def _token(profile: Profile) -> FileToken:
    return FileToken(str(profile.emulator.token_file))


def test_an_end_that_nobody_can_promise_is_said(profile: Profile) -> None:
    refused = [ASSIGN, "Microsoft.ComputeSchedule/*"]
    with testing.restricted(profile.emulator, ["*"], refused):
        output = profile.ipcluster("start", "-n", "1", "--daemonize")
        assert "Azure does not schedule the end of the machines" in output
        assert "ipcluster-azure reap" in output
        profile.ipcluster("stop")
    profile.assert_nothing_left()


# as by a deny assignment or a condition, which the list of one's permissions does not show
REFUSED = testing.fault(
    "refuse", type="Microsoft.Authorization/roleAssignments", method="PUT", status=403, times=9
)


def test_a_right_that_is_refused_after_all_is_said_and_made_up_for(profile: Profile) -> None:
    before = _answered(profile, "POST", "virtualMachinesSubmitDeallocate")
    with testing.faults(profile.emulator, REFUSED):
        output = profile.ipcluster("start", "-n", "1", "--daemonize")
    assert "The controller can't be given the right to delete the cluster" in output
    assert output.index("also if this computer is off") < output.index("as long as this computer")
    record = _record(profile)
    assert not record.limits.self_deletion
    assert _answered(profile, "POST", "virtualMachinesSubmitDeallocate") == before + 1
    assert (
        json.loads(guard_file(profile).with_name("guard_settings.json").read_text())["delete"] == []
    )
    profile.ipcluster("stop")
    profile.assert_nothing_left()


def test_self_deletion_that_is_required_and_refused_after_all_ends_the_start(
    profile: Profile,
) -> None:
    _configure(profile, 'c.AzureVMLauncher.self_deletion = "required"\n')
    with testing.faults(profile.emulator, REFUSED):
        output = profile.ipcluster("start", "-n", "1", "--daemonize", expect=1)
    assert "self_deletion is 'required', and the controller can't be given the right" in output
    profile.assert_nothing_left()


def test_self_deletion_can_be_required(profile: Profile) -> None:
    _configure(profile, 'c.AzureVMLauncher.self_deletion = "required"\n')
    before = _writes(profile)
    with testing.restricted(profile.emulator, ["*"], [ASSIGN]):
        output = profile.ipcluster("start", "-n", "1", "--daemonize", expect=1)
    assert "self_deletion is 'required', but you may not" in output
    assert "roleAssignments/write" in output
    assert _writes(profile) == before


def test_it_can_be_off(profile: Profile) -> None:
    _configure(
        profile,
        'c.AzureVMLauncher.self_deletion = "off"\n'
        "c.AzureVMLauncher.max_lifetime_h = 0\nc.AzureVMLauncher.idle_timeout_min = 0\n",
    )
    output = profile.ipcluster("start", "-n", "1", "--daemonize")
    assert "Nothing but `ipcluster stop` will end this cluster" in output
    job = json.loads((profile.folder / "azure_controller-.json").read_text())
    assert all("identity" not in resource for resource in job["resources"])
    profile.ipcluster("stop")
    profile.assert_nothing_left()


def test_a_slip_of_the_finger_is_refused_before_anything_is_asked(profile: Profile) -> None:
    before = _writes(profile)
    output = profile.ipcluster("start", "-n", "3200", "--daemonize", expect=1)
    assert "3200 engines are more than max_engines = 1024 allows" in output
    assert _writes(profile) == before


def test_an_administrators_file_sets_the_most_engines(profile: Profile, tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "ipcluster_config.py").write_text("c.AzureVMLauncher.max_engines = 8\n")
    code = (
        "import IPython.core.application as application\n"
        f"application.SYSTEM_CONFIG_DIRS.append({str(folder)!r})\n"
        "import sys; sys.argv = ['ipcluster', 'start', '--profile=azure', '-n', '9']\n"
        "from ipyparallel.cluster.app import main; main()\n"
    )
    output = profile.run("python", "-c", code, expect=1).stdout
    assert "9 engines are more than max_engines = 8 allows" in output
