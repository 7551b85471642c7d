"""The command line: `python -m azure_emulator`, and `ipcluster-azure emulator`.

Standard output is what was asked for; a mistake or a failure is one line on standard error.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import client, server_options
from .server_options import StrictParser

PROGRAM = "python -m azure_emulator"
FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130  # exit statuses


def main(arguments: Sequence[str] | None = None, program: str = PROGRAM) -> int:
    """Carry a command line out and return its exit status.

    arguments: without the program's name, as sys.argv[1:], which is the default; program: how
    the user calls this, for messages and --help. Raises SystemExit after --help and for mistakes.
    """
    try:
        try:
            return _run(arguments, program)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except OSError as error:  # of standard output: others are EmulatorErrors
        # what is left to be written is lost, or the interpreter would fail at it at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # the reader has what it wanted
            return 0
        print(f"{program}: {error.strerror or error}.", file=sys.stderr)
        return FAILED


def _run(arguments: Sequence[str] | None, program: str) -> int:
    parser, subcommands = parsers(program)
    values, unknown = parser.parse_known_args(arguments)
    if values.subcommand is None:
        parser.print_help()
        return WRONG_USAGE
    if unknown:
        subcommands[values.subcommand].refuse(unknown[0])
    try:
        values.act(values)
    except client.EmulatorError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print(f"{program}: interrupted.", file=sys.stderr)
        return INTERRUPTED
    return 0


def parsers(program: str = "azure_emulator") -> tuple[StrictParser, dict[str, StrictParser]]:
    """Return the whole command line's parser, and those of the subcommands by name."""
    parser = StrictParser(
        prog=program,
        description="A local Azure Resource Manager endpoint whose VMs are local SSH servers.",
    )
    several = parser.add_subparsers(dest="subcommand", metavar="SUBCOMMAND", title="subcommands")
    for name, (act, description) in SUBCOMMANDS.items():
        one = several.add_parser(name, help=description, description=description)
        one.set_defaults(act=act)
        one.add_argument(
            "--state-dir",
            metavar="DIR",
            type=_file_name,
            default=str(client.default_state_dir()),
            help="directory of the emulator's state: another directory is another emulator "
            "(default: %(default)s)",
        )
    server_options.add_to(several.choices["start"])
    several.choices["start"].add_argument(
        "--allow-actions",
        metavar="FILE",
        type=_file_name,
        help="role definition in Azure's JSON: who uses the token file may do no more than that",
    )
    for name in ("env", "status"):
        several.choices[name].add_argument(
            "--json", action="store_true", help="print JSON instead of text"
        )
    return parser, several.choices


def _file_name(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("must not be empty")
    return text


def _start(values: argparse.Namespace) -> None:
    names = (field.name for field in dataclasses.fields(server_options.ServerSettings))
    options = {name: getattr(values, name) for name in names if name != "state_dir"}
    role = _role(values.allow_actions) if values.allow_actions else None
    info = client.start(values.state_dir, **options)
    if role:
        client.restrict(info, *role)
    print(json.dumps(dataclasses.asdict(info)), flush=True)


def _role(path: str) -> tuple[list[str], list[str]]:
    """Return (actions, not actions) of a role definition, as `az role definition` has it."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        role = content[0] if isinstance(content, list) else content
        lower = {name.lower(): value for name, value in role.items()}
        if "permissions" in lower:
            lower = {name.lower(): value for name, value in lower["permissions"][0].items()}
        return _texts(lower["actions"]), _texts(lower.get("notactions") or [])
    except (OSError, ValueError, LookupError, AttributeError, TypeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise client.EmulatorError(f"{path} is no role definition ({reason})") from None


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError(f"actions must be a list of strings, not {json.dumps(value)[:100]}")
    return value


def _stop(values: argparse.Namespace) -> None:
    stopped = client.stop(values.state_dir)
    print("The emulator has stopped." if stopped else "No emulator is running.")


def _status(values: argparse.Namespace) -> None:
    found = client.find(values.state_dir)
    content = client.status(values.state_dir)
    shown: dict[str, Any] = {
        name: content[name] for name in ("resource_groups", "virtual_machines")
    }
    if values.json:
        print(json.dumps(shown))
        return
    if found is None:
        print("No emulator is running.")
        return
    print(f"Emulator at {found.endpoint} (process {found.pid}, state in {found.state_dir})")
    if found.network_namespace:
        print(f"Its machines can be reached by: ip netns exec {found.network_namespace} COMMAND")
    for title, names in shown.items():
        listed = ", ".join(names) if names else "none"
        print(f"{title.replace('_', ' ').capitalize()}: {listed}")


def _env(values: argparse.Namespace) -> None:
    """Print what a shell sets to use the emulator: for `eval`, or as JSON."""
    info = client.find(values.state_dir)
    if info is None:
        raise client.EmulatorError("no emulator is running; start one with: emulator start")
    found = client.environment(info)
    if values.json:
        print(json.dumps(found, indent=1))
        return
    for name, value in found.items():
        print(f"export {name}={shlex.quote(value)}")


def _reset(values: argparse.Namespace) -> None:
    done = client.reset(values.state_dir)
    print("Everything is deleted." if done else "No emulator is running.")


SUBCOMMANDS = {
    "start": (_start, "Start the emulator unless it runs; print where it is as JSON."),
    "stop": (_stop, "Stop the emulator and all its machines."),
    "status": (_status, "Show the emulator's resource groups and virtual machines."),
    "env": (_env, "Print the variables with which az, Terraform and SDKs use the emulator."),
    "reset": (_reset, "Delete all resource groups and machines of the running emulator."),
}
