"""Values that a setting can't have, found without asking Azure. Pure."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from ..errors import ConfigurationError
from ..naming import (
    MAX_BASE,
    MAX_TAG_VALUE,
    MAX_USER_TAGS,
    RANDOM_DIGITS,
    TAG_PREFIX,
    is_ours,
)
from .environment_checks import check_environment
from .extra_checks import GIVEN, check_extra
from .image_reference import parse_image
from .shortest_times import check_times
from .values import Settings

WIDEST_OWN_PREFIX = 8  # as 10.0.0.0/8
RESERVED_USERS = frozenset(
    "admin administrator root user test guest console david john support sys server sql aspnet "
    "backup owner actuser adm a 1 123 user1 user2 user3 user4 user5 test1 test2 test3".split()
)


def region_name(text: str) -> str:
    """Return a region's name for what people and Azure's portal write: eastus for "East US"."""
    return re.sub(r"^\([^)]*\)| ", "", text).lower()


def check_values(settings: Settings) -> None:
    """Raise ConfigurationError for the first setting whose value is impossible."""
    _check_place(settings)
    _check_machines(settings)
    check_times(settings)
    _check_network(settings)
    _check_tags(settings.tags)
    _check_name_template(settings.name_template)
    _check_own_files(settings)
    for name in GIVEN:
        check_extra(name, getattr(settings, name))
    if settings.requirements or settings.sync_accept or settings.sync_exclude:
        from .requirement_checks import check_packages  # imports packaging

        check_packages(settings)


def check_combinations(settings: Settings) -> None:
    """Raise ConfigurationError for settings of the whole cluster that would do nothing together.

    For the controller's launcher: the engines' need not know of what is set in its section.
    """
    if settings.address_prefix and settings.subnet_id:
        raise ConfigurationError(
            "address_prefix has no effect with subnet_id: it is for a virtual network of the "
            "cluster's own. Set one of the two."
        )
    if not settings.public_ip and not settings.subnet_id:
        raise ConfigurationError(
            "public_ip = False needs subnet_id, a subnet that this computer reaches over a VPN or "
            "a peering: into a new network without a public address there is no way."
        )
    if settings.self_deletion == "required" and not (
        settings.max_lifetime_h or settings.idle_timeout_min or settings.max_cost
    ):
        raise ConfigurationError(
            "self_deletion = 'required' has no effect without max_lifetime_h, idle_timeout_min or "
            "max_cost: nothing would ever make the cluster delete itself."
        )
    check_environment(settings)


def _check_place(settings: Settings) -> None:
    if not settings.uses_emulator and not settings.endpoint.startswith("https://"):
        raise ConfigurationError(
            f"endpoint must be 'emulator' or begin with https://, not {settings.endpoint!r}."
        )
    if not re.fullmatch(r"(\w[\w-]*)?", settings.subscription_id, re.ASCII):
        raise ConfigurationError(
            f"subscription_id {settings.subscription_id!r} is not a subscription's id; `az account "
            "list -o table` lists them."
        )
    if not re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9.-]*)?", settings.tenant_id):
        raise ConfigurationError(
            f"tenant_id {settings.tenant_id!r} is neither a tenant's id nor one of its domains; "
            "`az account list` shows them."
        )
    if not re.fullmatch(r"[a-z0-9]+", settings.location, re.ASCII):
        raise ConfigurationError(
            f"location {settings.location!r} is not a region's name; `az account list-locations "
            "-o table` lists them, for example eastus."
        )
    if settings.resource_group and not re.fullmatch(
        r"[\w().-]{0,89}[\w()-]", settings.resource_group
    ):
        raise ConfigurationError(
            f"resource_group {settings.resource_group!r} is not a legal name in Azure."
        )


def _check_own_files(settings: Settings) -> None:
    if not all(settings.sync_paths):
        raise ConfigurationError(
            "sync_paths: an empty text names no file. [] sends nothing, ['.'] all of the working "
            "directory."
        )
    check_result_patterns("sync_back", settings.sync_back)


def check_result_patterns(where: str, patterns: Iterable[str]) -> None:
    """Raise ConfigurationError, naming all of them, for patterns of files that lead elsewhere than
    into the engines' working directory."""
    wrong = []
    for pattern in patterns:
        path = PurePosixPath(pattern)
        if not pattern or path.is_absolute() or ".." in path.parts or pattern.startswith("~"):
            wrong.append(repr(pattern))
    if wrong:
        raise ConfigurationError(
            f"{where}: {', '.join(wrong)}: patterns are for files in the engines' working "
            "directory, without .. and without a / in front."
        )


