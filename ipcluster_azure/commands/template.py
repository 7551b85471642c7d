"""`ipcluster-azure template`: job files that start a cluster without this program."""

from pathlib import Path

from IPython.paths import get_ipython_dir
from traitlets import Bool, Unicode

from ..clusters.profiles import profile_dir
from ..clusters.templates import write_templates
from ..settings.numbers import BoundedInteger
from ..settings.values import MOST_ENGINES
from .base import Command, log_to_output


class TemplateApp(Command):
    """Write job files: ARM templates that start a cluster by themselves."""

    name = "ipcluster-azure-template"
    description = """Write job files: ARM templates that start a cluster by themselves.

    Azure is not asked for anything, and nothing is created. Deploy first the controller's, then the
    engines', to a resource group of your own, with the file of parameters, which holds the
    cluster's secrets. Then `ipcluster-azure attach` opens the way to it.
    """
    examples = """
    ipcluster-azure template --profile=azure -n 32
    ipcluster-azure template --profile=azure -n 32 --to=jobs
    ipcluster-azure template --profile=azure -n 32 --nested
    """
    profile = Unicode("azure", config=True, help="Name of the profile.")
    cluster_id = Unicode(
        "", config=True, help="Id for the files' names and the tags, if the cluster is to have one."
    )
    n = BoundedInteger(
        0, min=0, max=MOST_ENGINES, config=True, help="Number of engines; must be given."
    ).tag(required=True)
    to = Unicode("", config=True, help="Folder for the files. Empty: the profile's own.").tag(
        word="FOLDER"
    )
    nested = Bool(False, config=True, help="One template that deploys both, one after the other.")

    aliases = {  # noqa: RUF012
        "profile": "TemplateApp.profile",
        "cluster-id": "TemplateApp.cluster_id",
        "n": "TemplateApp.n",
        "to": "TemplateApp.to",
    }
    flags = {  # noqa: RUF012
        "nested": (
            {"TemplateApp": {"nested": True}},
            "One template that deploys both, one after the other.",
        )
    }

    def act(self) -> None:
        folder = profile_dir(get_ipython_dir(), self.profile)
        if not self.n:
            self._refuse("it needs the number of engines: -n 32.")
        target = Path(self.to).expanduser().absolute() if self.to else folder
        log = log_to_output("ipcluster_azure.template")
        paths = write_templates(folder, self.cluster_id, self.n, target, log, nested=self.nested)
        for path in paths:
            print(f"Wrote {path}")
        *templates, parameters = paths
        print(f"Keep {parameters} secret: who has it can log in to the machines. Next:")
        for path in templates:
            print(
                f"  az deployment group create --resource-group GROUP --template-file {path} "
                f"--parameters @{parameters}"
            )
        print(
            f"  ipcluster-azure attach --resource-group=GROUP --parameters={parameters} "
            f"--profile={self.profile}"
        )
