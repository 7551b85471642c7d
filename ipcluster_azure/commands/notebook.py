"""`ipcluster-azure notebook`: JupyterLab on the controller's machine, by one link."""

import asyncio
import sys
import webbrowser

from IPython.paths import get_ipython_dir
from traitlets import Bool, Unicode

from ..clusters.notebook import open_notebook
from ..clusters.profiles import profile_dir
from ..formatting import printable, some
from ..progress import Progress
from ..record.file import RecordFile
from .base import Command, log_to_output, say

NO_BROWSER = "Print the link, and open no browser."


class NotebookApp(Command):
    """Open JupyterLab on the controller's machine."""

    name = "ipcluster-azure-notebook"
    description = """Open JupyterLab on the controller's machine.

    Starts it unless it runs, prints a link to it and opens that in a browser. The link is good
    until the cluster is stopped; the same command prints it again. Notebooks there use the Python
    of the engines, and `ipp.Client()` finds the cluster. They are deleted with it: `ipcluster-azure
    sync --back` brings them home.
    """
    examples = """
    ipcluster-azure notebook --profile=azure
    ipcluster-azure notebook --profile=azure --no-browser
    """
    profile = Unicode("azure", config=True, help="Name of the profile.")
    cluster_id = Unicode("", config=True, help="The cluster's id, if it was started with one.")
    no_browser = Bool(False, config=True, help=NO_BROWSER)

    aliases = {  # noqa: RUF012
        "profile": "NotebookApp.profile",
        "cluster-id": "NotebookApp.cluster_id",
    }
    flags = {"no-browser": ({"NotebookApp": {"no_browser": True}}, NO_BROWSER)}  # noqa: RUF012

    def act(self) -> None:
        folder = profile_dir(get_ipython_dir(), self.profile)
        file = RecordFile.of(str(folder), self.cluster_id)
        progress = Progress(log_to_output("ipcluster_azure.notebook", sys.stderr))
        opened = asyncio.run(open_notebook(file, progress))
        if opened.kept:
            names = some([printable(name) for name in opened.kept])
            say(f"edited there, and left so although there is something newer here: {names}")
        print(opened.link, flush=True)
        if not self.no_browser:
            webbrowser.open(opened.page)  # not the link: its token would be in the process list
