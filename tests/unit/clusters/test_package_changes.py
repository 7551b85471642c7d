"""What differs between the packages of a machine and those that it is to have, and its words."""

import json
from typing import Any

import pytest

from ipcluster_azure.clusters.package_changes import (
    Changes,
    Wanted,
    changes,
    is_up_to_date,
    needs_new_start,
    spans,
)


def wanted(**versions: str) -> Wanted:
    """A lock in which a wheel's hash is its version's text."""
    packages = [
        {"name": name, "version": version, "file": f"{name}.whl", "sha256": version, "url": None}
        for name, version in versions.items()
    ]
    return Wanted.of(json.dumps({"python": "3.11", "packages": packages}).encode())


def looked(hashes: dict[str, str] | None, **versions: str) -> dict[str, Any]:
    return {"made": ["3.11", hashes] if hashes is not None else None, "versions": versions}


def test_what_is_added_changed_and_removed() -> None:
    there = looked(
        {"numpy": "2.2.6", "Lab.Tools": "other", "toolz": "1.0"},
        numpy="2.2.6",
        toolz="1.0",
        **{"lab-tools": "0.3"},
    )
    new = wanted(numpy="2.3.0", pandas="2.3.1", pytz="2025.2", **{"lab-tools": "0.3"})
    found = changes(there, new)
    assert str(found) == (
        "2 packages added (pandas 2.3.1, pytz 2025.2), 2 changed (lab-tools 0.3, another wheel of "
        "it, numpy 2.2.6 -> 2.3.0), 1 removed (toolz 1.0)"
    )
    assert not is_up_to_date(there, new)


def test_nothing_has_changed() -> None:
    there = looked({"numpy": "2.2.6"}, numpy="2.2.6")
    assert is_up_to_date(there, wanted(numpy="2.2.6"))
    assert not changes(there, wanted(numpy="2.2.6"))


def test_an_installation_that_was_ended_in_the_middle_is_not_up_to_date() -> None:
    there = looked(None, numpy="2.2.6")
    assert not is_up_to_date(there, wanted(numpy="2.2.6"))
    assert changes(there, wanted(numpy="2.3.0")) == Changes(changed={"numpy": ("2.2.6", "2.3.0")})


def test_where_wheels_are_had_from_makes_no_difference() -> None:
    lock = wanted(numpy="2.3.0").lock
    elsewhere = json.loads(lock)
    elsewhere["packages"][0]["url"] = "https://example.com/numpy.whl"
    assert Wanted.of(lock).digest == Wanted.of(json.dumps(elsewhere).encode()).digest
    assert Wanted.of(lock).digest != wanted(numpy="2.3.1").digest


def test_what_the_controller_itself_has_loaded_needs_a_new_start() -> None:
    there = looked({"pyzmq": "26.0", "numpy": "1"}, pyzmq="26.0", numpy="1")
    assert needs_new_start(changes(there, wanted(pyzmq="27.0", numpy="2"))) == [
        "pyzmq 26.0 -> 27.0"
    ]
    assert needs_new_start(changes(there, wanted(pyzmq="26.0", numpy="2"))) == []


@pytest.mark.parametrize(
    ("ids", "said"), [([3, 1, 0, 2], "0 to 3"), ([7], "7"), ([0, 1, 4, 5, 6], "0, 1, 4 to 6")]
)
def test_ids_in_words(ids: list[int], said: str) -> None:
    assert spans(ids) == said
