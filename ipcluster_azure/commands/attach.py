"""`ipcluster-azure attach`: opens the tunnels to a running cluster again."""

import asyncio
from pathlib import Path

from IPython.paths import get_ipython_dir
from traitlets import Unicode

from ..clusters.deployed import attach_group
from ..clusters.profiles import profile_dir
from ..progress import Progress
from ..start.reattach import attach
from .base import Command, log_to_output


class AttachApp(Command):
    """Open the tunnels to a running cluster again."""

    name = "ipcluster-azure-attach"
    description = """Open the tunnels to a running cluster again.

    For use after a restart of this computer, or when it has got another public address: starts the
    process that keeps the tunnels, and with ssh_source = "auto" allows SSH from the new address.

    With --resource-group and --parameters it attaches to a cluster that was deployed to that group
    by its job files, with that file of parameters, from whatever computer.
    """
    examples = """
    ipcluster-azure attach --profile=azure
    ipcluster-azure attach --resource-group=lab --parameters=azure_cluster.parameters.json
    """
    profile = Unicode("azure", config=True, help="Name of the profile.")
    cluster_id = Unicode("", config=True, help="The cluster's id, if it was started with one.")
    resource_group = Unicode(
        "", config=True, help="Resource group that the cluster was deployed to by its job files."
    ).tag(word="GROUP")
    parameters = Unicode("", config=True, help="File of parameters that it was deployed with.").tag(
        word="FILE"
    )

    aliases = {  # noqa: RUF012
        "profile": "AttachApp.profile",
        "cluster-id": "AttachApp.cluster_id",
        "resource-group": "AttachApp.resource_group",
        "parameters": "AttachApp.parameters",
    }

    def act(self) -> None:
        profile = profile_dir(get_ipython_dir(), self.profile)
        if bool(self.resource_group) != bool(self.parameters):
            self._refuse("--resource-group and --parameters belong together.")
        if self.resource_group:
            progress = Progress(log_to_output("ipcluster_azure.attach"))
            path = Path(self.parameters).expanduser().absolute()
            print(attach_group(profile, self.cluster_id, self.resource_group, path, progress))
            return
        print(asyncio.run(attach(profile, self.cluster_id)))
