"""Runs `ipcluster` many times from one process that has imported everything.

A fork takes milliseconds where the imports take a second, and the end of an interpreter that has
imported all that a third of one; what runs is a process like any other, which can be killed. Used
by the end-to-end tests, but for those of imports, and by the soak.
"""

from __future__ import annotations

import gc
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
import types
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOOK_S = 0.01


@dataclass(frozen=True)
class Client:
    """A user's command, running; `log` has all that it said."""

    number: int
    pid: int
    log: Path
    _server: Server

    @property
    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def status(self) -> int | None:
        """None while it runs, else its exit status, negative for a signal."""
        return self._server.status(self)

    def signal(self, signum: int) -> None:
        """Nothing happens if it has ended. Its pid is not used again before that was asked for."""
        if self.status() is None:
            os.kill(self.pid, signum)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)

    def wait(self, timeout_s: float) -> int:
        """Its exit status; TimeoutError, with all that it said, if it does not end."""
        deadline = time.monotonic() + timeout_s
        while (status := self.status()) is None:
            if time.monotonic() > deadline:
                self.kill()
                raise TimeoutError(f"it did not end within {timeout_s} s:\n{self.output}")
            time.sleep(LOOK_S)
        return status


class Server:
    """The process that has imported everything; forks a client at each request."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process, self._folder = process, folder
        self._numbers = itertools.count()
        self._ended: dict[int, int] = {}  # by number: pids are used again, after some thousands
        self._asking = threading.Lock()

    def run(self, command: list[str], environment: Mapping[str, str], cwd: Path) -> Client:
        """`command`: `ipcluster ...`, `ipcluster-azure ...` or `python -c CODE ...`."""
        number = next(self._numbers)
        log = self._folder / f"{number}.log"
        log.touch(mode=0o600)
        asked = {"run": command, "environment": dict(environment), "cwd": str(cwd), "log": str(log)}
        return Client(number, self._ask(asked), log, self)

    def status(self, client: Client) -> int | None:
        if client.number not in self._ended:
            status = self._ask({"status": client.pid})
            if status is None:
                return None
            self._ended[client.number] = status
        return self._ended[client.number]

    def _ask(self, request: Mapping[str, object]) -> int:
        with self._asking:
            return self._answer(request)

    def _answer(self, request: Mapping[str, object]) -> int:
        self._process.stdin.write(json.dumps(request) + "\n")  # type: ignore[union-attr]
        self._process.stdin.flush()  # type: ignore[union-attr]
        line = self._process.stdout.readline()  # type: ignore[union-attr]
        if not line:
            raise RuntimeError(f"the fork server ended with status {self._process.wait()}")
        answer: int = json.loads(line)
        return answer


@contextmanager
def fork_server(folder: Path) -> Iterator[Server]:
    """A server that keeps its clients' logs in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.forked_client"]
    with subprocess.Popen(
        command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            yield Server(process, folder)
        finally:
            process.stdin.close()  # type: ignore[union-attr]


def _import_everything() -> None:
    # all but the launchers, which ipcluster finds and runs as it starts, and ipyparallel's
    # programs, whose classes keep the working directory in which they were imported; what is
    # imported late, beside an answer of Azure's, costs a client as much as what it imports first
    import azure.mgmt.compute  # noqa: F401
    import IPython.core.completer  # noqa: F401

    import ipcluster_azure.clusters.reap
    import ipcluster_azure.commands.app
    import ipcluster_azure.environment.prepare
    import ipcluster_azure.start.bring_up
    import ipcluster_azure.start.deployment
    import ipcluster_azure.start.job_files
    import ipcluster_azure.stop.last_visit
    import ipcluster_azure.stop.teardown  # noqa: F401

    # else each client's collector would walk through all of that, and copy it, as the client ends
    gc.collect()
    gc.freeze()


def _serve() -> dict[str, object] | None:
    """Answer requests until there are no more; returns in a forked child with what it is to do."""
    for line in sys.stdin:
        asked: dict[str, object] = json.loads(line)
        if "status" in asked:
            pid, status = os.waitpid(int(str(asked["status"])), os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork()
            if answer == 0:
                return asked
        print(json.dumps(answer), flush=True)
    return None


def _become(asked: dict[str, Any]) -> None:
    """What a new process has of its own: environment, folder, standard files, arguments."""
    # ignored, and inherited, where the whole runs under nohup or in a script's background
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update(asked["environment"])
    os.chdir(str(asked["cwd"]))
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(str(asked["log"]), os.O_WRONLY | os.O_APPEND)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    words: list[str] = asked["run"]
    if words[0] == "python":
        _run_program(*words[2:])
        return
    sys.argv = words
    if words[0] == "ipcluster":
        from ipyparallel.cluster.app import main
    else:
        from ipcluster_azure.commands.app import main
    sys.exit(main())


def _run_program(code: str, *arguments: str) -> None:
    """As `python -W ignore -c CODE ARGUMENT...`."""
    warnings.simplefilter("ignore")
    sys.argv = ["-c", *arguments]
    sys.path.insert(0, "")
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    exec(compile(code, "<string>", "exec"), vars(main))  # noqa: S102


if __name__ == "__main__":
    _import_everything()
    if (asked := _serve()) is not None:
        _become(asked)
