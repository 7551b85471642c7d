"""The customData of job files that start a cluster by themselves, as an ARM expression. Pure.

It is a #cloud-config in JSON, which is YAML: the machine's host key, and two commands. The first
unpacks the parameter `programs`, the second writes boot.json and runs on_vm/agent/boot.py.
"""

import shlex
from collections.abc import Mapping

from .cluster_plan import ClusterPlan

WORK_DIR = ".ipcluster-azure"  # below the home directory, as ssh/commands.py has it
END = "END-OF-INPUT"
# no ' in it: a quote within three others takes seventeen characters
UNPACK = """import base64, bz2, json, os, sys
files = json.loads(bz2.decompress(base64.b85decode(sys.stdin.read().strip())))
for name, text in files.items():
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    open(name, "w", encoding="utf-8", errors="surrogateescape").write(text)
"""


def custom_data(plan: ClusterPlan, system_python: str, side: str, given: Mapping[str, str]) -> str:
    """Return the expression for customData of one side, "controller" or "engines".

    `given` are expressions for members of boot.json, besides those of the parameter `boot`.
    """
    prefix = {"controller": "controller", "engines": "engine"}[side]
    private, public = (parameter(f"{prefix}Host{name}") for name in ("Key", "PublicKey"))
    keys = f"createObject('ed25519_private', {private}, 'ed25519_public', {public})"
    members = ", ".join(f"'{name}', {value}" for name, value in given.items())
    boot = f"base64(string(union({parameter('boot')}, createObject({members}))))"
    python = shlex.quote(system_python)
    unpack = f"mkdir -p {WORK_DIR} && cd {WORK_DIR} && exec {python} -c {shlex.quote(UNPACK)}"
    start = f"cd {WORK_DIR} && base64 -d > boot.json && exec {python} vm_boot.py {side}"
    commands = ", ".join(
        _run_as(plan.machine.admin_username, command, given_by)
        for command, given_by in ((unpack, parameter("programs")), (start, boot))
    )
    config = (
        "createObject('ssh_deletekeys', true(), 'ssh_keys', "
        f"{keys}, 'runcmd', createArray({commands}))"
    )
    return f"[base64(concat('#cloud-config\n', string({config})))]"


def _run_as(user: str, command: str, given_by: str) -> str:
    """Return an expression for a line of shell: cloud-init is root, and our programs are not.

    `given_by` is an expression for what the command reads.
    """
    line = f"runuser -l {user} -c {shlex.quote(f'umask 077; {command}')} <<'{END}'\n"
    return f"concat({quoted(line)}, {given_by}, {quoted(f'{chr(10)}{END}{chr(10)}')})"


def quoted(text: str) -> str:
    """Return a text as ARM's expressions have it."""
    return "'" + text.replace("'", "''") + "'"


def parameter(name: str) -> str:
    return f"parameters('{name}')"
