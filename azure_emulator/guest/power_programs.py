"""shutdown, reboot, sudo and runuser inside a machine: they must not reach this computer's own."""

from __future__ import annotations

import shlex
from pathlib import Path

from .vm_environment import programs_directory

NAMES = ("shutdown", "poweroff", "halt", "reboot")
# Delays ("+5", "23:00") are not waited for, as nobody here goes to warn the users.
CODE = """
import os, sys, urllib.request
name, options = os.path.basename(sys.argv[1]), sys.argv[2:]
if any(option in ("-c", "-k", "--help") for option in options):
    sys.exit(0)
again = name == "reboot" or any(option in ("-r", "--reboot") for option in options)
url = os.environ["IPCLUSTER_AZURE_IMDS"] + "/power/" + ("restart" if again else "off")
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
direct.open(urllib.request.Request(url, method="POST"))
"""
# Everything runs as the user who started the emulator, and stays so.
SUDO = """#!/bin/sh
while [ $# -gt 0 ]; do
    case "$1" in
    -u | -g | -h | -p | -C) shift 2 ;;
    --) shift; break ;;
    -*) shift ;;
    *=*) export "$1"; shift ;;
    *) break ;;
    esac
done
[ $# -eq 0 ] || exec "$@"
"""
# runuser -l USER -c COMMAND, as cloud-init's scripts use it: they are root on Azure.
RUNUSER = """#!/bin/sh
if [ "$1" != -l ] || [ "$3" != -c ] || [ $# -ne 4 ]; then
    echo "usage: runuser -l USER -c COMMAND; nothing else is on this machine" >&2; exit 2
fi
if [ "$2" != "$USER" ]; then
    echo "runuser: user $2 does not exist" >&2; exit 1
fi
cd "$HOME" && exec "$SHELL" -c "$4"
"""


def power_programs(directory: Path) -> dict[Path, str]:
    """Return path -> content of the programs that a machine needs for that."""
    content = f'#!/bin/sh\nexec python3 -c {shlex.quote(CODE)} "$0" "$@"\n'
    folder = programs_directory(directory)
    own = {folder / "sudo": SUDO, folder / "runuser": RUNUSER}
    return {**own, **{folder / name: content for name in NAMES}}
