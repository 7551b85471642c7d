"""`ipcluster-azure ssh`: logs in to a machine of a cluster with the OpenSSH client."""

import shutil
import subprocess

from ..clusters.openssh import host_of, hosts, write_config
from ..errors import ConfigurationError
from .one_cluster import OneClusterCommand

NO_CLIENT = (
    "There is no ssh on this computer. Install the OpenSSH client: on Debian and Ubuntu by `apt "
    "install openssh-client`, on Windows as the optional feature OpenSSH Client; macOS has it."
)


ENDS_S = 2.0  # by the Ctrl-C that it has got, too


def end(client: "subprocess.Popen[bytes]") -> None:
    try:
        client.wait(ENDS_S)
    except subprocess.TimeoutExpired:  # the signal was sent to us alone
        client.terminate()


class SshApp(OneClusterCommand):
    """Log in to a machine of a cluster, or run a command there."""

    name = "ipcluster-azure-ssh"
    description = """Log in to a machine of a cluster, or run a command there.

    With the cluster's own key and host keys, through the controller's machine. MACHINE is
    `controller`, which is the default, or a name that `status`, `top` or Azure shows. What follows
    -- is run there instead of a shell, as ssh does it. The exit status is ssh's.
    """
    examples = """
    ipcluster-azure ssh --profile=azure
    ipcluster-azure ssh ipp-azure-86c3cd5a-e0d61_f46fa706 --profile=azure
    ipcluster-azure ssh --profile=azure -- tail .ipcluster-azure/log/guard.log
    """
    most_words = 1

    def parse_command_line(self, argv: list[str] | None = None) -> None:
        words = self.words(argv)
        end = words.index("--") if "--" in words else len(words)
        self.command = words[end + 1 :]
        super().parse_command_line(words[:end])

    def act(self) -> None:
        file = self.record_file()
        record = file.require()
        host = host_of(self.extra_args[0] if self.extra_args else "", hosts(file, record))
        program = shutil.which("ssh")
        if program is None:
            raise ConfigurationError(NO_CLIENT)
        write_config(file, record)
        command = [program, "-F", str(file.ssh_config), host.aliases[0], *self.command]
        with subprocess.Popen(command) as client:
            try:
                status = client.wait()
            except KeyboardInterrupt:
                end(client)
                raise
        self.exit(status if status >= 0 else 128 - status)
