import re
from datetime import datetime, timezone

import pytest

from ipcluster_azure import naming
from ipcluster_azure.naming import ClusterNames, cluster_tags, slug

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=timezone.utc)
ODD_TEXTS = [
    "azure",
    "Jürgens Profil",
    "",
    "---",
    "9lives",
    "a" * 300,
    "x; rm -rf /",
    "日本",
    "a.b_c",
]


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_a_slug_is_legal_everywhere(text: str) -> None:
    assert re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", slug(text))
    assert len(slug(text)) <= 24


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_names_fit_azures_limits(text: str) -> None:
    names = ClusterNames.for_cluster(text, text)
    assert re.fullmatch(r"[a-z0-9-]+", names.base)
    assert len(names.controller) <= 64  # a Linux host name
    assert len(names.scale_set()) <= 58  # a prefix for host names
    assert len(names.network_security_group) <= 80


def test_no_two_clusters_and_no_two_scale_sets_share_a_name() -> None:
    bases = {ClusterNames.for_cluster("azure", "").base for _ in range(50)}
    assert len(bases) == 50
    names = ClusterNames("ipp-azure-1")
    assert len({names.scale_set() for _ in range(20)}) > 1


def test_tags_mark_whose_it_is_and_until_when() -> None:
    tags = cluster_tags(
        cluster="ipp-azure-c1-1",
        profile="azure",
        cluster_id="c1",
        max_lifetime_h=2,
        user_tags={"costCenter": "7"},
        now=NOW,
    )
    assert tags == {
        "costCenter": "7",
        "ipcluster-azure-cluster": "ipp-azure-c1-1",
        "ipcluster-azure-profile": "azure",
        "ipcluster-azure-cluster-id": "c1",
        "ipcluster-azure-owner": naming.owner(),
        "ipcluster-azure-created": "2026-11-21T12:00:00+00:00",
        "ipcluster-azure-expires": "2026-11-21T14:00:00+00:00",
    }


def test_there_is_room_for_the_users_tags() -> None:
    ours = cluster_tags(cluster="n", profile="p", cluster_id="", max_lifetime_h=1, user_tags={})
    assert len(ours) + naming.MAX_USER_TAGS == naming.MAX_TAGS


def test_a_cluster_without_a_lifetime_has_no_expiry() -> None:
    tags = cluster_tags(
        cluster="n", profile="p", cluster_id="", max_lifetime_h=0, user_tags={}, now=NOW
    )
    assert "ipcluster-azure-expires" not in tags


def test_the_owner_needs_no_user_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert naming.owner().startswith("unknown@")
