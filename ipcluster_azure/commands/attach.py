"""`ipcluster-azure attach`: opens the tunnels to a running cluster again."""

import asyncio

from IPython.paths import get_ipython_dir
from traitlets import Unicode

from ..clusters.profiles import profile_dir
from ..start.reattach import attach
from .base import Command


class AttachApp(Command):
    """Open the tunnels to a running cluster again."""

    name = "ipcluster-azure-attach"
    description = """Open the tunnels to a running cluster again.

    For use after a restart of this computer, or when it has got another public address: starts the
    process that keeps the tunnels, and with ssh_source = "auto" allows SSH from the new address.
    """
    examples = """
    ipcluster-azure attach --profile=azure
    """
    profile = Unicode("azure", config=True, help="Name of the profile.")
    cluster_id = Unicode("", config=True, help="The cluster's id, if it was started with one.")

    aliases = {  # noqa: RUF012
        "profile": "AttachApp.profile",
        "cluster-id": "AttachApp.cluster_id",
    }

    def act(self) -> None:
        profile = profile_dir(get_ipython_dir(), self.profile)
        print(asyncio.run(attach(profile, self.cluster_id)))
