"""`ipcluster-azure ssh-config`: what OpenSSH's clients need to reach a cluster's machines."""

from ..clusters.openssh import write_config
from .one_cluster import OneClusterCommand


class SshConfigApp(OneClusterCommand):
    """Print what ssh, scp, rsync and editors need to reach the machines."""

    name = "ipcluster-azure-ssh-config"
    description = """Print what ssh, scp, rsync and editors need to reach the machines.

    A block of ssh's configuration for each machine, with the cluster's key, the host keys and the
    way through the controller's machine. Put it into ~/.ssh/config, or give it to ssh, scp or rsync
    by -F. The same text is in the file azure-ID.ssh_config beside the cluster's record, for an
    Include; it goes with the cluster.
    """
    examples = """
    ipcluster-azure ssh-config --profile=azure > cluster.ssh
    scp -F cluster.ssh azure-controller:.ipcluster-azure/log/guard.log .
    """

    def act(self) -> None:
        file = self.record_file()
        print(write_config(file, file.require()), end="")
