"""Azure names that are legal and collide with nothing, and the tags that mark what is ours."""

import getpass
import re
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache

TAG_PREFIX = "ipcluster-azure"
CLUSTER_TAG = f"{TAG_PREFIX}-cluster"  # ClusterNames.base: by it clusters are found and deleted
JOB_FILE_TAG = f"{TAG_PREFIX}-job-file"  # ClusterNames.base, of what is deployed by hand
OWNER_TAGS = ("owner", "home", "user")
CREATED_TAG = f"{TAG_PREFIX}-created"  # by Azure's clock, as is when it expires
EXPIRES_TAG = f"{TAG_PREFIX}-expires"
MAX_TAG_VALUE = 256  # Azure's limit, in characters
MAX_TAGS = 50  # per resource
NAME_TEMPLATE = "ipp-{profile}-{random}"
RANDOM_DIGITS = 8
MAX_BASE = 50  # characters of a cluster's name: a host name's 64, less our endings
NOBODY = "unknown"  # the user of a process that has none
MAX_USER_TAGS = MAX_TAGS - 8  # the rest is ours


def slug(text: str, max_length: int = 24) -> str:
    """Return `text` in lower-case ASCII letters, digits and single hyphens, starting with a letter.

    What is lost on the way may make two texts equal: a random suffix tells them apart.
    """
    ascii_text = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if not ascii_text or not ascii_text[0].isalpha():
        ascii_text = f"c-{ascii_text}"
    return ascii_text[:max_length].strip("-")


def random_suffix() -> str:
    """Return RANDOM_DIGITS random hexadecimal digits: a deleted name stays taken for minutes."""
    return secrets.token_hex(RANDOM_DIGITS // 2)


@cache
def this_process() -> str:
    """Return a random suffix that is the same for all of this process."""
    return random_suffix()


def user_at_host() -> str:
    """Return user@host of this process; containers may have neither user entry nor environment."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = NOBODY
    return f"{user}@{socket.gethostname()}"


@dataclass(frozen=True)
class Owner:
    """Whose a cluster is, or who asks.

    `login`: object id@tenant of the login to Azure, empty if its token does not say; `home`: the
    random id of the home directory, as people share logins, empty if there is none; `user`:
    user@host, for people to read: others may be called the same.
    """

    login: str = ""
    home: str = ""
    user: str = field(default_factory=user_at_host)

    @classmethod
    def from_tags(cls, tags: Mapping[str, str]) -> "Owner":
        """`tags` have names in lower case; clusters of before have but an owner, user@host."""
        owner, home, user = (tags.get(f"{TAG_PREFIX}-{name}", "") for name in OWNER_TAGS)
        return cls(owner if user and user != owner else "", home, user or owner)

    @property
    def tags(self) -> dict[str, str]:
        values = (self.login or self.user, self.home, self.user)
        return {name: value for name, value in zip(OWNER_TAGS, values, strict=True) if value}

    def may_be(self, other: "Owner") -> bool:
        """Whether both have the same login or, where one of these is not known, the same name."""
        if self.login and other.login:
            return self.login == other.login
        return self.user == other.user

    def shares_home(self, other: "Owner") -> bool:
        return bool(self.home) and self.home == other.home

    def is_other_login(self, other: "Owner") -> bool:
        return bool(self.login and other.login) and self.login != other.login


def is_ours(tag: str) -> bool:
    """Return whether a tag of this name is set by us, and not by users."""
    return tag.lower().startswith(TAG_PREFIX)


def cluster_tags(
    *,
    cluster: str,
    profile: str,
    cluster_id: str,
    owner: Owner,
    max_lifetime_h: float,
    user_tags: Mapping[str, str],
    now: datetime,
) -> dict[str, str]:
    """Return the tags of every resource: whose it is, and from when until when it may exist.

    `cluster` is the name that no other cluster has; a group or a resource belongs to a cluster if
    it carries exactly this name. `now` is Azure's time.

    The user's own tags are kept, and win nothing: a name with our prefix is overwritten.
    """
    ours = {
        "cluster": cluster,
        "profile": profile,
        "cluster-id": cluster_id,
        **owner.tags,
        "created": now.isoformat(timespec="seconds"),
    }
    if max_lifetime_h > 0:
        expires = now + timedelta(hours=max_lifetime_h)
        ours["expires"] = expires.isoformat(timespec="seconds")
    prefixed = {f"{TAG_PREFIX}-{name}": value[:MAX_TAG_VALUE] for name, value in ours.items()}
    return {**user_tags, **prefixed}


@dataclass(frozen=True)
class ClusterNames:
    """Names of the resources of one cluster, all derived from one base, which no other cluster has.

    `stem`: what they are derived from instead where job files made them, which may be deployed to
    several groups; each deployment is a cluster of its own.
    """

    base: str
    stem: str = ""

    @classmethod
    def for_cluster(
        cls, profile: str, cluster_id: str, template: str = NAME_TEMPLATE
    ) -> "ClusterNames":
        """Return names whose base is made of the setting name_template, in at most MAX_BASE
        characters: what is readable of it is cut."""
        whole = template.replace("{random}", random_suffix())
        room = MAX_BASE - len(whole.replace("{profile}", ""))
        readable = slug(f"{profile}-{cluster_id}" if cluster_id else profile, min(24, room))
        return cls(whole.replace("{profile}", readable))

    @property
    def _stem(self) -> str:
        return self.stem or self.base

    @property
    def network_security_group(self) -> str:
        return f"{self._stem}-nsg"

    @property
    def public_ip(self) -> str:
        return f"{self._stem}-ip"

    @property
    def virtual_network(self) -> str:
        return f"{self._stem}-vnet"

    @property
    def controller_nic(self) -> str:
        return f"{self._stem}-nic"

    @property
    def controller(self) -> str:
        return f"{self._stem}-controller"

    def scale_set(self) -> str:
        """Return a new name at each call, as a set may be added while another is deleted."""
        return f"{self._stem}-e{secrets.token_hex(2)}"
