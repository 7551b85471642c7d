"""`ipcluster-azure status`: the clusters of one profile."""

from IPython.paths import get_ipython_dir
from traitlets import Bool, Unicode

from ..clusters.old_spelling import advice, old_names
from ..clusters.profiles import profile_dir
from ..clusters.status import as_json, as_text, clusters
from .base import FAILURE, Command, say


class StatusApp(Command):
    """Show the clusters of a profile: machines, engines, tunnels."""

    name = "ipcluster-azure-status"
    description = """Show the clusters of a profile: machines, engines, tunnels.

    Asks Azure and the controllers, and changes nothing.
    """
    examples = """
    ipcluster-azure status --profile=azure
    ipcluster-azure status --profile=azure --json
    """
    profile = Unicode("azure", config=True, help="Name of the profile.")
    as_json = Bool(False, config=True, help="Print JSON instead of text.")

    aliases = {"profile": "StatusApp.profile"}  # noqa: RUF012
    flags = {"json": ({"StatusApp": {"as_json": True}}, "Print JSON.")}  # noqa: RUF012

    def act(self) -> None:
        folder = profile_dir(get_ipython_dir(), self.profile)
        found = clusters(folder)
        print(as_json(found) if self.as_json else as_text(self.profile, found))
        if old := old_names(folder / "ipcluster_config.py"):
            say(advice(self.profile, old))
        if any(status.problem for status in found):
            self.exit(FAILURE)
