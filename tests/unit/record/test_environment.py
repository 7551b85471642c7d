"""What a record's Python means for clients: another version of it, other versions of packages."""

import sys

from ipcluster_azure.record.environment import Environment


def environment(kind: str = "sync", python: str = "3.12", **packages: str) -> Environment:
    return Environment(kind, "python3", python, "9.0", packages=packages)


def test_only_the_images_python_is_not_built() -> None:
    assert environment("sync").is_built
    assert environment("minimal").is_built
    assert not environment("image").is_built


def test_clients_of_another_minor_version_are_told_what_happens() -> None:
    assert environment(python="3.12").foreign("3.12") == ""
    said = environment(python="3.12").foreign("3.13")
    assert said.startswith("The engines run Python 3.12, and this is Python 3.13: ")
    assert "Use Python 3.12 for clients" in said


def test_this_process_is_a_client_too() -> None:
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert environment(python=own).foreign_client == ""
    assert f"this is Python {own}" in environment(python="2.7").foreign_client


def test_packages_differ_where_both_sides_have_one_in_another_version() -> None:
    engines = environment(numpy="2.1", scipy="1.14", dask="1")
    assert engines.difference({"numpy": "2.1", "polars": "1"}) == ""
    assert engines.difference({}) == ""
    said = engines.difference({"numpy": "2.0", "scipy": "1.13", "polars": "1"})
    assert "differ from the engines': numpy 2.0 here, 2.1 there, scipy 1.13 here, 1.14" in said
    assert "dask" not in said
    assert "polars" not in said
