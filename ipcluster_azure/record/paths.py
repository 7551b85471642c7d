"""Which files a cluster has on this computer, and how each is called.

Every name follows from the record's own path, and from no setting: a record that can't be read any
more still says which files hold secrets, so that none is left behind.
"""

import glob
from contextlib import suppress
from pathlib import Path

from ..formatting import some
from ..private_files import files_in


class ClusterPaths:
    """The files of one cluster of one profile. `path` is the record's: security/azure-ID.json."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def cluster_id(self) -> str:
        return self.path.stem.removeprefix("azure-")

    @property
    def profile_dir(self) -> Path:
        return self.path.parent.parent

    @property
    def profile(self) -> str:
        """The profile's name, as in `--profile=`."""
        return self.profile_dir.name.removeprefix("profile_")

    def command(self, words: str) -> str:
        """Return a command about this cluster, to be typed: `WORDS --profile=P --cluster-id=ID`."""
        cluster = f" --cluster-id={self.cluster_id}" if self.cluster_id else ""
        return f"`{words} --profile={self.profile}{cluster}`"

    def absent(self) -> str:
        """Say that the cluster is not on record (any more), and what to type next."""
        which = f" with id {self.cluster_id!r}" if self.cluster_id else ""
        nothing = f"There is no cluster on record in profile {self.profile}{which} (any more)."
        records = map(ClusterPaths, files_in(self.path.parent, "azure-*.json"))
        if others := [other.cluster_id for other in records if other.path != self.path]:
            how = f"Add `--cluster-id={others[0]}`" if others[0] else "Leave out `--cluster-id`"
            return f"{nothing} On record: {some([*map(repr, others)])}. {how} for the first."
        start = self.command("ipcluster start -n 4")
        return f"{nothing} {start} starts one; `ipcluster-azure list` shows all there are."

    @property
    def cluster_file(self) -> Path:
        """ipyparallel's own file of the cluster, by which `ipcluster stop` finds it."""
        return self.path.with_name(f"cluster-{self.cluster_id}.json")

    @property
    def environment_dir(self) -> Path:
        """The lock of the machines' Python, and the wheels that they are sent; kept for the next
        start of any cluster of this profile."""
        return self.profile_dir / "environment"

    @property
    def key_file(self) -> Path:
        """The private key that logs in to the machines."""
        return self.path.with_suffix(".key")

    @property
    def public_key_file(self) -> Path:
        return self.path.with_suffix(".pub")

    @property
    def ssh_config(self) -> Path:
        """What the OpenSSH client is told of the machines, once it was asked for."""
        return self.path.with_suffix(".ssh_config")

    @property
    def known_hosts(self) -> Path:
        """The machines' host keys, for the OpenSSH client, likewise."""
        return self.path.with_suffix(".known_hosts")

    @property
    def client_file(self) -> Path:
        """The client's connection file as the controller wrote it, with the controller's ports."""
        return self.path.with_suffix(".client")

    @property
    def connection_files(self) -> dict[str, Path]:
        """The connection files, by "client" and "engine", where ipyparallel looks for them.

        The client's leads to the tunnels' ends on this computer, the engines' to the controller's
        private address.
        """
        name = f"ipcontroller-{self.cluster_id}" if self.cluster_id else "ipcontroller"
        return {kind: self.path.with_name(f"{name}-{kind}.json") for kind in ("client", "engine")}

    @property
    def controller_parameters(self) -> Path:
        """The secure parameters of the controller's ARM template: its host key is in them."""
        return self._parameters("azure_controller")

    @property
    def engine_set_parameters(self) -> Path:
        """The secure parameters of the ARM template of the engine set that was requested last."""
        return self._parameters("azure_engineset")

    def _parameters(self, kind: str) -> Path:
        return self.profile_dir / f"{kind}-{self.cluster_id}.parameters.json"

    @property
    def open_requests(self) -> Path:
        """The journal of the clients' open requests, by which a link answers for a dead one."""
        return self.path.with_suffix(".requests")

    @property
    def own_files(self) -> Path:
        """Which of the user's own files the machines have, by name and hash (Manifest)."""
        return self.path.with_suffix(".files")

    @property
    def own_archive(self) -> Path:
        """Those files themselves, until the controller's machine has them."""
        return self.path.with_suffix(".files.tar.gz")

    @property
    def notebook_page(self) -> Path:
        """A page that leads a browser to JupyterLab: its token is in no argument that way."""
        return self.path.with_suffix(".html")

    @property
    def ways_in(self) -> list[Path]:
        """Files that lead to the machines, the cluster's secrets among them: of no use to a stop
        once it has fetched the logs."""
        return [
            self.key_file,
            self.public_key_file,
            self.client_file,
            self.ssh_config,
            self.known_hosts,
            *self.connection_files.values(),
            self.controller_parameters,
            self.engine_set_parameters,
            self.notebook_page,
        ]

    @property
    def companions(self) -> list[Path]:
        """Every file that is of no use without the record."""
        # ipyparallel removes its own at a stop, but not where the link completes one that died
        return [
            *self.ways_in,
            self.open_requests,
            self.own_files,
            self.own_archive,
            self.cluster_file,
        ]

    @property
    def retired_dir(self) -> Path:
        """Where the records of clusters go whose resource group Azure is still deleting."""
        return self.path.parent / "azure_deleting"

    def retired(self) -> list[Path]:
        """Records of the profile's clusters whose deletion Azure has accepted, but not finished."""
        return files_in(self.retired_dir, "*.json")

    @property
    def link_log(self) -> Path:
        return self.profile_dir / "log" / f"{self.path.stem}-link.log"

    def log_path(self, set_id: str, machine: str) -> Path:
        """Where the fetched log of one machine is kept; the controller has no `set_id`."""
        kind = f"ipengine-{set_id}" if set_id else "ipcontroller"
        return self.profile_dir / "log" / f"{self.path.stem}-{kind}-{machine}.log"

    def boot_log_path(self, machine: str) -> Path:
        """Where the serial log of a machine is kept that did not come up."""
        return self.profile_dir / "log" / f"{self.path.stem}-boot-{machine}.log"

    def log_paths(self, set_id: str) -> list[Path]:
        """The fetched logs of an engine set, or of the controller."""
        before = glob.escape(self.log_path(set_id, "").stem)  # a cluster id may be "*"
        return sorted((self.profile_dir / "log").glob(f"{before}*.log"))

    def add_to_log(self, path: Path, text: str) -> None:
        """Append to a fetched log, unless the profile is gone: its folder is not made anew."""
        with suppress(FileNotFoundError):
            path.parent.mkdir(exist_ok=True)
            with open(path, "a", encoding="utf-8") as output:
                output.write(text)

    def forget_logs(self) -> None:
        """Remove the fetched logs of an earlier cluster of this name."""
        for kind in ("ip", "boot-"):
            before = glob.escape(f"{self.path.stem}-{kind}")
            for path in (self.profile_dir / "log").glob(f"{before}*.log"):
                path.unlink(missing_ok=True)
