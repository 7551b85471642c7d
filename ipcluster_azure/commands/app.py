"""The command ipcluster-azure: all that ipcluster has no subcommand for."""

import shlex

from .base import HELP, MISTAKE, Command, say_and_exit
from .output import output_that_may_close

COMMANDS = "ipcluster_azure.commands"
OF_IPCLUSTER = ("start", "stop", "engines", "clean")


class AzureApp(Command):
    """ipcluster-azure SUBCOMMAND"""

    name = "ipcluster-azure"
    description = """Clusters of ipyparallel on Azure virtual machines.

    `ipcluster start`, `ipcluster engines` and `ipcluster stop` do the daily work; this command
    makes profiles, shows clusters, deletes lost ones, and runs the local emulator of Azure.
    """
    subcommands = {  # noqa: RUF012
        "init": (f"{COMMANDS}.init.InitApp", "Make a profile from a template."),
        "status": (f"{COMMANDS}.status.StatusApp", "Show the clusters of a profile."),
        "top": (f"{COMMANDS}.top.TopApp", "Show how busy each machine and each engine is."),
        "create": (
            f"{COMMANDS}.create.CreateApp",
            "Make a cluster's machines, and start nothing on them.",
        ),
        "deploy": (
            f"{COMMANDS}.deploy.DeployApp",
            "Start controller and engines on machines that are there, or anew.",
        ),
        "delete": (f"{COMMANDS}.delete.DeleteApp", "Delete a cluster, whatever its state."),
        "attach": (f"{COMMANDS}.attach.AttachApp", "Open the tunnels to a running cluster again."),
        "logs": (f"{COMMANDS}.logs.LogsApp", "Show the logs of a cluster, also as they grow."),
        "ssh": (f"{COMMANDS}.ssh.SshApp", "Log in to a machine, or run a command there."),
        "ssh-config": (
            f"{COMMANDS}.ssh_config.SshConfigApp",
            "Print what ssh, scp, rsync and editors need to reach the machines.",
        ),
        "template": (
            f"{COMMANDS}.template.TemplateApp",
            "Write ARM templates that start a cluster by themselves.",
        ),
        "sync": (
            f"{COMMANDS}.sync.SyncApp",
            "Bring your modules on a running cluster up to date, or results home.",
        ),
        "notebook": (
            f"{COMMANDS}.notebook.NotebookApp",
            "Open JupyterLab on the controller's machine.",
        ),
        "list": (f"{COMMANDS}.list.ListApp", "Show all clusters of the subscription."),
        "reap": (f"{COMMANDS}.reap.ReapApp", "Delete clusters that were left behind."),
        "doctor": (f"{COMMANDS}.doctor.DoctorApp", "Check all that a start needs."),
        "emulator": (
            f"{COMMANDS}.emulator.EmulatorApp",
            "Start, stop, inspect or empty the local emulator of Azure.",
        ),
    }

    def act(self) -> None:
        if self.subapp is None:
            self.print_help()
        else:
            self.subapp.start()

    def _check(self, words: list[str]) -> None:
        wrong = next((word for word in words if word not in HELP), None)
        if wrong is not None:
            if wrong in OF_IPCLUSTER:
                command = shlex.join(["ipcluster", *words])
                say_and_exit(f"{wrong!r} is a subcommand of ipcluster: `{command}`.", MISTAKE)
            kind = "option" if wrong.startswith("-") else "subcommand"
            known = ", ".join(self.subcommands)
            say_and_exit(f"there is no {kind} {wrong!r}; the subcommands are {known}.", MISTAKE)


def main() -> None:
    """Run the command; entry.py calls it."""
    with output_that_may_close():
        AzureApp.launch_instance()
