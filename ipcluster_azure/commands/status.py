"""`ipcluster-azure status`: the clusters of one profile."""

from IPython.paths import get_ipython_dir
from traitlets import Bool, Unicode

from ..clusters.status import report
from .base import Command


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
        print(report(get_ipython_dir(), self.profile, json_wanted=self.as_json))
