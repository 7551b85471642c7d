"""`ipcluster-azure deploy`: the controller and the engines, on machines that are there."""

from traitlets import Bool

from ..clusters.steps import deploy
from .cluster_command import ClusterCommand

FORCE = "Also while engines compute: their tasks end."


class DeployApp(ClusterCommand):
    """Start the controller and the engines on machines that are there, or start them anew."""

    name = "ipcluster-azure-deploy"
    description = """Start the controller and the engines on machines that are there, or start them
    anew.

    Installs the packages, sends the modules and files, and starts controller and engines on the
    machines that `ipcluster-azure create` has made. On a cluster that runs it first ends what runs
    there: for a changed configuration or environment. Nothing is ended while an engine computes,
    unless --force is given. If it fails, or is interrupted, the machines are kept, with nothing on
    them.
    """
    examples = """
    ipcluster-azure deploy --profile=azure
    ipcluster-azure deploy --profile=azure --force
    """
    force = Bool(False, config=True, help=FORCE)
    ended = "The machines are kept: `ipcluster-azure status` shows their state."

    flags = {"force": ({"DeployApp": {"force": True}}, FORCE)}  # noqa: RUF012

    def act(self) -> None:
        self.work(deploy(self.file(), self.own_log(), force=self.force))
