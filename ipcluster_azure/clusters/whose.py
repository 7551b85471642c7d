"""Whose a cluster is, seen from this home directory: for what may be deleted, and in words."""

from ..resource_manager.discovery import FoundCluster
from .local_records import LocalRecord


def is_ours(cluster: FoundCluster, record: LocalRecord | None) -> bool:
    """Return whether it was started here: it says so, or its record is in the IPython directory."""
    return record is not None or cluster.is_of_this_home


def whose(cluster: FoundCluster, record: LocalRecord | None) -> str:
    """Return its owner for a table: user@host and, if it is foreign, what it differs by."""
    owner = cluster.owner
    user = owner.user or "?"
    if is_ours(cluster, record):
        return user
    if owner.is_other_login(cluster.asker):
        return f"foreign: {user}, object id {owner.login.partition('@')[0]}"
    return f"foreign: {user}, home {owner.home[:8] or 'unknown'}"
