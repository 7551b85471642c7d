"""Runs on the controller's machine, with any Python from 3.8 on and its standard library alone.

    vm_concurrently.py CHAIN ...

Each CHAIN is a list of commands in JSON, each a list of words: [["tar", "-xf", "a.tar"], ["ls"]].
All chains run at once; the commands of one run in turn, up to the first that fails. They print to
the standard output and error of this program, which ends when all chains have: with the status of
the first chain that failed, in their order here, or with 0.
"""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

NOT_STARTED, SIGNALLED = 127, 128  # exit statuses, as of a shell


def run_chain(text: str) -> int:
    """Run the commands of a chain in turn; returns the status of the last one that ran."""
    for command in json.loads(text):
        try:
            status = subprocess.call(command, stdin=subprocess.DEVNULL)
        except OSError as error:
            print(f"{command[0]} can't be started: {error}", file=sys.stderr, flush=True)
            return NOT_STARTED
        if status:
            return status if status > 0 else SIGNALLED - status
    return 0


def main(chains: list[str]) -> int:
    with ThreadPoolExecutor(len(chains)) as pool:
        statuses = list(pool.map(run_chain, chains))
    return next((status for status in statuses if status), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
