"""What the OpenSSH client must know to reach the machines of a cluster: addresses, keys, the way.

Engines' machines are reached through the controller's, which alone may have a public address. The
host keys are those that were made with the machines, so that ssh never asks whether to trust one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigurationError
from ..formatting import some
from ..naming import slug
from ..private_files import write_private
from ..record.contents import Record
from ..record.file import RecordFile
from .load import CONTROLLER, machines_of


@dataclass(frozen=True)
class SshHost:
    """A machine as ssh's configuration has it. `aliases`: Azure's name for it, and a short one that
    the next cluster of the profile has, too; `way`: the alias of the machine to go through, if any.
    """

    aliases: tuple[str, str]
    host: str
    host_key: str
    way: str = ""


def hosts(file: RecordFile, record: Record) -> list[SshHost]:
    """Return the machines on record, the controller's first.

    Raises ConfigurationError if that can't be reached by SSH yet.
    """
    controller = record.controller
    if not controller.host:
        raise ConfigurationError(
            "The controller's machine has no address yet. Wait until `ipcluster start` has said "
            "that it boots."
        )
    base = slug(f"{file.profile}-{file.cluster_id}" if file.cluster_id else file.profile)
    name = record.plan.names.controller
    gate = SshHost((name, f"{base}-{CONTROLLER}"), controller.host, controller.host_key)
    others = [
        SshHost(
            (machine.name, f"{base}-{number}"),
            machine.address,
            record.engine_sets[set_id].host_key,
            name,
        )
        for number, (set_id, machine) in enumerate(machines_of(record), start=1)
    ]
    return [gate, *others]


def host_of(machine: str, found: list[SshHost]) -> SshHost:
    """Return the machine of this name (or its end, as `top` shows it), alias or address; nothing
    and `controller` stand for the controller's. Raises ConfigurationError if there is none."""
    if machine in ("", CONTROLLER):
        return found[0]
    prefix = found[0].aliases[0].removesuffix(CONTROLLER)
    for host in found:
        if machine in (*host.aliases, host.host, host.aliases[0].removeprefix(prefix)):
            return host
    known = some([CONTROLLER, *(host.aliases[0] for host in found[1:])])
    raise ConfigurationError(f"There is no machine {machine!r} in the cluster; there are {known}.")


def write_config(file: RecordFile, record: Record) -> str:
    """Write the configuration and the known hosts beside the record; returns the former's text."""
    found = hosts(file, record)
    text = "\n".join(_blocks(file, record, found))
    write_private(file.known_hosts, "".join(_known(host) for host in found))
    write_private(file.ssh_config, text)
    return text


def _known(host: SshHost) -> str:
    kind, key = host.host_key.split()[:2]
    return f"{host.aliases[0]} {kind} {key}\n"


def _blocks(file: RecordFile, record: Record, found: list[SshHost]) -> Iterator[str]:
    for host in found:
        yield "\n".join(
            [
                f"Host {' '.join(host.aliases)}",
                f"    HostName {host.host}",
                f"    Port {record.plan.ssh_port}",
                f"    User {record.plan.machine.admin_username}",
                f"    IdentityFile {_quoted(file.key_file)}",
                "    IdentitiesOnly yes",
                "    PreferredAuthentications publickey",
                f"    UserKnownHostsFile {_quoted(file.known_hosts)}",
                "    GlobalKnownHostsFile none",
                f"    HostKeyAlias {host.aliases[0]}",
                "    HostKeyAlgorithms ssh-ed25519",
                "    StrictHostKeyChecking yes",
                "    ServerAliveInterval 15",
                *([f"    ProxyJump {host.way}"] if host.way else []),
                "",
            ]
        )


def _quoted(path: Path) -> str:
    """Return a path as ssh_config(5) reads it, where % begins a token."""
    return '"' + path.as_posix().replace("%", "%%") + '"'
