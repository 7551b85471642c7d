import re
from dataclasses import replace
from datetime import datetime, timezone

import pytest

from ipcluster_azure import naming
from ipcluster_azure.naming import ClusterNames, Owner, cluster_tags, slug

FULL = Owner("o@t", "f" * 32, "me@here")
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


@pytest.mark.parametrize("text", ODD_TEXTS)
@pytest.mark.parametrize(
    "template", ["ipp-{profile}-{random}", "a{random}", f"{'x' * 40}{{profile}}{{random}}"]
)
def test_names_of_a_template_fit_azures_limits(template: str, text: str) -> None:
    names = ClusterNames.for_cluster(text, text, template)
    assert re.fullmatch(r"[a-z][a-z0-9-]*[a-z0-9]", names.base)
    assert len(names.controller) <= 64
    assert names.base != ClusterNames.for_cluster(text, text, template).base


def test_a_template_says_where_profile_and_digits_stand() -> None:
    base = ClusterNames.for_cluster("azure", "c1", "lab7-{random}-{profile}-x").base
    assert re.fullmatch(r"lab7-[0-9a-f]{8}-azure-c1-x", base)


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
        owner=Owner("o-1@t-1", "f" * 32, "me@here"),
        max_lifetime_h=2,
        user_tags={"costCenter": "7"},
        now=NOW,
    )
    assert tags == {
        "costCenter": "7",
        "ipcluster-azure-cluster": "ipp-azure-c1-1",
        "ipcluster-azure-profile": "azure",
        "ipcluster-azure-cluster-id": "c1",
        "ipcluster-azure-owner": "o-1@t-1",
        "ipcluster-azure-home": "f" * 32,
        "ipcluster-azure-user": "me@here",
        "ipcluster-azure-created": "2026-11-21T12:00:00+00:00",
        "ipcluster-azure-expires": "2026-11-21T14:00:00+00:00",
    }


def test_there_is_room_for_the_users_tags() -> None:
    ours = cluster_tags(
        cluster="n", profile="p", cluster_id="", owner=FULL, max_lifetime_h=1, user_tags={}, now=NOW
    )
    assert len(ours) + naming.MAX_USER_TAGS == naming.MAX_TAGS


def test_a_cluster_without_a_lifetime_has_no_expiry() -> None:
    tags = cluster_tags(
        cluster="n", profile="p", cluster_id="", owner=FULL, max_lifetime_h=0, user_tags={}, now=NOW
    )
    assert "ipcluster-azure-expires" not in tags


def test_the_owner_needs_no_user_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert naming.user_at_host().startswith("unknown@")


@pytest.mark.parametrize(
    "owner",
    [FULL, Owner("", "f" * 32, "me@here"), Owner("o@t", "", "me@here"), Owner("", "", "me@here")],
)
def test_an_owner_is_read_from_its_tags(owner: Owner) -> None:
    tags = {f"ipcluster-azure-{name}": value for name, value in owner.tags.items()}
    assert Owner.from_tags(tags) == owner


def test_the_owner_of_a_cluster_of_before_is_a_user() -> None:
    assert Owner.from_tags({"ipcluster-azure-owner": "me@here"}) == Owner("", "", "me@here")


def test_an_owners_tags_fit_azures_limit() -> None:
    tags = cluster_tags(
        cluster="n",
        profile="p",
        cluster_id="",
        owner=Owner("o@t", "f" * 32, "u" * 300),
        max_lifetime_h=1,
        user_tags={},
        now=NOW,
    )
    assert max(map(len, tags.values())) == naming.MAX_TAG_VALUE


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (FULL, FULL, True),
        (FULL, replace(FULL, user="other@there"), True),
        (FULL, replace(FULL, login="other@t"), False),
        (FULL, replace(FULL, login=""), True),
        (replace(FULL, login=""), replace(FULL, user="other@there"), False),
    ],
)
def test_owners_are_the_same_by_login_else_by_name(one: Owner, other: Owner, same: bool) -> None:
    assert one.may_be(other) == other.may_be(one) == same


@pytest.mark.parametrize(("home", "same"), [("f" * 32, True), ("e" * 32, False), ("", False)])
def test_no_home_is_like_no_other(home: str, same: bool) -> None:
    assert replace(FULL, home=home).shares_home(FULL) == same
    assert not replace(FULL, home="").shares_home(replace(FULL, home=""))