def _check_machines(settings: Settings) -> None:
    if not settings.vm_size or not all(settings.vm_size):
        raise ConfigurationError("vm_size must name at least one VM size, e.g. Standard_D4s_v5.")
    for zone in settings.zones:
        if not re.fullmatch(r"[1-9]", zone):
            raise ConfigurationError(f"zones: {zone!r} is not a zone; they are called 1, 2 and 3.")
    user = settings.admin_username
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", user) or user in RESERVED_USERS:
        raise ConfigurationError(f"admin_username {user!r} is not a user name that Azure accepts.")
    parse_image(settings.image)


def _check_network(settings: Settings) -> None:
    for source in settings.ssh_source:
        if source != "auto":
            _network("ssh_source", source)
    if settings.address_prefix:
        prefix = _network("address_prefix", settings.address_prefix)
        if not 8 <= prefix.prefixlen <= 25:
            raise ConfigurationError(f"address_prefix {prefix} must be between /8 and /25.")
    if settings.subnet_id and not re.fullmatch(
        r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Network"
        r"/virtualNetworks/[^/]+/subnets/[^/]+",
        settings.subnet_id,
        re.IGNORECASE,
    ):
        raise ConfigurationError(f"subnet_id {settings.subnet_id!r} is not a subnet's resource id.")
    if settings.engine_identity and not re.fullmatch(
        r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.ManagedIdentity"
        r"/userAssignedIdentities/[^/]+",
        settings.engine_identity,
        re.IGNORECASE,
    ):
        raise ConfigurationError(
            f"engine_identity {settings.engine_identity!r} is not the resource id of a "
            "user-assigned identity; `az identity list --query [].id` lists yours."
        )


def wide_sources(sources: Iterable[str]) -> list[str]:
    """Return the networks that are wider than any network of one's own can be."""
    return [
        source
        for source in sources
        if source != "auto" and ipaddress.IPv4Network(source).prefixlen < WIDEST_OWN_PREFIX
    ]


def _network(name: str, text: str) -> ipaddress.IPv4Network:
    try:
        return ipaddress.IPv4Network(text)
    except ValueError as error:
        raise ConfigurationError(f"{name} {text!r} is not an IPv4 network: {error}.") from None


def _check_tags(tags: Mapping[str, str]) -> None:
    if len(tags) > MAX_USER_TAGS:
        raise ConfigurationError(f"tags: at most {MAX_USER_TAGS} can be set, not {len(tags)}.")
    for name, value in tags.items():
        if not name or len(name) > 512 or re.search(r"[<>%&\\?/]", name):
            raise ConfigurationError(f"tags: {name!r} is not a tag name that Azure accepts.")
        if len(value) > MAX_TAG_VALUE:
            raise ConfigurationError(f"tags: the value of {name!r} is over {MAX_TAG_VALUE} long.")
        if is_ours(name):
            raise ConfigurationError(f"tags: names that begin with {TAG_PREFIX} are reserved.")


def _check_name_template(template: str) -> None:
    if template.count("{random}") != 1 or template.count("{profile}") > 1:
        raise ConfigurationError(
            f"name_template {template!r} must have {{random}} once, and {{profile}} at most once: "
            "a name that another cluster has or had would be taken for that one."
        )
    filled = template.replace("{random}", RANDOM_DIGITS * "0").replace("{profile}", "p")
    if not re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", filled) or len(filled) > MAX_BASE:
        raise ConfigurationError(
            f"name_template {template!r} must begin with a letter, have only lower-case letters, "
            f"digits and hyphens, no hyphen at the end, and be short enough: a name has at most "
            f"{MAX_BASE} characters."
        )
