"""Commands for the machines: lists of words, and the one place that makes shell of them.

All run in WORK_DIR. The names vm_agent.py and vm_guard.py, and the subcommands that other rooms
run by `agent_command` and `guard_command`, are a protocol: the machines of a running cluster have
the files of the version that started it.
"""

import json
import shlex
from collections.abc import Iterable, Sequence

from ..record.environment import Environment

WORK_DIR = ".ipcluster-azure"  # below the home directory, which is the same on all machines
BARE = "-IS"  # Python without what others installed, which starts faster
SET_VARIABLES = [".", "./variables.sh"]  # for the steps after it; bundle.py makes the file
Command = Sequence[str]
MAKE_WORK_DIR: list[Command] = [["umask", "077"], ["mkdir", "-p", WORK_DIR]]


def shell(*steps: Command) -> str:
    """Return a shell command that runs `steps` in turn in WORK_DIR, up to the first that fails.

    What a word holds is never read as shell.
    """
    return _in_turn([*MAKE_WORK_DIR, ["cd", WORK_DIR], *steps])


def replace_file(path: str) -> list[Command]:
    """Return steps that give a file of WORK_DIR the content of standard input, at once."""
    return [["dd", f"of={path}.new"], ["mv", f"{path}.new", path]]


def concurrently(environment: Environment, *chains: Sequence[Command]) -> Command:
    """Return a step that runs chains of commands at once, by vm_concurrently.py of the bundle."""
    python = system_python(environment)
    return [python, BARE, "vm_concurrently.py", *(json.dumps([*chain]) for chain in chains)]


def one_at_a_time(*steps: Command) -> Command:
    """Return a step that runs `steps` in turn, once nobody else on the machine does so.

    What a start has begun there goes on for a while when its connection is gone, and the link may
    begin the same anew. The daemons that the steps start do not hold the lock, which is WORK_DIR's.
    """
    return ["flock", "-o", ".", "sh", "-c", _in_turn(steps)]


def _in_turn(steps: Iterable[Command]) -> str:
    return " && ".join(shlex.join(step) for step in steps)


def system_python(environment: Environment) -> str:
    """Return a Python that the machine has from the start."""
    return "python3" if environment.is_built else environment.image_python


def agent(environment: Environment, subcommand: str, *arguments: str) -> Command:
    """Return a step that runs vm_agent.py (on_vm/agent/commands.py says what it can do)."""
    return _in_environment(environment, "vm_agent.py", subcommand, *arguments)


def agent_command(environment: Environment, subcommand: str, *arguments: str) -> str:
    """Return the shell command that runs vm_agent.py on a machine that has been set up."""
    return shell(agent(environment, subcommand, *arguments))


def where_set_up(environment: Environment, command: str) -> str:
    """Return an agent_command for a machine that may not have been set up so far.

    Where the agent is not there, or one_at_a_time() is at work, it does nothing and succeeds.
    """
    needed = ["vm_agent.py", *(["env/bin/python"] if environment.is_built else [])]
    lacks = " || ".join(f"test ! -e {WORK_DIR}/{name}" for name in needed)
    unless_busy: Command = ["flock", "-n", "-E", "0", "-o", WORK_DIR]
    return _in_turn([*MAKE_WORK_DIR, [*unless_busy, "sh", "-c", f"{lacks} || {{ {command}; }}"]])


def guard_command(environment: Environment, subcommand: str, *arguments: str) -> str:
    """Return the shell command that runs vm_guard.py on the controller's machine, set up before."""
    return shell(_in_environment(environment, "vm_guard.py", subcommand, *arguments))


def _in_environment(
    environment: Environment, script: str, subcommand: str, *arguments: str
) -> Command:
    """Return a step that runs a script with the Python that has ipyparallel."""
    python = "env/bin/python" if environment.is_built else environment.image_python
    return [python, script, subcommand, "--dir=.", *arguments]
