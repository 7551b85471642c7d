"""Client.become_dask: its scheduler is on the controller, its workers are in the engines.

ipyparallel gives the scheduler any port of all interfaces, and tells client and engines one
address. Here it has a port of its own at the machine's private address. A client is told the
link's port instead, on its own computer (link/dask_address.py), and hands that on to the engines,
which reach the scheduler where it is. ipyparallel 9.2 doesn't wait for the scheduler's end, so that
it never ended. Needs ipyparallel, and distributed once it is asked for. Linux.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any
from urllib.parse import urlsplit

from .missing_modules import hint, missing_module
from .processes import Json
from .work_dir import hide_own_folder

PORT = 8786  # dask's own; the event "ready" tells it to the launcher
ALIVE = ("undefined", "created", "init", "starting", "running", "paused")  # of dask's Status


def serve_dask(host: str, given: str) -> None:
    """Let the hub of this process have its scheduler at `host`.

    `given` is the kind of Python environment that the machines have (missing_modules.py).
    """
    from ipyparallel.controller.hub import Hub

    start, stop = Hub.become_dask, Hub.stop_distributed

    async def become_dask(hub: Any, client_id: Any, request: Any) -> None:
        wanted = request["content"].get("scheduler_args") or {}
        request["content"]["scheduler_args"] = {"host": host, **wanted, "port": PORT}
        try:
            await start(hub, client_id, request)
        except ModuleNotFoundError as error:
            name = missing_module(error)
            more = f". {hint(name, given)}" if name else ""
            raise ModuleNotFoundError(f"{error}{more}") from None
        except Exception as error:
            hub.distributed_scheduler = None  # else the next request would be told of it
            reasons = map(str, filter(None, (error, error.__cause__)))
            raise RuntimeError(" ".join(reasons)) from error

    async def stop_distributed(hub: Any, client_id: Any, request: Any) -> None:
        scheduler, hub.distributed_scheduler = hub.distributed_scheduler, None
        if scheduler is not None:
            await scheduler.close()  # its workers end with it
        stop(hub, client_id, request)

    Hub.become_dask, Hub.stop_distributed = become_dask, stop_distributed


def find_scheduler(hub: Json, host: str) -> None:
    """Let tasks of this process which become a worker reach the scheduler where it is.

    `hub` is the content of the engine file, `host` the machine's own address, or empty.
    """
    from ipyparallel.engine import kernel

    unpack = kernel.unpack_apply_message

    def unpack_and_lead(*args: Any, **options: Any) -> Any:
        function, arguments, named = unpack(*args, **options)
        is_worker = getattr(function, "__name__", "") == "become_dask_worker"
        if is_worker and function.__module__ == "ipyparallel.util":
            note_worker()
            named = worker_arguments(named, str(hub["location"]), host)
        return function, arguments, named

    kernel.unpack_apply_message = unpack_and_lead


def note_worker() -> None:
    """Let become_dask_worker see that this engine is a worker already, if it is: it looks where
    ipyparallel 9.2 doesn't leave it."""
    from IPython import get_ipython

    kernel = get_ipython().kernel
    worker = getattr(kernel, "distributed_worker", None)
    kernel.dask_worker = worker if worker is not None and worker.status.name in ALIVE else None


def worker_arguments(named: Json, controller: str, host: str) -> Json:
    """Return the arguments of distributed.Worker on a machine: `named` are those of a client."""
    address = urlsplit(str(named.get("address")))
    if address.hostname == "127.0.0.1":  # the link's; a client on a machine knows the real one
        named = {**named, "address": f"{address.scheme}://{controller}:{PORT}"}
    return {"host": host, **named} if host else named


def main(argv: list[str]) -> None:
    """What vm_agent.py starts as ipcontroller: `argv` are our options, "--", and its arguments."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--given", default="")
    end = argv.index("--")
    args = parser.parse_args(argv[:end])
    hide_own_folder()
    try:
        from ipyparallel.controller.app import main as run
    except ImportError as error:
        sys.exit(f"{sys.executable}: {error}")
    serve_dask(args.host, args.given)
    sys.argv = ["ipcontroller", *argv[end + 1 :]]
    run()
