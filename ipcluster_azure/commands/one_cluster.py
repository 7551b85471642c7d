"""What the commands about one cluster of a profile have in common."""

from IPython.paths import get_ipython_dir
from traitlets import Unicode

from ..clusters.profiles import profile_dir
from ..record.file import RecordFile
from .base import Command


class OneClusterCommand(Command):
    """A command about the cluster that --profile and --cluster-id name."""

    profile = Unicode("azure", config=True, help="Name of the profile.")
    cluster_id = Unicode("", config=True, help="The cluster's id, if it was started with one.")

    aliases = {  # noqa: RUF012
        "profile": "OneClusterCommand.profile",
        "cluster-id": "OneClusterCommand.cluster_id",
    }

    def record_file(self) -> RecordFile:
        """Return the cluster's record, which may not be there. Raises ConfigurationError if there
        is no such profile."""
        folder = profile_dir(get_ipython_dir(), self.profile)
        return RecordFile.of(str(folder), self.cluster_id)
