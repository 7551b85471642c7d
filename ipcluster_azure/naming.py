"""Azure names that are legal and collide with nothing, and the tags that mark what is ours."""

import getpass
import re
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cache

TAG_PREFIX = "ipcluster-azure"
CLUSTER_TAG = f"{TAG_PREFIX}-cluster"  # ClusterNames.base: by it clusters are found and deleted
MAX_TAG_VALUE = 256  # Azure's limit, in characters
MAX_TAGS = 50  # per resource
NOBODY = "unknown"  # the user of a process that has none
MAX_USER_TAGS = MAX_TAGS - 6  # the rest is ours


def slug(text: str, max_length: int = 24) -> str:
    """Return `text` in lower-case ASCII letters, digits and single hyphens, starting with a letter.

    What is lost on the way may make two texts equal: a random suffix tells them apart.
    """
    ascii_text = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if not ascii_text or not ascii_text[0].isalpha():
        ascii_text = f"c-{ascii_text}"
    return ascii_text[:max_length].strip("-")


def random_suffix() -> str:
    """Return eight random hexadecimal digits: a deleted name stays taken for minutes."""
    return secrets.token_hex(4)


@cache
def this_process() -> str:
    """Return a random suffix that is the same for all of this process."""
    return random_suffix()


def owner() -> str:
    """Return user@host of this process; containers may have neither user entry nor environment."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = NOBODY
    return f"{user}@{socket.gethostname()}"


def cluster_tags(
    *,
    cluster: str,
    profile: str,
    cluster_id: str,
    max_lifetime_h: float,
    user_tags: Mapping[str, str],
    now: datetime | None = None,
) -> dict[str, str]:
    """Return the tags of every resource: whose it is, and from when until when it may exist.

    `cluster` is the name that no other cluster has; a group or a resource belongs to a cluster if
    it carries exactly this name.

    The user's own tags are kept, and win nothing: a name with our prefix is overwritten.
    """
    created = now or datetime.now(timezone.utc)
    ours = {
        "cluster": cluster,
        "profile": profile,
        "cluster-id": cluster_id,
        "owner": owner(),
        "created": created.isoformat(timespec="seconds"),
    }
    if max_lifetime_h > 0:
        expires = created + timedelta(hours=max_lifetime_h)
        ours["expires"] = expires.isoformat(timespec="seconds")
    prefixed = {f"{TAG_PREFIX}-{name}": value[:MAX_TAG_VALUE] for name, value in ours.items()}
    return {**user_tags, **prefixed}


@dataclass(frozen=True)
class ClusterNames:
    """Names of the resources of one cluster, all derived from one base."""

    base: str

    @classmethod
    def for_cluster(cls, profile: str, cluster_id: str) -> "ClusterNames":
        """Return names whose base has at most 50 characters: a host name's 64, less our endings."""
        readable = slug(f"{profile}-{cluster_id}" if cluster_id else profile)
        return cls(f"ipp-{readable}-{random_suffix()}")

    @property
    def network_security_group(self) -> str:
        return f"{self.base}-nsg"

    @property
    def public_ip(self) -> str:
        return f"{self.base}-ip"

    @property
    def virtual_network(self) -> str:
        return f"{self.base}-vnet"

    @property
    def controller_nic(self) -> str:
        return f"{self.base}-nic"

    @property
    def controller(self) -> str:
        return f"{self.base}-controller"

    def scale_set(self) -> str:
        """Return a new name at each call, as a set may be added while another is deleted."""
        return f"{self.base}-e{secrets.token_hex(2)}"
