"""Machines that are there already: what may not change under them, and who starts on them."""

import os
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from ipcluster_azure.errors import AzureLauncherError, ClusterStopped, ConfigurationError
from ipcluster_azure.record.contents import CREATED, DELETING, Limits, Record
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.start.created import (
    asked_by,
    check_count,
    check_unchanged,
    claim,
    is_being_started,
    note_starter,
    release,
    rename_sets,
)
from ipcluster_azure.start.machines_alone import promise

from ..plans import settings
from ..record.test_record import _record


@pytest.fixture
def file(tmp_path: Path) -> RecordFile:
    file = RecordFile.of(str(tmp_path / "profile_azure"), "c1")
    made = asked_by(settings(vm_size=("Standard_D4s_v5",)), settings(priority="Spot"))
    file.create(replace(_record(), state=CREATED, stays=True, asked=made))
    return file


def refusal(file: RecordFile, **changes: object) -> str:
    engines = settings(**{"priority": "Spot", **changes})
    now = asked_by(settings(**{"vm_size": ("Standard_D4s_v5",), **changes}), engines)
    try:
        check_unchanged(file, file.require(), now)
    except ConfigurationError as error:
        return str(error)
    return ""


def test_settings_that_the_machines_were_made_by_may_not_change(file: RecordFile) -> None:
    assert refusal(file) == ""
    assert refusal(file, boot_timeout_s=7.0, requirements=("numpy",), idle_timeout_min=1.0) == ""
    said = refusal(file, vm_size=("Standard_D2s_v5", "Standard_D4s_v5"))
    assert said.startswith("vm_size is Standard_D2s_v5, Standard_D4s_v5, and the machines were mad")
    assert "with Standard_D4s_v5, which" in said
    assert "`ipcluster-azure delete --profile=azure --cluster-id=c1`" in said
    assert "the engines' machines were made with 'Spot'" in refusal(file, priority="Regular")
    assert "location is 'westeurope'" in refusal(file, location="westeurope")
    assert "max_lifetime_h is 3.0" in refusal(file, max_lifetime_h=3.0)


def test_a_record_that_does_not_say_so_refuses_nothing(file: RecordFile) -> None:
    with file.edit() as record:
        record.asked = {}
    assert refusal(file, location="westeurope") == ""


def test_the_number_of_engines_is_that_of_the_machines(file: RecordFile) -> None:
    record = file.require()
    check_count(file, record, None)
    check_count(file, record, 3)
    with pytest.raises(ConfigurationError, match="for 3 engines, not 16"):
        check_count(file, record, 16)


def test_one_process_at_a_time_starts_on_them(file: RecordFile) -> None:
    assert claim(file).starter_pid == os.getpid()
    with pytest.raises(AzureLauncherError, match=f"Process {os.getpid()} is just starting"):
        claim(file)
    release(file)
    assert file.require().starter_pid == 0
    claim(file)
    with file.edit() as record:
        record.starter_began -= 1.0  # the id was given to another process
    assert not is_being_started(file.require())
    claim(file)
    with file.edit() as record:
        record.state = DELETING
    with pytest.raises(ClusterStopped):
        claim(file)


def test_a_process_that_has_ended_starts_nothing() -> None:
    record: Record = _record()
    assert not is_being_started(record)
    note_starter(record)
    assert is_being_started(record)
    record.starter_pid = max(psutil.pids()) + 1_000_000
    assert not is_being_started(record)


def test_sets_get_new_names(file: RecordFile) -> None:
    with file.edit() as record:
        record.engine_sets["t"] = replace(record.engine_sets["s"], n=5)
    assert rename_sets(file, "9") == {"9": 3, "9-2": 5}
    assert list(file.require().engine_sets) == ["9", "9-2"]


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (Limits(), "Nothing but `ipcluster-azure delete` will end these machines"),
        (Limits(max_lifetime_h=2), "after 2 h at the latest. If it is off or gone, Azure dealloc"),
        (
            Limits(idle_timeout_min=5),
            "after 5 min without a deployment. If it is off or gone, they",
        ),
    ],
)
def test_who_sees_to_their_end_is_said(limits: Limits, says: str) -> None:
    assert says in promise(limits)
