"""`ipcluster-azure create`: the machines and the network of a cluster, with nothing on them."""

from ..clusters.steps import create
from ..settings.numbers import BoundedInteger
from ..settings.values import MOST_ENGINES
from .cluster_command import ClusterCommand


class CreateApp(ClusterCommand):
    """Make the machines and the network of a cluster, and start nothing on them."""

    name = "ipcluster-azure-create"
    description = """Make the machines and the network of a cluster, and start nothing on them.

    Returns once Azure has made the machines: that of the controller, and those for N engines. They
    cost from then on. `ipcluster-azure deploy`, or `ipcluster start`, starts controller and engines
    on them; `ipcluster-azure delete`, or `ipcluster stop`, deletes them. If it fails, or is
    interrupted, what it has made is deleted.
    """
    examples = """
    ipcluster-azure create --profile=azure -n 32
    """
    n = BoundedInteger(
        1,
        min=1,
        max=MOST_ENGINES,
        config=True,
        help="Number of engines that the machines are for.",
    ).tag(required=True)
    ended = "What was created is deleted."

    aliases = {**ClusterCommand.aliases, "n": "CreateApp.n"}  # noqa: RUF012

    def act(self) -> None:
        if "n" not in self.config.CreateApp:
            self._refuse("how many engines are the machines for? -n 32, for example.")
        self.work(create(self.file(), self.n, self.own_log()))
