"""`ipcluster-azure delete`: a cluster is deleted, whatever its state."""

from ..clusters.steps import delete
from .cluster_command import ClusterCommand


class DeleteApp(ClusterCommand):
    """Delete a cluster, whatever its state."""

    name = "ipcluster-azure-delete"
    description = """Delete a cluster, whatever its state: machines, network, addresses, disks.

    As `ipcluster stop` does. It may be repeated, and does nothing where there is no cluster.
    """
    examples = """
    ipcluster-azure delete --profile=azure
    """
    ended = "Run the same command again: what is left may cost money."

    def act(self) -> None:
        self.work(delete(self.file(), self.own_log()))
