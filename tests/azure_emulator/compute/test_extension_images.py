"""Extensions that a region offers."""

from __future__ import annotations

import pytest

from ..cloud import Cloud

PUBLISHERS = "/providers/Microsoft.Compute/locations/eastus/publishers"
TYPES = f"{PUBLISHERS}/Microsoft.Azure.Extensions/artifacttypes/vmextension/types"


def names(arm: Cloud, path: str) -> list[str]:
    return [item["name"] for item in arm.call("GET", path).body]


def test_from_the_publisher_to_a_version(arm: Cloud) -> None:
    assert "Microsoft.Azure.Extensions" in names(arm, PUBLISHERS)
    assert names(arm, TYPES) == ["CustomScript"]
    versions = names(arm, f"{TYPES}/customscript/versions")
    assert len(versions) > 1
    assert names(arm, f"{TYPES}/CustomScript/versions?$top=1") == versions[:1]
    shown = arm.call("GET", f"{TYPES}/CustomScript/versions/{versions[-1]}").body
    assert shown["properties"]["operatingSystem"] == "Linux"
    assert shown["id"].endswith(f"/VMExtension/Types/CustomScript/Versions/{versions[-1]}")


@pytest.mark.parametrize("path", ["/Nope/versions", "/CustomScript/versions/9.9"])
def test_what_is_not_offered(arm: Cloud, path: str) -> None:
    answer = arm.call("GET", TYPES + path)
    assert (answer.status, answer.code) == (404, "ArtifactNotFound")
